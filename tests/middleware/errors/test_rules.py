"""What a check says of the filter where it stands, and when a site does not start for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.check import check_file
from wheatpaste.config.problems import ConfigError, Problem
from wheatpaste.scripts.launch import Launch, Wishes
from wheatpaste.scripts.target import find_target

Write = Callable[..., Path]

SITE = """\
[server:main]
use = egg:wheatpaste#main
{server}
[pipeline:main]
pipeline = {pipeline} site
[filter:errors]
use = egg:wheatpaste#errors
{errors}
[filter:old]
use = egg:Paste#evalerror
[filter:log]
use = egg:wheatpaste#translogger
[filter:http]
use = egg:wheatpaste#httpexceptions
[app:site]
use = egg:wheatpaste#echo
"""


@pytest.fixture
def site(write_ini: Write) -> Callable[..., Path]:
    def of(errors: str = "", server: str = "host = 127.0.0.1", pipeline: str = "errors") -> Path:
        return write_ini(SITE.format(errors=errors, server=server, pipeline=pipeline))

    return of


def told(path: Path) -> list[Problem]:
    return [each for each in check_file(str(path), serving=True) if each.code in ("surroundings", "wrong-order")]


PUBLIC = "host = 0.0.0.0"
MAIL = "error_email = a@example.com\n"


WAITRESS = """\
[server:main]
use = egg:waitress#main
host = 127.0.0.1
{server}
[pipeline:main]
pipeline = errors site
[filter:errors]
use = egg:wheatpaste#errors
{errors}
[app:site]
use = egg:wheatpaste#echo
"""


@pytest.mark.parametrize(
    ("server", "errors", "key"),
    [
        pytest.param("url_scheme = https", "debug = true", "debug", id="a proxy that takes off TLS"),
        pytest.param("url_prefix = /shop", "console = true", "console", id="a proxy that takes off a path"),
        pytest.param("trusted_proxy = 127.0.0.1", "debug = true", "debug", id="a proxy that does not say its clients"),
        pytest.param(
            "trusted_proxy = *\ntrusted_proxy_headers = x-forwarded-host", "debug = true", "debug", id="any proxy"
        ),
        pytest.param("", "debug = true", None, id="nothing tells of a proxy"),
        pytest.param("url_scheme = https", "", None, id="no details"),
        pytest.param(
            "url_scheme = https\nclear_untrusted_proxy_headers = false", "debug = true", None, id="headers that stay"
        ),
        pytest.param(
            "trusted_proxy = 127.0.0.1\ntrusted_proxy_headers = X-Forwarded-For, x-forwarded-proto",
            "debug = true",
            None,
            id="a proxy that says its clients",
        ),
    ],
)
def test_a_check_warns_of_details_behind_a_proxy_that_waitress_hides(
    write_ini: Write, server: str, errors: str, key: str | None
) -> None:
    path = write_ini(WAITRESS.format(server=server, errors=errors))
    found = [each for each in check_file(str(path)) if each.code == "surroundings"]
    assert [(each.key, each.severity) for each in found] == ([] if key is None else [(key, "warning")])
    if found:
        assert server.partition(" ")[0] in found[0].what


def test_the_same_is_no_matter_where_wheatpaste_starts_waitress(write_ini: Write) -> None:
    path = write_ini(WAITRESS.format(server="url_scheme = https", errors="debug = true"))
    assert check_file(str(path)) != []
    launch = Launch(find_target(str(path)), Wishes())
    launch.load()
    launch.check()
    assert launch.warnings == []


@pytest.mark.parametrize(
    ("errors", "server", "key", "severity", "words"),
    [
        pytest.param(
            "debug = true\nallow_peers = *", PUBLIC, "allow_peers", "error", "reaches 0.0.0.0", id="strangers"
        ),
        pytest.param("console = true", PUBLIC, "console", "error", "console_anywhere = true", id="a public prompt"),
        pytest.param(
            "console = true\ninbox = none", "", "console", "warning", "has no page", id="a prompt that is nowhere"
        ),
        pytest.param(
            "debug = true\nconsole = true\ninbox = e.sqlite",
            "workers = 4",
            "console",
            "warning",
            "workers = 4",
            id="a prompt of several processes",
        ),
        pytest.param("debug = true", "workers = auto", "debug", "warning", "inbox =", id="an inbox for each process"),
        pytest.param(MAIL + "smtp_password = x9", "", "smtp_password", "warning", "smtp_username", id="no user"),
        pytest.param(MAIL + "smtp_username = me", "", "smtp_username", "warning", "smtp_password", id="no password"),
        pytest.param("inbox = no/e.sqlite", "", "inbox", "warning", "no; make it", id="an inbox in no folder"),
        pytest.param(
            "inbox = %(here)s", "", "inbox", "warning", "is a folder; name a file", id="an inbox in place of a folder"
        ),
        pytest.param("error_log = no/e.jsonl", "", "error_log", "warning", "no; make it", id="a log in no folder"),
        pytest.param(
            "project = %(here)s no", "", "project", "warning", "there is no folder", id="code that is nowhere"
        ),
        pytest.param(
            MAIL + "smtp_username = me\nsmtp_password = k2hs-81jd\nsmtp_server = mail.example.com:587",
            "",
            "smtp_use_tls",
            "warning",
            "in clear",
            id="a password in the open",
        ),
    ],
)
def test_what_is_said(site: Callable[..., Path], errors: str, server: str, key: str, severity: str, words: str) -> None:
    (problem,) = told(site(errors, server))
    assert (problem.key, problem.severity) == (key, severity)
    assert problem.section == "filter:errors"
    assert words in str(problem)


@pytest.mark.parametrize(
    ("errors", "server"),
    [
        pytest.param("", PUBLIC, id="a public site without debug"),
        pytest.param("debug = true", PUBLIC, id="debug for this machine alone, which is said elsewhere"),
        pytest.param("debug = true\nallow_peers = 10.0.0.0/8", PUBLIC, id="debug for a network"),
        pytest.param("debug = true\nallow_peers = *", "", id="debug for everybody here"),
        pytest.param("debug = true\nconsole = true\nconsole_anywhere = true", PUBLIC, id="a prompt that was meant"),
        pytest.param("debug = true\nconsole = true", "workers = 1", id="a prompt at home"),
        pytest.param("debug = true\ninbox = e.sqlite", "workers = 4", id="an inbox for all processes"),
        pytest.param("", "workers = 4", id="processes without pages"),
        pytest.param("smtp_username = me", "", id="mail settings that nothing is sent with"),
        pytest.param(MAIL + "smtp_username = me\nsmtp_password = k2hs-81jd", "", id="a mail server on this machine"),
        pytest.param(
            MAIL + "smtp_username = me\nsmtp_password = k2hs-81jd\nsmtp_server = mail.example.com\nsmtp_use_tls = true",
            "",
            id="a password under TLS",
        ),
    ],
)
def test_nothing_is_said(site: Callable[..., Path], errors: str, server: str) -> None:
    assert told(site(errors, server)) == []


def test_sentry_without_its_sdk_is_said(site: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = site("sentry = true")
    assert told(path) == []
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    (problem,) = told(path)
    assert str(problem).endswith("sentry: the Sentry SDK is not installed; pip install sentry-sdk")


INBOX = """\
[app:main]
use = egg:wheatpaste#errors_inbox
{line}
filter-with = errors
[filter:errors]
use = {filter}
"""


@pytest.mark.parametrize(
    ("line", "around", "words"),
    [
        ("", "egg:wheatpaste#errors", []),
        ("inbox = e.sqlite", "egg:wheatpaste#httpexceptions", []),
        ("", "egg:wheatpaste#httpexceptions", ["no errors filter stands around this app; put one there"]),
        ("inbox = no/e.sqlite", "egg:wheatpaste#errors", ["no; make it"]),
    ],
)
def test_an_app_that_has_nothing_to_show_says_so(write_ini: Write, line: str, around: str, words: list[str]) -> None:
    problems = told(write_ini(INBOX.format(line=line, filter=around)))
    assert [each.severity for each in problems] == ["warning"] * len(words)
    for each, said in zip(problems, words, strict=True):
        assert said in str(each)


@pytest.mark.parametrize("word", ["memory", "none"])
def test_a_word_of_the_filter_is_no_file_of_the_app(write_ini: Write, word: str) -> None:
    (problem,) = check_file(str(write_ini(INBOX.format(line=f"inbox = {word}", filter="egg:wheatpaste#errors"))))
    assert "must be the file of an inbox" in str(problem)


def test_debug_on_a_public_server_is_said_once(site: Callable[..., Path]) -> None:
    found = check_file(str(site("debug = true", PUBLIC)), serving=True)
    said = [(each.code, each.severity) for each in found if each.section == "filter:errors"]
    assert said == [("public-debug", "warning")]


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        ("log errors http", []),
        ("http errors", []),  # what it answers is let through
        ("errors log", ["stands outside of [filter:log]"]),
        ("errors old", ["[filter:errors] further out catches all of them"]),
        ("old errors", ["[filter:old] further out catches all of them"]),
    ],
)
def test_where_it_stands(site: Callable[..., Path], pipeline: str, words: list[str]) -> None:
    problems = told(site(pipeline=pipeline))
    assert [each.severity for each in problems] == ["warning"] * len(words)
    for each, said in zip(problems, words, strict=True):
        assert said in each.what


def test_one_around_a_mount_sees_nothing_inside_of_one_around_all(write_ini: Write) -> None:
    (problem,) = told(
        write_ini(
            """
            [composite:main]
            use = egg:wheatpaste#urlmap
            / = site
            filter-with = around
            [app:site]
            use = egg:wheatpaste#echo
            filter-with = within
            [filter:around]
            use = egg:wheatpaste#errors
            [filter:within]
            use = egg:wheatpaste#errors
            """
        )
    )
    assert (problem.section, problem.severity) == ("filter:within", "warning")
    assert problem.what == "never sees a failure: [filter:around] further out catches all of them"


def launch(path: Path, **wishes: object) -> Launch:
    made = Launch(find_target(str(path)), Wishes(**wishes))  # type: ignore[arg-type]
    made.load()
    return made


@pytest.mark.parametrize(
    ("server", "wishes"),
    [
        pytest.param("host = 0.0.0.0", {}, id="the file says so"),
        pytest.param("listen = 127.0.0.1:80 0.0.0.0:81", {}, id="a second address"),
        pytest.param("host = 127.0.0.1", {"host": "0.0.0.0"}, id="--host"),
        pytest.param("host = 127.0.0.1", {"listen": ("127.0.0.1:80", "[::]:80")}, id="--listen"),
        pytest.param("host = 0.0.0.0", {"port": 81}, id="--port, which leaves the host"),
    ],
)
def test_a_console_does_not_start_where_others_reach_it(
    site: Callable[..., Path], server: str, wishes: dict[str, object]
) -> None:
    with pytest.raises(ConfigError, match="opens a prompt that runs any code"):
        launch(site("console = true", server), **wishes).check()


@pytest.mark.parametrize(
    ("errors", "server", "wishes"),
    [
        pytest.param("console = true", "host = 127.0.0.1", {}, id="at home"),
        pytest.param("console = true", "host = 127.0.0.1", {"port": 0}, id="at home, by --port"),
        pytest.param("console = true", "host = 0.0.0.0", {"host": "127.0.0.1"}, id="--host takes it home"),
        pytest.param("console = true\nconsole_anywhere = true", "host = 0.0.0.0", {}, id="it was meant"),
        pytest.param("debug = true", "host = 0.0.0.0", {}, id="without a console"),
    ],
)
def test_everything_else_starts(site: Callable[..., Path], errors: str, server: str, wishes: dict[str, object]) -> None:
    launch(site(errors, server), **wishes).check()


def test_workers_of_the_command_line_count(site: Callable[..., Path]) -> None:
    made = launch(site("debug = true\nconsole = true\ninbox = e.sqlite"), server_options={"workers": "3"})
    made.check()
    (said,) = [each for each in made.warnings if each.code == "surroundings"]
    assert "workers = 3" in said.what


@pytest.mark.slow
def test_serve_refuses_and_says_what_to_write(site: Callable[..., Path]) -> None:
    path = site("console = true")
    command = [sys.executable, "-m", "wheatpaste", "serve", str(path), "--listen", "0.0.0.0:0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "console_anywhere = true, if it has to be" in done.stderr
    assert "Traceback" not in done.stderr

"""The error filters of Paste and WebError: sections of old files, loaded as they are."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheatpaste import loadapp
from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.errors import old_names
from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.scripts.main import main
from wheatpaste.testing import Client

PASTE = ["egg:Paste#error_catcher", "egg:Paste#evalerror", "egg:Paste#cgitb"]
WEBERROR = ["egg:WebError", "egg:WebError#main", "egg:WebError#error_catcher", "egg:WebError#evalerror"]

SITE = """
    [DEFAULT]
    {globals}

    [app:main]
    use = call:{module}:failing
    filter-with = errors

    [filter:errors]
    use = {use}
    {options}
"""


class Pager:
    """A reporter of somebody's, made without arguments."""

    def report(self, record: Any) -> None:
        """Nothing is done with it here."""


def failing(global_conf: dict[str, str], **local_conf: str) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError("boom")

    return app


Load = Callable[..., CatchErrors]


@pytest.fixture
def load(write_ini: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads a file with a filter of this name and these lines, by our loader."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))

    def loaded(use: str, *options: str, globals: str = "") -> CatchErrors:
        text = SITE.format(use=use, options="\n    ".join(options), globals=globals, module=Path(__file__).stem)
        app = loadapp(f"config:{write_ini(text)}")
        assert isinstance(app, CatchErrors)
        return app

    return loaded


def warnings(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)


@pytest.mark.parametrize("use", PASTE + WEBERROR)
def test_an_old_name_catches_errors(use: str, load: Load) -> None:
    response = Client(load(use), lint=True).get("/")
    assert response.status == 500
    assert response.headers["X-Error-ID"]


@pytest.mark.parametrize("use", PASTE + WEBERROR)
def test_an_unknown_key_is_named_and_does_not_stop_the_start(
    use: str, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    load(use, "colour_scheme = green")
    assert "[filter:errors] colour_scheme: no such option" in warnings(caplog)


# What each key of an old section comes to -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "name", "value"),
    [
        pytest.param("debug = true", "debug", True, id="debug"),
        pytest.param("error_email = a@x.org b@y.org", "error_email", ("a@x.org", "b@y.org"), id="error_email"),
        pytest.param("show_exceptions_in_wsgi_errors = on", "show_exceptions_in_wsgi_errors", True, id="show"),
        pytest.param("from_address = shop@x.org", "from_address", "shop@x.org", id="from_address"),
        pytest.param("smtp_server = mail:2525", "smtp_server", "mail:2525", id="smtp_server"),
        pytest.param("smtp_username = ada", "smtp_username", "ada", id="smtp_username"),
        pytest.param("smtp_password = hush-hush", "smtp_password", "hush-hush", id="smtp_password"),
        pytest.param("smtp_use_tls = true", "smtp_use_tls", True, id="smtp_use_tls"),
        pytest.param("error_subject_prefix = [shop]", "error_subject_prefix", "[shop]", id="error_subject_prefix"),
        pytest.param("error_message = We are sorry.", "error_message", "We are sorry.", id="error_message"),
        pytest.param("xmlhttp_key = ajax", "xmlhttp_key", "ajax", id="xmlhttp_key"),
    ],
)
@pytest.mark.parametrize("use", ["egg:Paste#error_catcher", "egg:WebError#error_catcher"])
def test_a_key_of_the_section_means_what_it_meant(use: str, option: str, name: str, value: Any, load: Load) -> None:
    assert getattr(load(use, option), name) == value


def test_a_log_stands_beside_its_file(load: Load, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load("egg:Paste#error_catcher", "error_log = errors.log").error_log == tmp_path / "errors.log"
    assert "one line of JSON for each error" in warnings(caplog)


@pytest.mark.parametrize(
    ("globals", "name", "value"),
    [
        pytest.param("debug = true", "debug", True, id="debug"),
        pytest.param("error_email = a@x.org", "error_email", ("a@x.org",), id="error_email"),
        pytest.param("admin_email = a@x.org", "error_email", ("a@x.org",), id="admin_email"),
        pytest.param("webmaster_email = a@x.org", "error_email", ("a@x.org",), id="webmaster_email"),
        pytest.param("sysadmin_email = a@x.org", "error_email", ("a@x.org",), id="sysadmin_email"),
        pytest.param(
            "sysadmin_email = c@x.org\n    error_email =\n    admin_email = a@x.org",
            "error_email",
            ("a@x.org",),
            id="the first that says something",
        ),
        pytest.param(
            "admin_email = a@x.org\n    error_email = b@x.org", "error_email", ("b@x.org",), id="its own first"
        ),
        pytest.param("error_from_address = shop@x.org", "from_address", "shop@x.org", id="error_from_address"),
        pytest.param("smtp_server = mail", "smtp_server", "mail", id="smtp_server"),
        pytest.param("smtp_password = hush-hush", "smtp_password", "hush-hush", id="smtp_password"),
        pytest.param("smtp_use_tls = true", "smtp_use_tls", True, id="smtp_use_tls"),
        pytest.param("error_message = Sorry.", "error_message", "Sorry.", id="error_message"),
        pytest.param("show_exceptions_in_wsgi_errors = 1", "show_exceptions_in_wsgi_errors", True, id="show"),
        pytest.param("xmlhttp_key = ajax", "xmlhttp_key", "ajax", id="xmlhttp_key"),
    ],
)
@pytest.mark.parametrize("use", ["egg:Paste#error_catcher", "egg:WebError#error_catcher"])
def test_a_key_of_default_counts_where_the_section_is_silent(
    use: str, globals: str, name: str, value: Any, load: Load
) -> None:
    assert getattr(load(use, globals=globals), name) == value


def test_the_section_beats_default(load: Load) -> None:
    filter = load("egg:Paste#error_catcher", "error_email = a@x.org", globals="admin_email = b@x.org")
    assert filter.error_email == ("a@x.org",)
    silent = load("egg:Paste#error_catcher", "error_email =", globals="admin_email = b@x.org")
    assert silent.error_email == ()


def test_other_names_of_addresses_are_paste_s_alone(write_ini: Callable[..., Path], load: Load) -> None:
    assert load("egg:wheatpaste#errors", globals="admin_email = a@x.org").error_email == ()


DEFAULTS = {
    "debug": False,
    "error_email": (),
    "error_log": None,
    "show_exceptions_in_wsgi_errors": False,
    "from_address": "errors@localhost",
    "smtp_server": "localhost",
    "smtp_username": None,
    "smtp_password": None,
    "smtp_use_tls": False,
    "error_subject_prefix": "",
    "error_message": None,
    "xmlhttp_key": "_",
    "console": False,
}


@pytest.mark.parametrize(
    ("use", "changed"),
    [
        pytest.param("egg:Paste#error_catcher", {}, id="error_catcher"),
        pytest.param("egg:Paste#evalerror", {"debug": True}, id="evalerror"),
        pytest.param("egg:Paste#cgitb", {"xmlhttp_key": None}, id="cgitb"),
        pytest.param("egg:WebError", {}, id="WebError"),
        pytest.param("egg:WebError#error_catcher", {}, id="WebError's error_catcher"),
        pytest.param("egg:WebError#evalerror", {"debug": True}, id="WebError's evalerror"),
    ],
)
def test_defaults_are_the_old_ones_or_safe(use: str, changed: dict[str, Any], load: Load) -> None:
    filter = load(use)
    assert {name: getattr(filter, name) for name in DEFAULTS} == DEFAULTS | changed


def test_weberror_sends_from_the_first_address(load: Load) -> None:
    assert load("egg:WebError", "error_email = a@x.org b@x.org").from_address == "a@x.org"
    assert load("egg:WebError", "error_email = a@x.org", "from_address = c@x.org").from_address == "c@x.org"
    assert (
        load("egg:WebError", "error_email = a@x.org", globals="error_from_address = d@x.org").from_address == "d@x.org"
    )


@pytest.mark.parametrize("form", ["{}.Pager", "{}:Pager"], ids=["with dots", "with a colon"])
def test_weberror_s_reporters_are_named_with_dots_too(form: str, load: Load, caplog: pytest.LogCaptureFixture) -> None:
    filter = load("egg:WebError#evalerror", f"reporters = {form.format(Path(__file__).stem)}")
    assert filter.reporters == (f"{Path(__file__).stem}:Pager",)
    assert "not WebError's exc_data" in warnings(caplog)


@pytest.mark.parametrize(
    ("reporter", "what"),
    [
        pytest.param("nowhere.at_all.Pager", "cannot be imported", id="that is missing"),
        pytest.param("logging.LogRecord", "required positional arguments", id="that cannot be made"),
        pytest.param("collections.OrderedDict", "has no report(record)", id="that is none"),
        pytest.param("Pager", "must have the form module:object", id="without a module"),
        pytest.param("shop.alerts.Pager()", "must have the form module:object", id="a call"),
    ],
)
def test_a_reporter_that_is_wrong_stops_the_start(reporter: str, what: str, load: Load) -> None:
    with pytest.raises((ConfigError, TypeError), match=re.escape(what)):
        load("egg:WebError", f"reporters = {reporter}")


def test_cgitb_s_keys(load: Load, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    filter = load("egg:Paste#cgitb", "display = true", "logdir = logs", "context = 9", "format = html")
    assert (filter.debug, filter.context) == (True, 4)
    assert filter.error_log == tmp_path / "logs" / "errors.jsonl"
    assert "errors.jsonl" in warnings(caplog)
    assert "format: does nothing: each client gets the form" in warnings(caplog)
    assert load("egg:Paste#cgitb", globals="debug = true").debug
    assert not load("egg:Paste#cgitb", "display = false", globals="debug = true").debug


@pytest.mark.parametrize(("text", "debug"), [("true", True), ("false", False)])
def test_interactive_shows_the_page_and_opens_no_prompt(
    text: str, debug: bool, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    filter = load("egg:WebError", f"interactive = {text}")
    assert (filter.debug, filter.console) == (debug, False)
    assert ("`console = true`" in warnings(caplog)) is debug


def test_a_prefix_of_debug_urls_is_where_errors_are_kept(load: Load) -> None:
    assert load("egg:WebError#evalerror", "debug_url_prefix = a/_debug").path == "/a/_debug"


@pytest.mark.parametrize(
    "key",
    ["error_template_filename", "media_paths", "templating_formatters", "head_html", "footer_html", "libraries"],
)
def test_what_changed_the_old_page_is_explained(key: str, load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load("egg:WebError#evalerror", f"{key} = something")
    assert f"[filter:errors] {key}: does nothing: " in warnings(caplog)


def test_users_are_not_told_the_reason(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    filter = load("egg:WebError#error_catcher", "show_error_reason = true")
    assert "boom" not in Client(filter, peer="10.0.0.1").get("/").text
    assert "allow_peers" in warnings(caplog)


# What was a hole ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", PASTE + WEBERROR)
def test_details_are_for_this_machine_and_a_warning_says_what_widens_that(
    use: str, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    load(use, globals="debug = true")
    told = [record.getMessage() for record in caplog.records if "allow_peers" in record.getMessage()]
    assert len(told) == 1
    assert "site.ini:" in told[0]


def test_who_has_widened_it_is_not_warned(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load("egg:Paste#error_catcher", "debug = true", "allow_peers = 10.0.0.0/8")
    assert warnings(caplog) == ""


@pytest.mark.parametrize("use", ["egg:Paste#evalerror", "egg:WebError#evalerror"])
def test_the_prompt_is_off_and_a_warning_names_its_key(use: str, load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load(use, "allow_peers = 127.0.0.1")
    assert "`console = true`" in warnings(caplog)


def test_evalerror_obeys_a_site_that_has_debug_off(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    assert load("egg:Paste#evalerror", globals="debug = false").debug is False
    assert "console" not in warnings(caplog)


def test_markup_in_the_message_is_text_and_named(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load("egg:Paste#error_catcher", "error_message = <b>Sorry</b>")
    assert "error_message: is shown as plain text" in warnings(caplog)


def test_a_password_in_clear_is_named(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load("egg:Paste#error_catcher", "smtp_password = hush-hush")
    assert "`smtp_use_tls = true`" in warnings(caplog)
    assert "hush-hush" not in warnings(caplog)


@pytest.mark.parametrize("name", ["paste_error_catcher", "paste_evalerror", "paste_cgitb"])
def test_a_quiet_section_is_quiet(name: str) -> None:
    reading = getattr(old_names, name).reader.read({"debug": "false"} if name != "paste_cgitb" else {}, {})
    assert reading.problems == []


@pytest.mark.parametrize(("aliases", "warned"), [("on", False), ("off", True)])
def test_check_knows_whose_debugger_it_is(
    aliases: str, warned: bool, write_ini: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_ini(f"""
        [app:main]
        use = egg:wheatpaste#echo
        filter-with = errors

        [filter:errors]
        use = egg:Paste#evalerror

        [server:main]
        use = egg:wheatpaste#main
        host = 0.0.0.0

        [wheatpaste]
        aliases = {aliases}
        """)
    main(["check", str(path)])
    assert ("this debugger runs code for whoever opens it" in capsys.readouterr().out) is warned

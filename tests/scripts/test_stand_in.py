"""Another server in the place of the one that a file was written for."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.config.check import check_file
from wheatpaste.config.options import OptionError, options_of
from wheatpaste.config.problems import ConfigError, Problem
from wheatpaste.scripts.launch import Launch, Wishes
from wheatpaste.scripts.target import find_target
from wheatpaste.server.foreign import cheroot_server, granian_server, gunicorn_server, waitress_server
from wheatpaste.server.http_server import HTTPServer

MODULES = {
    "waitress": waitress_server,
    "gunicorn": gunicorn_server,
    "cheroot": cheroot_server,
    "granian": granian_server,
}

Choose = Callable[..., tuple[Any, list[Problem]]]


@pytest.fixture
def choose(write_ini: Callable[..., Path]) -> Choose:
    """The server that ``--server NAME`` comes to for a file with these lines in [server:main], and the warnings."""

    def choose(name: str, lines: str, *, use: str = "egg:wheatpaste#main", **wishes: Any) -> tuple[Any, list[Problem]]:
        text = textwrap.dedent(lines).strip()
        path = write_ini(f"[app:main]\nuse = egg:wheatpaste#echo\n\n[server:main]\nuse = {use}\n{text}\n")
        for certificate in ("site.pem", "a.pem", "b.pem"):
            (path.parent / certificate).touch()
        launch = Launch(find_target(str(path)), Wishes(server_type=name, **wishes))
        launch.load()
        launch.check()
        return launch.listening().component, launch.warnings

    return choose


@pytest.mark.parametrize("name", MODULES)
def test_it_takes_over_what_both_know(name: str, choose: Choose) -> None:
    server, warnings = choose(
        name,
        """
        listen = 127.0.0.1:8123
        threads = 5
        max_body = 2MB
        drain_timeout = 7s
        trusted_proxies = 10.0.0.0/8 unix
        url_prefix = /site
        """,
    )
    assert server.listen == ("127.0.0.1:8123",)
    assert (server.threads, server.max_body, server.drain_timeout) == (5, 2 * 1024**2, 7)
    assert (server.trusted_proxies, server.url_prefix) == (("10.0.0.0/8", "unix"), "/site")
    assert warnings == []


def test_it_takes_over_keys_of_older_servers_by_what_they_mean(choose: Choose) -> None:
    server, warnings = choose(
        "gunicorn",
        """
        threadpool_workers = 3
        channel_timeout = 9
        ssl_pem = site.pem
        """,
        use="egg:Paste#http",
    )
    assert (server.threads, server.keep_alive_timeout) == (3, 9)
    assert [path.name for path in server.tls_certificate] == ["site.pem"]
    assert [str(each.message) for each in warnings] == [
        "[server:main] channel_timeout: sets write_timeout, which does nothing: gunicorn has nothing like it"
    ]


def test_it_takes_over_a_secret_from_where_it_is_kept(choose: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_PASSWORD", "swordfish")
    server, warnings = choose("gunicorn", "tls_certificate = site.pem\ntls_password_env = KEY_PASSWORD")
    assert server.tls_password == "swordfish"
    assert "swordfish" not in repr(server) + repr(warnings)


def test_it_reads_paths_as_seen_from_the_file(choose: Choose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    server, _ = choose("cheroot", "unix_socket = run/site.sock")
    assert server.unix_socket == tmp_path / "run" / "site.sock"


@pytest.mark.parametrize("name", MODULES)
def test_it_names_each_key_without_effect_once_with_its_line(name: str, choose: Choose, tmp_path: Path) -> None:
    _, warnings = choose(name, "port = 0\nhealth_paths = /health\nrequire_host = false")
    assert [(each.line, each.key, each.severity) for each in warnings] == [
        (7, "health_paths", "warning"),
        (8, "require_host", "warning"),
    ]
    assert {each.file for each in warnings} == {str(tmp_path / "site.ini")}
    assert all(each.what.startswith("does nothing: ") for each in warnings)


@pytest.mark.parametrize(
    ("name", "line", "fix"),
    [
        ("waitress", "tls = dev", "put a proxy in front"),
        ("waitress", "tls_certificate = site.pem", "put a proxy in front"),
        ("granian", "tls = dev", "name one in tls_certificate"),
        ("granian", "tls_certificate = a.pem\n    b.pem", "one certificate"),
        ("cheroot", "threads = many", "whole number"),
    ],
)
def test_it_does_not_start_with(name: str, line: str, fix: str, choose: Choose) -> None:
    with pytest.raises(ConfigError, match=fix) as refused:
        choose(name, line)
    (problem,) = refused.value.problems
    assert (problem.line, problem.key) == (6, line.split(" ")[0])


def test_the_command_line_goes_before_the_file(choose: Choose) -> None:
    server, _ = choose("gunicorn", "host = 127.0.0.1\nport = 8123\nthreads = 5", port=0, threads=2)
    assert (server.host, server.port, server.threads) == ("127.0.0.1", 0, 2)


def test_of_a_section_for_another_server_it_takes_the_address(choose: Choose) -> None:
    server, warnings = choose("cheroot", "host = 127.0.0.1\nport = 8123\nworker_class = sync", use="egg:gunicorn#main")
    assert (server.host, server.port, warnings) == ("127.0.0.1", 8123, [])


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_every_option_of_ours_has_an_effect_or_a_reason(module: Any) -> None:
    reader = module.server_runner.reader
    known = {option.name for option in reader.options}
    without = {*reader.ignored, *reader.refused}
    assert known | without == {option.name for option in options_of(HTTPServer)}
    assert not known & without
    for option in reader.options:
        (declared,) = (each for each in options_of(HTTPServer) if each.name == option.name)
        assert (option.default, option.doc, option.kind) == (declared.default, declared.doc, declared.kind)


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_what_surprises_with_our_own_server_is_said_of_the_others(module: Any) -> None:
    (problem,) = module.server_runner.reader.read({"trusted_proxies": "*"}, {}).problems
    assert (problem.key, problem.severity) == ("trusted_proxies", "warning")


@pytest.mark.parametrize(
    ("name", "key", "right", "wrong"),
    [("gunicorn", "max_request_line", "8190", "16KB"), ("granian", "max_request_head", "8KB", "4000")],
)
def test_a_limit_that_the_other_server_cannot_keep_is_named(name: str, key: str, right: str, wrong: str) -> None:
    reader = MODULES[name].server_runner.reader
    assert reader.read({key: right}, {}).problems == []
    (problem,) = reader.read({key: wrong}, {}).problems
    assert (problem.key, problem.severity) == (key, "warning")


@pytest.mark.parametrize("name", ["gunicorn", "cheroot", "granian"])
def test_it_says_how_to_install_what_is_not_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    server = MODULES[name].server_runner.make({}, port="0")
    with pytest.raises(OptionError, match=f"{name} is not installed; run: pip install {name}"):
        server.bind()


@pytest.mark.parametrize("name", ["cheroot", "granian"])
def test_several_addresses_are_too_many_for(name: str) -> None:
    server = MODULES[name].server_runner.make({}, listen="127.0.0.1:0 [::1]:0")
    with pytest.raises(OptionError, match=f"listen: {name} listens on one address"):
        server.bind()


@pytest.mark.parametrize("use", ["egg:nosuchserver#main", "egg:wheatpaste#granian"])
@pytest.mark.parametrize("name", ["main", "waitress"])
def test_the_server_of_the_file_need_not_be_installed(
    name: str, use: str, choose: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", _all_but("granian"))
    server, warnings = choose(name, "host = 127.0.0.1\nport = 8123", use=use)
    assert [str(each) for each in server.addresses()] == ["127.0.0.1:8123"]
    assert [(each.severity, "installed" in each.what) for each in warnings] == [("warning", True)]


@pytest.mark.parametrize("name", ["gunicorn", "cheroot", "granian"])
def test_a_check_tells_which_package_a_server_needs(
    name: str, write_ini: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_ini(f"[app:main]\nuse = egg:wheatpaste#echo\n[server:main]\nuse = egg:wheatpaste#{name}\n")
    assert check_file(str(path)) == []
    monkeypatch.setattr(importlib.util, "find_spec", _all_but(name))
    (problem,) = check_file(str(path))
    assert (problem.severity, problem.what) == ("error", f"{name} is not installed")
    assert problem.fix == f"run: pip install {name}"


def _all_but(package: str) -> Callable[..., Any]:
    """``find_spec`` of an environment in which the package is not installed."""
    find = importlib.util.find_spec
    return lambda name, *rest: None if name == package else find(name, *rest)

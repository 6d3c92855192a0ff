"""The options of the server on the command line of ``serve``."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from wheatpaste.config.options import options_of
from wheatpaste.config.problems import ConfigError
from wheatpaste.scripts import serve
from wheatpaste.scripts.launch import Launch, Wishes
from wheatpaste.scripts.server_options import server_options
from wheatpaste.scripts.target import find_target
from wheatpaste.server.http_server import HTTPServer, server_runner


def read(*words: str) -> dict[str, str]:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    serve.arguments(parser)
    return server_options(parser.parse_intermixed_args(["site.ini", *words]))


@pytest.mark.parametrize(
    ("words", "given"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param(["--max-body", "16MB"], {"max_body": "16MB"}, id="a value"),
        pytest.param(["--max-body=1", "--max-body=2"], {"max_body": "2"}, id="the last of two"),
        pytest.param(
            ["--workers", "auto", "--tls", "dev"], {"workers": "auto", "tls": "dev"}, id="what the help shows"
        ),
        pytest.param(["--reuse-port"], {"reuse_port": "true"}, id="a switch"),
        pytest.param(["--no-ipv6"], {"ipv6": "false"}, id="a switch turned off"),
        pytest.param(
            ["--trusted-proxies", "10.0.0.1 10.0.0.2", "--trusted-proxies", "unix"],
            {"trusted_proxies": "10.0.0.1 10.0.0.2\nunix"},
            id="lists, together",
        ),
        pytest.param(["--tls-certificate=/a b", "--tls-certificate=/c"], {"tls_certificate": "/a b\n/c"}, id="paths"),
    ],
)
def test_words_become_texts_as_in_an_ini(words: list[str], given: dict[str, str]) -> None:
    assert read(*words) == given


def test_paths_are_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read("--unix-socket", "x.sock") == {"unix_socket": str(tmp_path / "x.sock")}


def test_every_option_can_be_given_but_secrets() -> None:
    parser = argparse.ArgumentParser()
    serve.arguments(parser)
    words = {word for action in parser._actions for word in action.option_strings}
    for option in options_of(HTTPServer):
        assert (f"--{option.name.replace('_', '-')}" in words) is not option.secret


def test_a_flag_before_the_target_takes_no_word() -> None:
    parser = argparse.ArgumentParser()
    serve.arguments(parser)
    assert parser.parse_intermixed_args(["--reuse-port", "site.ini"]).target == "site.ini"


class TestOverAFile:
    def launch(self, tmp_path: Path, section: str, **options: str) -> HTTPServer:
        (tmp_path / "site.ini").write_text(
            f"[app:main]\nuse = egg:wheatpaste#echo\n[server:main]\nuse = egg:wheatpaste\n{section}"
        )
        launch = Launch(find_target(str(tmp_path / "site.ini")), Wishes(server_options=options))
        launch.load()
        component = launch.listening().component
        assert isinstance(component, HTTPServer)
        return component

    def test_the_command_line_wins(self, tmp_path: Path) -> None:
        assert self.launch(tmp_path, "max_body = 5\n", max_body="6").max_body == 6

    def test_it_wins_over_other_spellings(self, tmp_path: Path) -> None:
        assert self.launch(tmp_path, "max_request_body_size = 5\n", max_body="6").max_body == 6

    def test_it_wins_over_keys_of_other_servers(self, tmp_path: Path) -> None:
        server = self.launch(tmp_path, "channel_timeout = 5\n", write_timeout="6")
        assert (server.keep_alive_timeout, server.write_timeout) == (5, 6)

    def test_a_mistake_names_the_option(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="workers") as caught:
            self.launch(tmp_path, "", workers="many")
        assert caught.value.problems[0].file is None


def test_a_mistake_names_the_word_where_there_is_no_file() -> None:
    launch = Launch(find_target("wsgiref.simple_server:demo_app"), Wishes(server_options={"max_body": "much"}))
    launch.load()
    with pytest.raises(ConfigError, match="must be a size") as caught:
        launch.listening()
    assert caught.value.problems[0].key == "--max-body"


def test_the_port_of_tls_is_its_own_unless_one_is_said() -> None:
    launch = Launch(
        find_target("wsgiref.simple_server:demo_app"), Wishes(host="127.0.0.2", server_options={"tls": "dev"})
    )
    launch.load()
    assert [str(address) for address in launch.listening().addresses] == ["127.0.0.2:4443"]


def test_the_runner_reads_what_the_words_say() -> None:
    assert server_runner.make({}, **read("--workers=2", "--no-sendfile")).workers == 2

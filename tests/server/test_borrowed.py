"""What all servers of others share: options of ours, and sockets that come and go."""

from __future__ import annotations

import ast
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from wheatpaste.config.options import OptionError, options_of
from wheatpaste.server.foreign.borrowed import EVERYWHERE, TLS, borrows
from wheatpaste.server.foreign.cheroot_server import CherootServer
from wheatpaste.server.foreign.granian_server import GranianServer
from wheatpaste.server.foreign.gunicorn_server import GunicornServer
from wheatpaste.server.foreign.waitress_server import WaitressServer
from wheatpaste.server.http_server import HTTPServer


def say(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"here"]


class Began(Exception):
    """Ends a server that has just begun to serve."""


def test_what_is_borrowed_must_be_there() -> None:
    with pytest.raises(KeyError, match="no_such_option"):
        borrows("threads", "no_such_option")


def read_in(module: Any) -> set[str]:
    """The options that the code of a module reads in ``self.ours``."""
    found = {node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Attribute)}
    read = {each.attr for each in found if ast.unparse(each.value) in ("ours", "self.ours")}
    return read & {option.name for option in options_of(HTTPServer)}


@pytest.mark.parametrize("server", [CherootServer, GranianServer, GunicornServer, WaitressServer])
def test_what_is_borrowed_is_read_and_nothing_else_by(server: type) -> None:
    taken = {option.name for option in options_of(server)}
    read = read_in(sys.modules[server.__module__])
    assert read <= taken  # of another one there is only the default
    assert taken - {*EVERYWHERE, *TLS} <= read  # these are read by our own server and by what stands before the app


def test_what_cannot_stand_together_is_said_in_the_name_of_the_server_that_was_made() -> None:
    with pytest.raises(OptionError, match="^GunicornServer: port: cannot stand beside listen"):
        GunicornServer(listen=("127.0.0.1:0",), port=0)


@pytest.mark.parametrize("opens", [True, False], ids=["by the server", "before it"])
def test_the_file_of_a_socket_goes_with_whoever_opened_it(opens: bool, tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    server = CherootServer(unix_socket=path)
    sockets = None if opens else server.bind()

    def began(urls: Sequence[str]) -> None:
        assert path.exists()
        raise Began

    with pytest.raises(Began):
        server.serve(say, sockets=sockets, started=began)
    assert path.exists() is not opens
    for each in sockets or ():
        each.close()


def test_sockets_of_systemd_are_taken_by_nobody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")

    def began(urls: Sequence[str]) -> None:
        assert "LISTEN_FDS" not in os.environ
        raise Began

    with pytest.raises(Began):
        CherootServer(unix_socket=tmp_path / "site.sock").serve(say, started=began)


def test_a_certificate_that_granian_cannot_read_where_it_serves_is_named(tmp_path: Path) -> None:
    path = tmp_path / "site.pem"
    trustme.CA().issue_cert("bakery.example").private_key_and_cert_chain_pem.write_to_path(str(path))
    server = GranianServer(port=0, tls_certificate=(path,))
    server.prepare()
    path.unlink()
    with pytest.raises(OptionError, match="^GranianServer: tls_certificate: cannot be read once more") as refused:
        server.serve(say)
    assert "No such file" in refused.value.what

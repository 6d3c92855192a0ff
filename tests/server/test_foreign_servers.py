"""Servers of others, started from a file that was written for ours."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from demo_server import DEMO
from hosted_site import visit, write_site
from running_server import RunningServer, poll

pytestmark = pytest.mark.slow

SERVERS = ("waitress", "gunicorn", "cheroot", "granian")
WITH_TLS = ("gunicorn", "cheroot", "granian")
WITH_WORKERS = ("gunicorn", "granian")

Start = Callable[..., RunningServer]


@pytest.fixture
def start(running_server: Start, tmp_path: Path) -> Start:
    """Serves the site through a server: ``start("gunicorn", workers="2")``."""

    def start(name: str, *words: str, **options: str) -> RunningServer:
        return running_server(write_site(tmp_path, **options), "--server", name, *words)

    return start


def who(server: RunningServer, path: str = "/who", **headers: str) -> dict[str, Any]:
    """The environ of a request, as far as it is text."""
    answer = server.request(
        "GET", path, timeout=30, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
    assert answer.status == 200, answer.text
    found: dict[str, Any] = json.loads(answer.body)
    return found


@pytest.mark.parametrize("name", SERVERS)
def test_the_site_is_served_by(name: str, start: Start) -> None:
    server = start(name)
    visit(server)
    assert server.stop() == 0, server.log()


@pytest.mark.parametrize("name", SERVERS)
def test_the_demo_is_served_by(name: str, running_server: Start, tmp_path: Path) -> None:
    server = running_server(DEMO, "--server", name, f"state={tmp_path}")
    for mount in ("/", "/guestbook/", "/library/", "/wiki/", "/poll/", "/clock/", "/hello/"):
        assert server.request("GET", mount).status in (200, 302), mount
    page = server.request("GET", "/").text
    style = re.search(r'href="(/?[^"]+\.css)"', page)
    assert style is not None
    assert server.request("GET", "/" + style[1].lstrip("/")).headers["Content-Type"].startswith("text/css")


@pytest.mark.parametrize("name", SERVERS)
def test_a_stop_lets_a_running_request_finish_through(name: str, start: Start, tmp_path: Path) -> None:
    server = start(name)
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(server.request("GET", "/slow", timeout=30)), daemon=True)
    asking.start()
    poll((tmp_path / "began").exists, 30, server.log)
    stopping = threading.Thread(target=server.stop, daemon=True)
    stopping.start()
    stopping.join(1)  # it must not end yet
    assert server.returncode is None, server.log()
    (tmp_path / "go").touch()
    asking.join(20)
    stopping.join(20)
    assert [(each.status, each.text) for each in answers] == [(200, "slow")], server.log()
    assert server.returncode == 0, server.log()


@pytest.mark.parametrize("name", SERVERS)
def test_ctrl_c_ends(name: str, start: Start) -> None:
    server = start(name)
    assert server.request("GET", "/").status == 200
    assert server.stop(signal.SIGINT) in (0, 130), server.log()
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("name", SERVERS)
def test_an_app_that_calls_sys_exit_ends_one_request_of(name: str, start: Start) -> None:
    server = start(name)
    for _ in range(2):
        assert server.request("GET", "/exits").status == 500
    assert server.request("GET", "/").status == 200


@pytest.mark.parametrize("name", SERVERS)
def test_forwarding_headers_of_anybody_are_removed_by(name: str, start: Start) -> None:
    found = who(start(name), X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https", Forwarded="for=203.0.113.9")
    assert found["REMOTE_ADDR"] == found["wheatpaste.peer"] == "127.0.0.1"
    assert found["wsgi.url_scheme"] == "http"
    assert [key for key in found if "FORWARDED" in key] == []


@pytest.mark.parametrize("name", SERVERS)
def test_a_trusted_proxy_is_believed_by(name: str, start: Start) -> None:
    server = start(name, trusted_proxies="127.0.0.1")
    found = who(server, X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https")
    assert found["REMOTE_ADDR"] == "203.0.113.9"
    assert found["wsgi.url_scheme"] == "https"
    assert found["wheatpaste.peer"] == "127.0.0.1"


@pytest.mark.parametrize("name", SERVERS)
def test_names_and_prefixes_are_taken_over_by(name: str, start: Start) -> None:
    server = start(name, url_prefix="/bakery", url_scheme="https", server_name="bakery.example")
    found = who(server, "/bakery/who")
    assert found["SCRIPT_NAME"].startswith("/bakery")
    assert (found["wsgi.url_scheme"], found["SERVER_NAME"]) == ("https", "bakery.example")


@pytest.mark.parametrize("name", ["waitress", "gunicorn", "cheroot"])
def test_a_header_with_an_underscore_is_dropped_by(name: str, start: Start) -> None:
    server = start(name)
    head = b"GET /who HTTP/1.1\r\nHost: x\r\nX_User: admin\r\nX-User: guest\r\nConnection: close\r\n\r\n"
    assert b'"HTTP_X_USER": "guest"' in server.raw(head)


@pytest.mark.parametrize("name", SERVERS)
def test_a_body_that_is_too_large_is_refused_by(name: str, start: Start) -> None:
    server = start(name, max_body="10KB")
    assert server.request("POST", "/size", body=b"x" * 10240).text == "10240"
    assert server.request("POST", "/size", body=b"x" * 10241).status == 413


def chunked(server: RunningServer, size: int) -> int:
    """Send a chunked body of this size; returns the status."""
    head = b"POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    # All of it at once: whoever refuses it in the middle may close before the rest is sent.
    reply = server.raw(head + b"400\r\n%b\r\n" % (b"x" * 1024) * (size // 1024) + b"0\r\n\r\n")
    return int(reply.split(b" ")[1])


@pytest.mark.parametrize("name", SERVERS)
def test_a_chunked_body_that_is_too_large_is_refused_by(name: str, start: Start) -> None:
    server = start(name, max_body="10KB")
    assert chunked(server, 8 * 1024) == 200
    assert chunked(server, 12 * 1024) == 413


@pytest.mark.parametrize(
    "end", [b"0\r\n\r\n", b"0\r\nX-Trailer: GET /exits HTTP/1.1\r\n\r\n"], ids=["", "with trailers"]
)
@pytest.mark.parametrize("path", ["/size", "/who"], ids=["read", "left unread"])
@pytest.mark.parametrize("name", SERVERS)
def test_a_chunked_body_is_never_taken_for_a_request_by(name: str, path: str, end: bytes, start: Start) -> None:
    server = start(name)
    inner = b"POST /exits HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    first = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    body = b"%x\r\n%s\r\n" % (len(inner), inner) + end
    received = server.raw(first + body + b"GET /late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200")
    statuses = re.findall(rb"^HTTP/1\.1 (\d+)", received, re.MULTILINE)
    assert statuses in ([b"200"], [b"200", b"201"]), received


@pytest.mark.parametrize("name", WITH_WORKERS)
def test_several_processes_serve_through(name: str, start: Start) -> None:
    assert who(start(name, workers="2"))["wsgi.multiprocess"] is True


@pytest.mark.parametrize("name", WITH_WORKERS)
def test_workers_are_replaced_without_a_lost_request_by(name: str, start: Start) -> None:
    server = start(name)
    before = who(server)["pid"]
    os.kill(server.pid, signal.SIGHUP)
    poll(lambda: who(server)["pid"] != before, 30, server.log)


@pytest.mark.parametrize("name", WITH_WORKERS)
def test_a_worker_that_was_killed_is_replaced_by(name: str, start: Start) -> None:
    server = start(name)
    os.kill(before := who(server)["pid"], signal.SIGKILL)
    assert who(server)["pid"] != before


@pytest.mark.parametrize("name", SERVERS)
def test_a_unix_socket_is_served_and_removed_by(name: str, running_server: Start, tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    server = running_server(write_site(tmp_path), "--server", name, "--listen", f"unix:{path}", wait=False)
    server.wait_for(f"unix:{re.escape(str(path))}")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1."), received
    assert received.endswith(b"<p>front</p>")
    assert path.stat().st_mode & 0o777 == 0o600
    assert server.stop() == 0, server.log()
    assert not path.exists()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, trustme.CA]:
    authority = trustme.CA()
    path = tmp_path / "site.pem"
    authority.issue_cert("bakery.example").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path, authority


@pytest.mark.parametrize("name", WITH_TLS)
def test_tls_is_spoken_by(name: str, start: Start, certificate: tuple[Path, trustme.CA]) -> None:
    path, authority = certificate
    server = start(name, tls_certificate=str(path))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with (
        socket.create_connection(("127.0.0.1", server.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="bakery.example") as connection,
    ):
        connection.sendall(b"GET /who HTTP/1.1\r\nHost: bakery.example\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b'"wsgi.url_scheme": "https"' in received
    assert server.stop() == 0, server.log()


@pytest.mark.parametrize("name", ["waitress"])
def test_plain_http_is_not_spoken_where_the_file_says_tls_by(
    name: str, running_server: Start, tmp_path: Path, certificate: tuple[Path, trustme.CA]
) -> None:
    ini = write_site(tmp_path, tls_certificate=str(certificate[0]))
    server = running_server(ini, "--server", name, wait=False)
    server.wait_for("tls_certificate.*Waitress does not speak TLS")
    poll(lambda: server.returncode is not None, 30, server.log)
    assert server.returncode == 2


@pytest.mark.parametrize("name", SERVERS)
def test_what_has_no_effect_is_listed_with_its_line_by(name: str, start: Start, tmp_path: Path) -> None:
    server = start(name, hung_after="3s", max_waiting="9")
    text = (tmp_path / "site.ini").read_text().splitlines()
    line = text.index("hung_after = 3s") + 1
    assert re.search(rf"site\.ini:{line}: warning: \[server:main\] hung_after: does nothing: .", server.log())
    assert ("max_waiting" in server.log()) is (name != "cheroot")


@pytest.mark.parametrize("name", SERVERS)
def test_a_section_may_name(name: str, running_server: Start, tmp_path: Path) -> None:
    path = write_site(tmp_path)
    path.write_text(path.read_text().replace("egg:wheatpaste#main", f"egg:wheatpaste#{name}"))
    assert running_server(path).request("GET", "/late").status == 201


@pytest.mark.parametrize("name", SERVERS)
def test_a_change_reloads_the_app_of(name: str, start: Start, tmp_path: Path) -> None:
    server = start(name, "--reload")
    apps = tmp_path / "hosted_apps.py"
    apps.write_text(apps.read_text().replace("written ", "changed "))

    def is_changed() -> bool:
        try:
            return server.request("GET", "/written", timeout=60).text == "changed and returned"
        except OSError:
            return False  # not every server answers what it has taken before it is told to end

    poll(is_changed, 60, server.log)
    assert server.stop() == 0, server.log()

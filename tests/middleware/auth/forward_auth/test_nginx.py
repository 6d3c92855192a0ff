"""nginx asks whether requests may pass, configured as the documentation says."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prerequisites import lacking
from running_server import RunningServer, free_port

ROOT = Path(__file__).resolve().parents[4]
SITE = ROOT / "tests" / "_kit" / "auth_forward_site.py"

pytestmark = pytest.mark.slow

CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {locations}
    }}
    server {{
        listen 127.0.0.1:{app};
        location / {{
            set $who "user=$http_remote_user groups=$http_remote_groups";
            return 200 "$request_method $request_uri $who name=$http_remote_name email=$http_remote_email";
        }}
    }}
}}
"""


def documented() -> str:
    text = (ROOT / "docs" / "auth-proxies.md").read_text(encoding="utf-8")
    found = re.search(r"```nginx\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def nginx(running_server: Callable[..., RunningServer], tmp_path: Path) -> Iterator[RunningServer]:
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        lacking("nginx")
    site = running_server(argv=[sys.executable, str(SITE), "{port}"], cwd=SITE.parent)
    app, port = free_port(), free_port()
    locations = documented().replace("127.0.0.1:8080", f"127.0.0.1:{site.port}")
    locations = locations.replace("127.0.0.1:3000", f"127.0.0.1:{app}")
    conf = tmp_path / "nginx.conf"
    conf.write_text(CONFIGURATION.format(folder=tmp_path, port=port, app=app, locations=locations))
    server = RunningServer([program, "-c", str(conf), "-p", str(tmp_path), "-e", "stderr"], port=port)
    try:
        yield server.wait_until_ready()
    finally:
        server.kill()


def ask(nginx: RunningServer, target: str, *headers: str, method: str = "GET") -> tuple[int, str]:
    """The status and the whole reply to a request sent as it stands."""
    lines = (f"{method} {target} HTTP/1.1", "Host: wiki.example.org", "Connection: close", *headers)
    reply = nginx.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")).decode("latin-1")
    return int(reply.split(" ", 2)[1]), reply


def test_the_documented_configuration_lets_in_whom_the_rules_let_in(nginx: RunningServer) -> None:
    status, reply = ask(nginx, "/wiki?a=%2F", "Cookie: user=bob")
    assert status == 200
    assert reply.endswith("GET /wiki?a=%2F user=bob groups=dev,staff name=bob email=")
    assert "Set-Cookie: seen=bob" in reply
    assert ask(nginx, "/admin/", "Cookie: user=ada")[0] == 200
    assert ask(nginx, "/admin/", "Cookie: user=bob")[0] == 403
    assert ask(nginx, "/api/x", "Cookie: user=bob")[0] == 200
    assert ask(nginx, "/api/x", "Cookie: user=bob", "Content-Length: 0", method="POST")[0] == 403


def test_a_browser_is_sent_to_the_login_and_a_program_gets_the_challenge(nginx: RunningServer) -> None:
    status, reply = ask(nginx, "/wiki?a=1", "Accept: text/html")
    assert status == 303
    assert re.search(r"\r\nLocation: \S*/-/auth/login\?next=%2Fwiki%3Fa%3D1\r\n", reply)
    assert ask(nginx, "/-/auth/login")[0] == 200
    status, reply = ask(nginx, "/wiki", "Accept: application/json")
    assert status == 401
    assert 'WWW-Authenticate: Bearer realm="test"' in reply


def test_a_client_cannot_say_who_it_is(nginx: RunningServer) -> None:
    forged = [f"{name}: evil" for name in ("Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups")]
    forged += [each.replace("-", "_") for each in forged] + ["REMOTE_USER: evil"]
    assert "evil" not in ask(nginx, "/public/x", *forged)[1]
    assert "evil" not in ask(nginx, "/wiki", "Cookie: user=bob", *forged)[1]


@pytest.mark.parametrize(
    "headers",
    [
        ("X-Forwarded-Uri: /public/",),
        ("X-Original-URL: http://wiki.example.org/public/", "X-Original-Method: GET"),
        ("X-Original-URI: /public/", "X-Rewrite-URL: /public/"),
        ("X-Forwarded-Prefix: /public", "X-Forwarded-Host: evil.example"),
        ("X-HTTP-Method-Override: GET",),
        ("Forwarded: for=127.0.0.1;host=evil.example",),
        ("User-Agent: kube-probe/1.30",),
        ("Upgrade: websocket", "Connection: upgrade"),
    ],
    ids=lambda headers: headers[0],
)
def test_a_client_cannot_say_what_it_asks_for(headers: tuple[str, ...], nginx: RunningServer) -> None:
    assert ask(nginx, "/admin/", "Cookie: user=bob", *headers)[0] == 403
    assert ask(nginx, "/wiki", *headers)[0] == 401


@pytest.mark.parametrize(
    "target",
    [
        "/public/../admin/",
        "/public/%2e%2e/admin/",
        "/public/..%2fadmin/",
        "/public/..;/admin/",
        "//admin/",
        "/public//../admin/",
        "/public%2f..%2fadmin/",
        "/public/%252e%252e/admin/",
        "/public/\\..\\admin/",
        "/public/#/../../admin/",
        "/public/x#/admin/",
        "/./admin/",
        "/%61dmin/",
        "/admin%2f",
        "/%2561dmin/",
        "http://wiki.example.org/admin/",
        "http://evil.example/admin/",
    ],
)
def test_no_spelling_of_a_path_leads_past_its_rule(target: str, nginx: RunningServer) -> None:
    status, reply = ask(nginx, target, "Cookie: user=bob")
    if status == 200:
        assert target == "/%2561dmin/"  # another path to everybody: %61dmin
    else:
        assert status in (400, 403, 404)
    assert ask(nginx, target)[0] in (400, 401, 403, 404)


def test_an_escaped_number_sign_is_part_of_the_path(nginx: RunningServer) -> None:
    assert ask(nginx, "/public/%23/x")[0] == 200
    assert ask(nginx, "/wiki%23/public/")[0] == 401


def test_the_endpoint_is_not_there_for_clients(nginx: RunningServer) -> None:
    assert ask(nginx, "/-/auth/verify", "X-Original-URL: http://a/public/", "X-Original-Method: GET")[0] == 404


def test_nobody_passes_while_the_site_does_not_answer(
    running_server: Callable[..., RunningServer], tmp_path: Path
) -> None:
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        lacking("nginx")
    port, app = free_port(), free_port()
    locations = documented().replace("127.0.0.1:8080", f"127.0.0.1:{free_port()}")
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        CONFIGURATION.format(
            folder=tmp_path, port=port, app=app, locations=locations.replace("127.0.0.1:3000", f"127.0.0.1:{app}")
        )
    )
    server = RunningServer([program, "-c", str(conf), "-p", str(tmp_path), "-e", "stderr"], port=port)
    try:
        server.wait_until_ready()
        assert ask(server, "/public/")[0] == 500
    finally:
        server.kill()

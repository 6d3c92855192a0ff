"""The clients that people have, against a server as it is started: each gets what it asked for, in its own way."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h11
import pytest
import requests
import urllib3
from client_app import BLOB, STREAM, others_that_run, serve_client_app, status
from prerequisites import lacking
from raw_http import Wire
from running_server import RunningServer, poll

pytestmark = pytest.mark.slow

FIVE = os.urandom(5 * 1024 * 1024)
SHA_OF_FIVE = hashlib.sha256(FIVE).hexdigest()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server. When all clients have left it is at rest, has complained about nothing, and ends well."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "public").mkdir()
    (folder / "public" / "large.bin").write_bytes(BLOB)
    server = serve_client_app(folder, max_body=str(6 * 1024 * 1024))
    try:
        yield server
        poll(lambda: not others_that_run(server), 30, lambda: f"threads still run {others_that_run(server)}")
        assert server.log().count("Traceback") == server.log().count("\nRuntimeError: on purpose")
        assert server.stop() == 0
    finally:
        server.kill()


@pytest.fixture
def five(tmp_path: Path) -> Path:
    """A file of five megabytes that do not compress."""
    path = tmp_path / "five"
    path.write_bytes(FIVE)
    return path


def run(program: str, *words: str | Path, stdin: bytes = b"") -> str:
    """Run a program that is installed, to its good end; returns what it wrote to both streams."""
    if shutil.which(program) is None:
        lacking(program)
    done = subprocess.run(
        [program, *map(str, words)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    output = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, output
    return output


class TestCurl:
    """What curl reports: the status, the version, and how many connections it had to make."""

    def curl(self, *words: str | Path, stdin: bytes = b"") -> list[str]:
        """Run it; returns a line for each reply: status, version, new connections."""
        lines = run("curl", "-sS", "-w", r"\n=%{http_code} %{http_version} %{num_connects}\n", *words, stdin=stdin)
        return re.findall(r"^=(.*)$", lines, re.MULTILINE)

    def mirrored(self, *words: str | Path, stdin: bytes = b"") -> dict[str, Any]:
        """What the server saw of it."""
        seen: dict[str, Any] = json.loads(run("curl", "-sS", *words, stdin=stdin))
        return seen

    @pytest.fixture
    def three(self, site: RunningServer, tmp_path: Path) -> Iterator[list[str]]:
        """Arguments that ask for a short reply, one of unknown length, and a file; afterwards they are compared."""
        words = []
        for path in ("hello", "stream", "files/large.bin"):
            words += ["-o", str(tmp_path / Path(path).name), f"{site.url}/{path}"]
        yield words
        for name, body in {"hello": b"hello", "stream": STREAM, "large.bin": BLOB}.items():
            assert (tmp_path / name).read_bytes() == body

    def test_one_connection_carries_all(self, three: list[str]) -> None:
        assert self.curl(*three) == ["200 1.1 1", "200 1.1 0", "200 1.1 0"]

    def test_http_1_0_gets_a_connection_for_each(self, three: list[str]) -> None:
        assert self.curl("--http1.0", *three) == ["200 1 1"] * 3

    def test_http_1_0_may_ask_for_a_connection_to_be_kept(self, three: list[str]) -> None:
        """What has no length ends with its connection, so a third one is needed only after that."""
        assert self.curl("--http1.0", "-H", "Connection: keep-alive", *three) == ["200 1 1", "200 1 0", "200 1 1"]

    def test_a_wish_for_http_2_is_passed_over(self, three: list[str]) -> None:
        assert self.curl("--http2", *three) == ["200 1.1 1", "200 1.1 0", "200 1.1 0"]

    def test_a_head_and_an_empty_reply_keep_the_connection(self, site: RunningServer, tmp_path: Path) -> None:
        asked = [
            "-I",
            f"{site.url}/files/large.bin",
            "--next",
            "-w",
            r"\n=%{http_code} %{http_version} %{num_connects}\n",
        ]
        assert self.curl(*asked, f"{site.url}/nothing", f"{site.url}/hello") == ["200 1.1 1", "204 1.1 0", "200 1.1 0"]

    @pytest.mark.parametrize(
        "way",
        [
            pytest.param(["-H", "Expect:", "-T", "five"], id="at once"),
            pytest.param(["-H", "Expect: 100-continue", "-T", "five"], id="when it was told to continue"),
            pytest.param(["-T", "-"], id="chunked"),
            pytest.param(["-H", "Expect: 100-continue", "-T", "-"], id="chunked, when it was told to continue"),
            pytest.param(["--http1.0", "-T", "five"], id="in HTTP/1.0"),
            pytest.param(["--limit-rate", "8M", "-T", "five"], id="slowly"),
        ],
    )
    def test_an_upload_arrives(self, site: RunningServer, five: Path, way: list[str]) -> None:
        words = [five if word == "five" else word for word in way]
        seen = self.mirrored(*words, f"{site.url}/mirror", stdin=FIVE if "-" in way else b"")
        assert (seen["method"], seen["length"], seen["sha256"]) == ("PUT", len(FIVE), SHA_OF_FIVE)

    def test_a_form_with_a_file_arrives(self, site: RunningServer, five: Path) -> None:
        assert run("curl", "-sS", "-F", f"file=@{five}", f"{site.url}/upload") == f"{len(FIVE)} {SHA_OF_FIVE}"

    def test_an_upload_that_asks_first_is_not_sent_when_the_app_does_not_want_it(
        self, site: RunningServer, five: Path
    ) -> None:
        words = ["-sS", "-H", "Expect: 100-continue", "-w", " %{http_code} %{size_upload}", "-T", five]
        assert run("curl", *words, f"{site.url}/refuse") == "not you 403 0"

    @pytest.mark.parametrize(
        "way", [["-H", "Expect:"], ["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"]]
    )
    def test_an_upload_that_is_too_large_is_told_so(self, site: RunningServer, tmp_path: Path, way: list[str]) -> None:
        large = tmp_path / "large"
        large.write_bytes(FIVE * 4)
        assert self.curl(*way, "-T", large, f"{site.url}/mirror")[-1].split()[0] == "413"

    @pytest.mark.parametrize(
        ("wanted", "got"),
        [("100-199", BLOB[100:200]), ("-7", BLOB[-7:]), (f"{len(BLOB) - 5}-", BLOB[-5:]), ("0-", BLOB)],
    )
    def test_a_range_of_a_file(self, site: RunningServer, tmp_path: Path, wanted: str, got: bytes) -> None:
        part = tmp_path / "part"
        assert self.curl("-r", wanted, "-o", part, f"{site.url}/files/large.bin") == ["206 1.1 1"]
        assert part.read_bytes() == got

    def test_a_download_goes_on_where_it_was_broken_off(self, site: RunningServer, tmp_path: Path) -> None:
        part = tmp_path / "part"
        part.write_bytes(BLOB[:123_456])
        assert self.curl("-C", "-", "-o", part, f"{site.url}/files/large.bin") == ["206 1.1 1"]
        assert part.read_bytes() == BLOB

    def test_a_file_that_it_has_is_not_sent_again(self, site: RunningServer, tmp_path: Path) -> None:
        words = ["--etag-save", tmp_path / "etag", "-o", tmp_path / "one", f"{site.url}/files/large.bin"]
        assert self.curl(*words) == ["200 1.1 1"]
        words = ["--etag-compare", tmp_path / "etag", "-o", tmp_path / "two", f"{site.url}/files/large.bin"]
        assert self.curl(*words) == ["304 1.1 1"]
        assert not (tmp_path / "two").exists() or not (tmp_path / "two").read_bytes()

    def test_twenty_at_once(self, site: RunningServer, tmp_path: Path) -> None:
        run("curl", "-sS", "-Z", "--parallel-max", "20", f"{site.url}/files/large.bin?[1-20]", "-o", tmp_path / "#1")
        assert [(tmp_path / str(number)).read_bytes() == BLOB for number in range(1, 21)] == [True] * 20


class TestRequests:
    """requests and urllib3, which keep connections in pools."""

    def test_a_session_uses_one_connection(self, site: RunningServer) -> None:
        before = status(site)["counters"]["connections"]
        with requests.Session() as session:
            for _ in range(30):
                assert session.get(f"{site.url}/hello").text == "hello"
                assert session.get(f"{site.url}/stream").content == STREAM
                assert session.head(f"{site.url}/blob").headers["Content-Length"] == str(len(BLOB))
                assert session.get(f"{site.url}/nothing").status_code == 204
                assert session.get(f"{site.url}/missing").status_code == 404
        assert status(site)["counters"]["connections"] - before == 2  # the session's and the question's

    def test_a_generator_is_uploaded(self, site: RunningServer) -> None:
        pieces = (FIVE[at : at + 77_777] for at in range(0, len(FIVE), 77_777))
        seen = requests.post(f"{site.url}/mirror", data=pieces).json()
        assert (seen["length"], seen["sha256"]) == (len(FIVE), SHA_OF_FIVE)

    def test_a_file_is_uploaded_in_a_form(self, site: RunningServer, five: Path) -> None:
        with five.open("rb") as file:
            assert requests.post(f"{site.url}/upload", files={"file": file}).text == f"{len(FIVE)} {SHA_OF_FIVE}"

    @pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
    def test_an_upload_that_is_too_large_is_told_so(self, site: RunningServer, chunked: bool) -> None:
        """Even where the client looks for an answer only after it has sent everything, in pieces."""
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
            connection.request("POST", "/mirror", iter([FIVE] * 4) if chunked else FIVE * 4, encode_chunked=chunked)
            assert connection.getresponse().status == 413
            connection.close()
            assert (
                requests.post(f"{site.url}/mirror", data=iter([FIVE] * 4) if chunked else FIVE * 4).status_code == 413
            )

    def test_a_form_leads_to_the_next_page(self, site: RunningServer) -> None:
        reply = requests.post(f"{site.url}/form", data={"name": "Ada"})
        assert [answer.status_code for answer in (*reply.history, reply)] == [303, 200]
        assert "<title>Hello Ada</title>" in reply.text

    def test_a_reply_is_read_piece_by_piece(self, site: RunningServer) -> None:
        with requests.get(f"{site.url}/stream", stream=True) as reply:
            assert b"".join(reply.iter_content(9_999)) == STREAM

    def test_a_reply_that_is_not_read_to_its_end_costs_its_connection_alone(self, site: RunningServer) -> None:
        with requests.Session() as session:
            for _ in range(20):
                with session.get(f"{site.url}/stream", stream=True) as reply:
                    assert next(reply.iter_content(1000)) == STREAM[:1000]
                assert session.get(f"{site.url}/hello").text == "hello"

    def test_a_pool_that_many_threads_share(self, site: RunningServer) -> None:
        with urllib3.PoolManager(maxsize=8, block=True, retries=False) as pool, ThreadPoolExecutor(16) as threads:

            def ask(number: int) -> bool:
                sent = f"{number} ".encode() * (number * 7)
                seen = pool.request("POST", f"{site.url}/mirror?{number}", body=sent).json()
                return (seen["query"], seen["sha256"]) == (str(number), hashlib.sha256(sent).hexdigest())

            assert all(threads.map(ask, range(400)))


CASES = [
    *((method, path) for path in ("/hello", "/stream", "/blob", "/missing", "/fail") for method in ("GET", "HEAD")),
    *((method, "/mirror") for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")),
    *((method, path) for path in ("/nothing", "/form", "/refuse") for method in ("GET", "HEAD", "POST")),
    *((method, "/files/large.bin") for method in ("GET", "HEAD", "POST")),
    ("OPTIONS", "*"),
]


class TestH11:
    """A parser that takes nothing but what the RFC allows."""

    def events(self, wire: Wire, parser: h11.Connection) -> tuple[h11.Response, bytes]:
        """Read one reply to its end."""
        response, body = None, bytearray()
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(wire.socket.recv(65536))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert response is not None
                return response, bytes(body)
            else:
                assert isinstance(event, h11.InformationalResponse), event

    def request(self, method: str, path: str, body: bytes = b"") -> list[Any]:
        return [
            h11.Request(
                method=method, target=path, headers=[("Host", "site.example"), ("Content-Length", str(len(body)))]
            ),
            *([h11.Data(data=body)] if body else []),
            h11.EndOfMessage(),
        ]

    @pytest.mark.parametrize(("method", "path"), CASES)
    def test_a_reply_is_as_it_should_be(self, site: RunningServer, method: str, path: str) -> None:
        body = b"name=Ada" if method == "POST" else b""
        with Wire(("127.0.0.1", site.port)) as wire:
            parser = h11.Connection(h11.CLIENT)
            for event in self.request(method, path, body):
                wire.send(parser.send(event) or b"")
            response, content = self.events(wire, parser)
            fields = [name for name, _ in response.headers]
            assert fields.count(b"date") == fields.count(b"server") == 1
            framing = [name for name in fields if name in (b"content-length", b"transfer-encoding")]
            assert len(framing) == (response.status_code != 204)
            assert not (method == "HEAD" and content)
            if parser.their_state is h11.DONE:
                parser.start_next_cycle()
                for event in self.request("GET", "/hello"):
                    wire.send(parser.send(event) or b"")
                assert self.events(wire, parser)[1] == b"hello"

    def test_replies_to_what_was_sent_together_are_told_apart(self, site: RunningServer) -> None:
        asked = [case for case in CASES if case[1] not in ("/fail", "*") and case != ("POST", "/form")] * 3
        sender, sent = h11.Connection(h11.CLIENT), []
        for number, (method, path) in enumerate(asked):
            request = f"{method} {path}?{number} HTTP/1.1\r\nHost: site.example\r\nContent-Length: 0\r\n\r\n"
            sent.append(request.encode())
        with Wire(("127.0.0.1", site.port)) as wire, ThreadPoolExecutor(1) as thread:
            sending = thread.submit(wire.send, b"".join(sent))
            for number, (method, path) in enumerate(asked):
                for event in self.request(method, f"{path}?{number}"):
                    sender.send(event)
                response, content = self.events(wire, sender)
                if path == "/mirror":
                    assert json.loads(content)["query"] == str(number)
                elif path == "/hello":
                    assert content == (b"" if method == "HEAD" else b"hello")
                sender.start_next_cycle()
            assert sending.result(10)


class TestLoad:
    """Programs that measure: they count each reply that is not what it was before."""

    @pytest.mark.parametrize(
        "way",
        [
            pytest.param(["-n", "500"], id="a connection for each"),
            pytest.param(["-n", "3000", "-k"], id="connections that are kept"),
            pytest.param(["-n", "1000", "-k", "-i"], id="HEAD"),
            pytest.param(["-n", "500", "-p", "five", "-T", "text/plain"], id="POST"),
        ],
    )
    def test_ab_counts_no_failure(self, site: RunningServer, tmp_path: Path, way: list[str]) -> None:
        body = tmp_path / "body"
        body.write_bytes(FIVE[:30_000])
        words = [body if word == "five" else word for word in way]
        path = "/mirror" if "-p" in way else "/hello"
        told = run("ab", "-q", "-c", "20", *words, f"{site.url}{path}")
        found = dict(re.findall(r"^([A-Z][\w -]+):\s+([0-9]+)", told, re.MULTILINE))
        assert (found["Complete requests"], found["Failed requests"]) == (way[1], "0"), told
        assert "Non-2xx responses" not in found, told
        assert found.get("Keep-Alive requests", "0") == (way[1] if "-k" in way else "0"), told

    @pytest.mark.parametrize("path", ["/hello", "/stream", "/blob", "/files/large.bin"])
    def test_wrk_counts_no_error(self, site: RunningServer, path: str) -> None:
        self.wrk(f"{site.url}{path}")

    def test_wrk_sends_sixteen_together(self, site: RunningServer, tmp_path: Path) -> None:
        script = tmp_path / "together.lua"
        script.write_text(
            'init = function() local asked = {}; for i = 1, 16 do asked[i] = wrk.format("GET", "/hello") end\n'
            "all = table.concat(asked) end\n"
            "request = function() return all end\n"
        )
        self.wrk("-s", script, site.url)

    def wrk(self, *words: str | Path) -> None:
        told = run("wrk", "-t1", "-c50", "-d1s", "--timeout", "20s", *words)
        found = re.search(r"^\s+([0-9]+) requests in", told, re.MULTILINE)
        assert found is not None, told
        assert int(found[1]) > 20, told
        assert "Socket errors" not in told, told
        assert "Non-2xx" not in told, told

"""Reloads, a change of certificates and a drain, each under load, and not one request may fail.

Run it with the Python of an environment that has wheatpaste installed. Ends with 1 and says what went wrong otherwise.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SITE = """\
[server:main]
use = egg:wheatpaste#main
listen = 127.0.0.1:{port}
workers = 2
threads = 8
drain_timeout = 20
tls_certificate = certificate.pem
tls_key = key.pem

[composite:main]
use = egg:wheatpaste#urlmap
/ = hello
/slow = slow

[app:hello]
use = egg:wheatpaste#echo
"""
APP = """

[app:slow]
use = call:slow_app:make
say = {word}
"""
SLOW_APP = """
import time


def make(global_conf, say):
    def app(environ, start_response):
        time.sleep(float(environ["QUERY_STRING"] or 0))
        body = say.encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return app
"""


class Clients:
    """Clients that ask all the time, half of them on one connection, the others on a new one each time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered = 0
        self.said: dict[str, int] = {}
        self.failures: list[str] = []
        self.draining = False
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(kind,), daemon=True) for kind in (0, 0, 1, 1)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)

    def certificate(self) -> bytes:
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        with self._context.wrap_socket(plain) as secure:
            return secure.getpeercert(binary_form=True) or b""

    def _ask(self, is_new_each_time: int) -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self._context)
        number = 0
        while True:
            number += 1
            try:
                connection.request("GET", f"/slow?{0.02 if number % 5 == 0 else 0}")
                reply = connection.getresponse()
                body = reply.read().decode()
                closes = reply.will_close
            except ConnectionRefusedError:
                if self.draining:
                    return
                self._fail("connection refused")
            except (OSError, http.client.HTTPException) as error:
                self._fail(f"{type(error).__name__}: {error}")
                connection.close()
            else:
                with self._lock:
                    self.answered += 1
                    self.said[body] = self.said.get(body, 0) + 1
                if reply.status != 200:
                    self._fail(f"answered with {reply.status}")
                if closes or is_new_each_time:
                    connection.close()
            if len(self.failures) > 20:
                return

    def _fail(self, what: str) -> None:
        with self._lock:
            self.failures.append(what)


def make_certificate(folder: Path, name: str) -> None:
    """Write a new key and certificate, each in one step, as tools that renew certificates do."""
    new_key, new_certificate = folder / "new-key.pem", folder / "new-certificate.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "30",
        ]
        + ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"]
        + ["-keyout", str(new_key), "-out", str(new_certificate)],
        check=True,
        capture_output=True,
    )
    os.replace(new_key, folder / "key.pem")
    os.replace(new_certificate, folder / "certificate.pem")


def wait_for(what: str, condition, server: subprocess.Popen, seconds: float = 60) -> None:  # type: ignore[no-untyped-def, type-arg]
    end = time.monotonic() + seconds
    while not condition():
        if server.poll() is not None:
            raise SystemExit(f"rolling: the server ended with {server.returncode} before: {what}")
        if time.monotonic() > end:
            raise SystemExit(f"rolling: within {seconds:.0f} seconds not: {what}")
        time.sleep(0.05)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        site = folder / "site.ini"
        (folder / "slow_app.py").write_text(SLOW_APP)
        site.write_text(SITE.format(port=port) + APP.format(word="one"))
        make_certificate(folder, "first.example")
        command = [sys.executable, "-m", "wheatpaste", "serve", "site.ini"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        clients = Clients(port)

        def is_up() -> bool:
            try:
                return bool(clients.certificate())
            except OSError:
                return False

        try:
            wait_for("it serves", is_up, server)
            clients.start()
            wait_for("requests are answered", lambda: clients.answered > 50, server)

            for word in ("two", "three"):
                site.write_text(SITE.format(port=port) + APP.format(word=word))
                server.send_signal(signal.SIGHUP)
                wait_for(f"a reload says {word!r}", lambda word=word: clients.said.get(word, 0) > 20, server)  # type: ignore[misc]
            print("   two reloads:", dict(sorted(clients.said.items())))

            before = clients.certificate()
            make_certificate(folder, "second.example")
            server.send_signal(signal.SIGHUP)
            wait_for("the new certificate is shown", lambda: clients.certificate() != before, server)
            print("   a new certificate, after", clients.answered, "requests")

            last: list[bytes] = []

            def ask_slowly() -> None:
                connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=clients._context)
                connection.request("GET", "/slow?1.5")
                last.append(connection.getresponse().read())

            slow = threading.Thread(target=ask_slowly)
            slow.start()
            time.sleep(0.7)
            clients.draining = True
            server.terminate()
            code = server.wait(30)
            slow.join(10)
            clients.join()
            if code != 0:
                clients.failures.append(f"the server ended with {code}")
            if last != [b"three"]:
                clients.failures.append(f"the request that ran during the drain was answered with {last!r}")
            print("   a drain, after", clients.answered, "requests")
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()
            if clients.failures or "Traceback" in (folder / "log").read_text():
                sys.stderr.write((folder / "log").read_text())
        for failure in clients.failures:
            print("rolling:", failure, file=sys.stderr)
        return 1 if clients.failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""PostgreSQL and Redis, each a server of the test's own with nothing in it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

from prerequisites import lacking
from running_server import free_port, poll

_FOLDERS = ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin")
SECRET = "S3cret-of-the-test"


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS)))
    return found if found is not None else lacking(name)


class _Server:
    """A program with a folder of its own, which can be stopped, started again and killed."""

    def __init__(self) -> None:
        self.port = free_port()
        # Not pytest's own folder: that is closed to the user that PostgreSQL runs as.
        self.folder = Path(tempfile.mkdtemp(prefix="wheatpaste-test-"))
        self._process: subprocess.Popen[bytes] | None = None

    @cached_property
    def authority(self) -> Path:
        """The certificate of who has signed the server's own, which stands beside it as server.crt and server.key."""
        import trustme

        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(self.folder / "server.key")
        for number, each in enumerate(issued.cert_chain_pems):
            each.write_to_path(self.folder / "server.crt", append=number > 0)
        authority.cert_pem.write_to_path(self.folder / "authority.crt")
        (self.folder / "server.key").chmod(0o600)
        return self.folder / "authority.crt"

    def argv(self) -> list[str]:
        raise NotImplementedError

    def rights(self) -> dict[str, Any]:
        return {}

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        log = (self.folder / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **self.rights()
            )
        poll(self.answers, 30, lambda: (self.folder / "server.log").read_text("utf-8", "replace"))

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def restart(self) -> None:
        self.stop()
        self.start()

    def end(self) -> None:
        if self._process is not None:
            self.signal(signal.SIGCONT)  # a test that failed may have left it frozen
            try:
                self.stop(signal.SIGQUIT)  # at once, with all processes of its own
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgresServer(_Server):
    """PostgreSQL with a database ``site``, whose user ``owner`` has a password."""

    def __init__(self) -> None:
        initdb = _program("initdb")
        super().__init__()
        self._data = self.folder / "data"
        assert self.authority.exists()
        if os.geteuid() == 0:
            for each in (self.folder, self.folder / "server.key"):
                shutil.chown(each, "postgres", "postgres")
        word = self.folder / "password"
        word.write_text(SECRET)
        word.chmod(0o644)
        # A collation that sorts as people do, so that nothing here works by the order of bytes alone.
        words = ("--locale-provider=icu", "--icu-locale=en", "--locale=C", "--encoding=UTF8", "--no-sync")
        subprocess.run(
            [initdb, "-D", self._data, "-U", "owner", "--auth=scram-sha-256", f"--pwfile={word}", *words],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=self.folder,
            timeout=60,
            **self.rights(),
        )
        self.start()
        self.execute("CREATE DATABASE site", database="postgres")

    def rights(self) -> dict[str, Any]:
        # PostgreSQL refuses to run as root.
        if os.geteuid() != 0:
            return {}
        return {"user": "postgres", "group": "postgres", "extra_groups": []}

    def argv(self) -> list[str]:
        settings = {
            "fsync": "off",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": "16MB",
            "max_connections": "60",
            "ssl": "on",
            "ssl_cert_file": str(self.folder / "server.crt"),
            "ssl_key_file": str(self.folder / "server.key"),
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [_program("postgres"), "-D", str(self._data), "-p", str(self.port), *words]

    def answers(self) -> bool:
        import psycopg

        try:
            self.execute("SELECT 1", database="postgres")
        except psycopg.OperationalError:
            return False
        return True

    def execute(self, statement: str, database: str = "site") -> list[Any]:
        """What another client would do."""
        import psycopg

        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def dsn(self, database: str = "site", password: str = SECRET, user: str = "owner") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def url(self, schema: str | None = None, password: str = SECRET, user: str = "owner") -> str:
        """A place of its own in the database, for whoever asks."""
        return f"{self.dsn(password=password, user=user)}?schema={schema or 'test_' + secrets.token_hex(6)}"


class RedisServer(_Server):
    """Redis, or Valkey where that is installed, with a password and nothing on the disk."""

    def __init__(self) -> None:
        self._program = shutil.which("valkey-server") or _program("redis-server")
        super().__init__()
        self.tls_port = free_port()
        self.start()

    def argv(self) -> list[str]:
        settings = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "requirepass": SECRET}
        settings |= {"tls-port": self.tls_port, "tls-ca-cert-file": self.authority, "tls-auth-clients": "no"}
        settings |= {"tls-cert-file": self.folder / "server.crt", "tls-key-file": self.folder / "server.key"}
        return [
            self._program,
            *(word for name, value in settings.items() for word in (f"--{name}", str(value))),
            *("--unixsocket", str(self.folder / "redis.sock")),
        ]

    def answers(self) -> bool:
        import redis

        try:
            return bool(self.client().ping())
        except redis.ConnectionError:
            return False

    def client(self) -> Any:
        """What another client would use."""
        import redis

        return redis.Redis(port=self.port, password=SECRET)

    def url(self, namespace: str | None = None, password: str = SECRET) -> str:
        """A place of its own in the server, for whoever asks."""
        name = namespace or f"test-{secrets.token_hex(6)}"
        return f"redis://:{password}@127.0.0.1:{self.port}/0?namespace={name}"

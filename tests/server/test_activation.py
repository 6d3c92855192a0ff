"""Sockets that somebody else has opened: taken over as they are, and never removed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from raw_http import Wire

from wheatpaste.server.activation import InheritedSocket, Passed, adopt, is_activated, passed_descriptors
from wheatpaste.server.http_server import HTTPServer
from wheatpaste.server.listeners import Address, ListenError, close_listeners, open_listeners, socket_files


@pytest.mark.parametrize(
    ("environ", "passed"),
    [
        pytest.param({}, (), id="nothing is passed"),
        pytest.param({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, (Passed(3, "unknown"),), id="one without a name"),
        pytest.param(
            {"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web.socket:admin"},
            (Passed(3, "web.socket"), Passed(4, "admin")),
            id="two with names",
        ),
        pytest.param({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, (), id="another process is meant"),
        pytest.param({"LISTEN_FDS": "1"}, (), id="nobody is meant"),
        pytest.param({"LISTEN_PID": "7", "LISTEN_FDS": "0"}, (), id="no socket"),
        pytest.param({"LISTEN_PID": "8", "LISTEN_FDS": "x"}, (), id="what another process is told does not matter"),
    ],
)
def test_what_systemd_has_passed_is_read(environ: Mapping[str, str], passed: tuple[Passed, ...]) -> None:
    assert passed_descriptors(environ, pid=7) == passed
    assert is_activated(environ, pid=7) is bool(passed)


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        pytest.param({"LISTEN_FDS": "many"}, "LISTEN_FDS='many' is no number of sockets", id="no number"),
        pytest.param({"LISTEN_FDS": "-1"}, "is no number of sockets", id="a negative number"),
        pytest.param({"LISTEN_FDS": "999999999"}, "is no number of sockets", id="more than a process can have"),
        pytest.param({}, "LISTEN_FDS='' is no number of sockets", id="no number at all"),
        pytest.param(
            {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "a:b"}, "names 2 sockets where LISTEN_FDS has 1", id="names"
        ),
    ],
)
def test_what_contradicts_itself_is_refused(environ: Mapping[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        passed_descriptors({"LISTEN_PID": "7", **environ}, pid=7)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_descriptor_is_taken_over(listening: socket.socket) -> None:
    place = listening.getsockname()
    (taken,) = open_listeners([Address(descriptor=listening.detach())])
    with closing(taken), socket.create_connection(place, 5):
        assert taken.getsockname() == place
        taken.settimeout(20)
        connection, _ = taken.accept()
        connection.close()
        assert not taken.get_inheritable()
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_descriptor_that_is_named_twice_is_refused(listening: socket.socket) -> None:
    number = listening.detach()
    with pytest.raises(ListenError, match=f"fd:{number}: descriptor {number} is listened on twice; name it once"):
        open_listeners([Address(descriptor=number), Address(descriptor=number)])


def _connection() -> socket.socket:
    one, two = socket.socketpair()
    two.close()
    return one


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        pytest.param(_connection, "does not listen", id="a connection"),
        pytest.param(lambda: socket.socket(type=socket.SOCK_DGRAM), "is no stream socket", id="a datagram socket"),
        pytest.param(lambda: open(os.devnull, "rb"), "is open, but is no socket", id="a file"),  # noqa: SIM115
    ],
)
def test_what_nobody_can_be_accepted_from_is_refused_and_left_open(make: object, complaint: str) -> None:
    with closing(make()) as it:  # type: ignore[operator]
        with pytest.raises(ListenError, match=f"{complaint}; pass a stream socket that listens"):
            open_listeners([Address(descriptor=it.fileno())])
        os.fstat(it.fileno())


def test_a_descriptor_that_is_not_open_is_refused() -> None:
    with pytest.raises(ListenError, match=r"descriptor 987654 is not open in this process \(Bad file descriptor\)"):
        open_listeners([Address(descriptor=987654)])


def test_the_file_of_a_socket_that_another_made_stays(tmp_path: Path) -> None:
    """Not even a connection is tried, which would start again what is just being stopped."""
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(path))
        theirs.listen()
        ours = adopt(os.dup(theirs.fileno()))
        assert socket_files([ours]) == ()
        close_listeners([ours])
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.accept()
    assert path.exists()


def test_what_an_inherited_socket_accepts_is_an_ordinary_connection(listening: socket.socket) -> None:
    place = listening.getsockname()
    with adopt(listening.detach()) as taken, socket.create_connection(place, 5):
        taken.settimeout(20)
        with taken.accept()[0] as connection:
            assert not isinstance(connection, InheritedSocket)


def test_without_systemd_its_sockets_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_PID", raising=False)
    with pytest.raises(ListenError, match="systemd has passed no sockets to this process; start it through its socket"):
        open_listeners([Address(activated="")])


def test_sockets_that_a_shell_in_between_has_taken_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    with pytest.raises(ListenError, match=f"to process 1, and this is {os.getpid()}; let ExecStart= start wheatpaste"):
        open_listeners([Address(activated="")])


@pytest.mark.parametrize(
    ("options", "address"),
    [
        pytest.param({}, Address(activated=""), id="nothing is said"),
        pytest.param({"port": 9000}, Address("127.0.0.1", 9000), id="a port"),
        pytest.param({"host": "127.0.0.2"}, Address("127.0.0.2", 8080), id="a host"),
        pytest.param({"listen": ("127.0.0.1:8080",)}, Address("127.0.0.1", 8080), id="an address"),
        pytest.param({"unix_socket": Path("/run/x")}, Address(path="/run/x"), id="a path"),
    ],
)
def test_a_server_takes_what_systemd_passes_where_its_options_say_nothing(
    options: dict[str, object], address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert HTTPServer(**options).addresses() == (address,)
    monkeypatch.delenv("LISTEN_PID")
    assert HTTPServer().addresses() == (Address("127.0.0.1", 8080),)


_ACTIVATED = """
    import os, sys
    os.environ["LISTEN_PID"] = str(os.getpid())
    from wheatpaste.server.listeners import ListenError, open_listeners, parse_address
    try:
        for each in open_listeners(map(parse_address, sys.argv[1:])):
            print(each.fileno(), each.getsockname(), os.get_inheritable(each.fileno()))
    except ListenError as error:
        print(error)
"""


def activate(sockets: list[socket.socket], words: list[str], environ: Mapping[str, str]) -> list[str]:
    """Run a process as systemd would: the sockets are its descriptors from 3 on."""

    def place() -> None:
        numbers = [os.dup(each.fileno()) for each in sockets]  # above all that exist
        for index, number in enumerate(numbers):
            os.dup2(number, 3 + index)

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_ACTIVATED), *words],
        env={**os.environ, "LISTEN_FDS": str(len(sockets)), **environ},
        preexec_fn=place,
        close_fds=False,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "x.sock"))
        unix.listen()
        yield [tcp, unix]


@pytest.mark.slow
class TestAProcessThatSystemdStarts:
    def test_it_has_all_sockets(self, two: list[socket.socket]) -> None:
        assert activate(two, ["systemd"], {}) == [
            f"3 {two[0].getsockname()} False",
            f"4 {two[1].getsockname()} False",
        ]

    def test_it_has_those_of_a_name(self, two: list[socket.socket]) -> None:
        assert activate(two, ["systemd:admin"], {"LISTEN_FDNAMES": "web:admin"}) == [f"4 {two[1].getsockname()} False"]

    def test_it_has_them_beside_others(self, two: list[socket.socket]) -> None:
        lines = activate(two, ["127.0.0.1:0", "systemd:web"], {"LISTEN_FDNAMES": "web:admin"})
        assert len(lines) == 2
        assert lines[1] == f"3 {two[0].getsockname()} False"

    def test_a_name_that_is_missing_is_told_with_those_that_are_there(self, two: list[socket.socket]) -> None:
        (line,) = activate(two, ["systemd:wbe"], {"LISTEN_FDNAMES": "web:admin"})
        assert "no socket called wbe, but admin, web; write `FileDescriptorName=wbe`" in line

    def test_one_that_is_asked_for_twice_is_refused(self, two: list[socket.socket]) -> None:
        (line,) = activate(two, ["systemd", "fd:3"], {})
        assert "descriptor 3 is listened on twice" in line

    def test_an_environment_that_contradicts_itself_is_told(self, two: list[socket.socket]) -> None:
        (line,) = activate(two, ["systemd"], {"LISTEN_FDNAMES": "web"})
        assert "cannot be used (LISTEN_FDNAMES names 1 sockets where LISTEN_FDS has 2)" in line


# Becomes the process that it has told of its sockets.
_SYSTEMD = """
    import os, sys
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
    os.dup2(int(sys.argv[1]), 3)
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", ["", "listen = systemd", "listen = fd:3"], ids=["nothing", "systemd", "a descriptor"])
def test_a_site_that_systemd_starts_is_served_until_systemd_stops_it(
    words: str, write_ini: Callable[..., Path], tmp_path: Path
) -> None:
    ini = write_ini(f"[server:main]\nuse = egg:wheatpaste#main\n{words}\n[app:main]\nuse = egg:wheatpaste#echo\n")
    path, told = str(tmp_path / "site.sock"), str(tmp_path / "notify.sock")
    with socket.socket(socket.AF_UNIX) as theirs, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        theirs.bind(path)
        theirs.listen()
        manager.bind(told)
        manager.settimeout(30)
        server = subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(_SYSTEMD),
                str(theirs.fileno()),
                "-m",
                "wheatpaste",
                "serve",
                str(ini),
            ],
            env={**os.environ, "NOTIFY_SOCKET": told},
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            try:
                heard = manager.recv(4096)
            except TimeoutError:
                server.kill()
                pytest.fail(f"it does not say that it is ready: {server.communicate()[0]}")
            assert heard.startswith(b"READY=1")
            with Wire(path) as wire:
                wire.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
                reply = wire.read_reply()
                assert reply is not None
                assert reply.status == 200
            server.terminate()
            output, _ = server.communicate(timeout=30)
        finally:
            server.kill()
            server.wait(10)
        assert server.returncode == 0, output
        assert f"unix:{path}" in output
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has knocked, which would start it again
            theirs.accept()
    assert os.path.exists(path)

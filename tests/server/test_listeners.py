"""Addresses are read strictly, opened before anything is served, and refused with a way out."""

from __future__ import annotations

import errno
import os
import pwd
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordinary_rights import ordinary_rights

from wheatpaste.server.listeners import (
    Address,
    ListenError,
    close_listeners,
    is_public,
    open_listeners,
    parse_address,
    remove_socket_files,
    socket_files,
    url_of,
)
from wheatpaste.server.unix_sockets import read_owner


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("127.0.0.1:80", Address("127.0.0.1", 80), id="a host and a port"),
        pytest.param("localhost", Address("localhost", 8080), id="a host alone takes the default port"),
        pytest.param("9000", Address("127.0.0.1", 9000), id="a port alone is of this machine"),
        pytest.param("*:80", Address("*", 80), id="a star is every interface"),
        pytest.param("[::1]:81", Address("::1", 81), id="IPv6 in brackets"),
        pytest.param("[::1]", Address("::1", 8080), id="IPv6 in brackets without a port"),
        pytest.param("::1", Address("::1", 8080), id="IPv6 without brackets"),
        pytest.param("fd::1", Address("fd::1", 8080), id="IPv6 that begins like a descriptor"),
        pytest.param(" a:0 ", Address("a", 0), id="blanks around do not matter, port 0 is any"),
        pytest.param("unix:/run/x.sock", Address(path="/run/x.sock"), id="a UNIX socket"),
        pytest.param("unix:@site", Address(path="@site"), id="an abstract UNIX socket"),
        pytest.param("fd:3", Address(descriptor=3), id="an inherited descriptor"),
        pytest.param("systemd", Address(activated=""), id="all that systemd has opened"),
        pytest.param("systemd:site.socket", Address(activated="site.socket"), id="one that systemd has opened"),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(":80", r"names no host; write 127\.0\.0\.1:80, or \*:80", id="a port with a colon"),
        pytest.param("http://a:80", "without scheme or path", id="a URL"),
        pytest.param("a:http", "no port number", id="a port by name"),
        pytest.param("a:65536", "no port number from 0 to 65535", id="a port too large"),
        pytest.param("a:-1", "no port number", id="a negative port"),
        pytest.param("a:٣", "no port number", id="digits of another script"),
        pytest.param("[::1", "such as", id="a bracket that stays open"),
        pytest.param("[localhost]:80", "such as", id="a name in brackets"),
        pytest.param(":]:", "names no host", id="colons around nothing"),
        pytest.param("x:y:z", "no port number", id="two colons"),
        pytest.param("unix", "names no path", id="a UNIX socket without a colon"),
        pytest.param("[::1]x", "such as", id="something after the bracket"),
        pytest.param("unix:", "names no path", id="a UNIX socket nowhere"),
        pytest.param("unix:@", "names no abstract socket", id="an abstract UNIX socket without a name"),
        pytest.param("fd:", "names no descriptor, got ''", id="no descriptor"),
        pytest.param("fd:-1", "names no descriptor", id="a negative descriptor"),
        pytest.param("fd:three", "such as fd:3", id="a descriptor in words"),
        pytest.param("systemd:", "names no socket of systemd", id="a socket of systemd without a name"),
    ],
)
def test_what_is_no_address_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_address(text)


@pytest.mark.parametrize(
    "address",
    [
        Address("127.0.0.1", 8080),
        Address("::1", 1),
        Address(path="/x"),
        Address(path="@x"),
        Address(descriptor=5),
        Address(activated=""),
        Address(activated="x"),
    ],
    ids=str,
)
def test_an_address_is_written_as_it_is_read(address: Address) -> None:
    assert parse_address(str(address)) == address


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=20), st.text("unix:@/fdsytem[]:0123456789.*a ", max_size=20)))
def test_whatever_is_written_is_an_address_or_refused_with_a_phrase(text: str) -> None:
    address = phrase = None
    try:
        address = parse_address(text)
    except ValueError as error:
        phrase = str(error)
    if address is None:
        assert str(phrase).startswith(("names no", "must be", "has no port number"))
    else:
        assert parse_address(str(address)) == address


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    yield sockets
    close_listeners(sockets)


def test_connections_wait_before_anybody_serves(opened: list[socket.socket]) -> None:
    opened += open_listeners([Address("127.0.0.1", 0)])
    socket.create_connection(opened[0].getsockname(), 5).close()


def test_the_families_of_a_name_share_the_free_port_that_was_found(opened: list[socket.socket]) -> None:
    opened += open_listeners([Address("*", 0)])
    assert len({each.getsockname()[1] for each in opened}) == 1
    assert all(is_public(each) for each in opened)


def test_a_free_port_is_looked_for_until_all_addresses_of_a_name_have_it(
    opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 3
    places = [(socket.AF_INET, 6, 0, "", ("127.0.0.1", 0)), (socket.AF_INET, 6, 0, "", ("127.0.0.2", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: places)
    bind = socket.socket.bind

    class Crowded(socket.socket):
        def bind(self, place: tuple[str, int]) -> None:  # type: ignore[override]
            nonlocal taken
            if place[0] == "127.0.0.2" and taken:
                taken -= 1
                raise OSError(errno.EADDRINUSE, "Address already in use")
            bind(self, place)

    monkeypatch.setattr(socket, "socket", Crowded)
    opened += open_listeners([Address("two.example", 0)])
    assert [each.getsockname() for each in opened] == [
        ("127.0.0.1", opened[0].getsockname()[1]),
        ("127.0.0.2", opened[0].getsockname()[1]),
    ]


def test_a_free_port_is_taken_for_each_address_where_none_is_free_on_all(
    opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [(socket.AF_INET, 6, 0, "", ("127.0.0.1", 0)), (socket.AF_INET, 6, 0, "", ("127.0.0.2", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: places)
    bind = socket.socket.bind

    class Full(socket.socket):
        def bind(self, place: tuple[str, int]) -> None:  # type: ignore[override]
            if place[0] == "127.0.0.2" and place[1] != 0:
                raise OSError(errno.EADDRINUSE, "Address already in use")
            bind(self, place)

    monkeypatch.setattr(socket, "socket", Full)
    opened += open_listeners([Address("two.example", 0)])
    assert [each.getsockname()[0] for each in opened] == ["127.0.0.1", "127.0.0.2"]


def test_a_name_gets_a_socket_for_each_of_its_addresses(opened: list[socket.socket]) -> None:
    opened += open_listeners([Address("localhost", 0)])
    addresses = {info[4][0] for info in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
    assert {each.getsockname()[0] for each in opened} <= addresses
    assert "127.0.0.1" in {each.getsockname()[0] for each in opened}


def test_several_listen_at_once(opened: list[socket.socket], tmp_path: Path) -> None:
    opened += open_listeners([Address("127.0.0.1", 0), Address("127.0.0.2", 0), Address(path=str(tmp_path / "s"))])
    for each in opened:
        with socket.socket(each.family) as client:
            client.settimeout(20)
            client.connect(each.getsockname())


@pytest.mark.skipif(sys.platform != "linux", reason="the first that is accepted decides elsewhere")
def test_what_is_accepted_sends_at_once(opened: list[socket.socket]) -> None:
    opened += open_listeners([Address("127.0.0.1", 0)])
    with socket.create_connection(opened[0].getsockname(), 5):
        connection, _ = opened[0].accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="needs SO_REUSEPORT")
def test_processes_can_share_a_port_when_all_of_them_say_so(opened: list[socket.socket]) -> None:
    opened += open_listeners([Address("127.0.0.1", 0)], reuse_port=True)
    port = opened[0].getsockname()[1]
    opened += open_listeners([Address("127.0.0.1", port)], reuse_port=True)
    with pytest.raises(ListenError, match="is in use"):
        open_listeners([Address("127.0.0.1", port)])


def test_a_family_can_be_left_out(opened: list[socket.socket]) -> None:
    opened += open_listeners([Address("*", 0)], families=[socket.AF_INET])
    assert [each.family for each in opened] == [socket.AF_INET]


def test_a_port_in_use_is_refused_and_another_named(opened: list[socket.socket]) -> None:
    opened += open_listeners([Address("127.0.0.1", 0)])
    port = opened[0].getsockname()[1]
    with pytest.raises(ListenError, match=rf"is in use by another process \(127.0.0.1:{port}\)") as caught:
        open_listeners([Address("127.0.0.1", port)])
    assert caught.value.about == "port"
    assert "choose another port, such as" in caught.value.fix


def test_an_ipv6_address_and_its_port_are_told_apart_in_the_way_out() -> None:
    with pytest.raises(ListenError) as caught:
        open_listeners([parse_address("::1:18082")])
    assert caught.value.fix == "write [::1]:18082"


@pytest.mark.parametrize(
    ("address", "what"),
    [
        pytest.param(
            Address("nosuch.invalid", 80), "'nosuch.invalid' does not resolve", id="a host that does not resolve"
        ),
        pytest.param(Address("a" * 300, 80), "does not resolve", id="a host that cannot be a name"),
        pytest.param(Address("192.0.2.1", 0), "is not an address of this machine", id="an address of another machine"),
    ],
)
def test_a_host_that_is_not_here_is_refused(address: Address, what: str) -> None:
    with pytest.raises(ListenError, match=what) as caught:
        open_listeners([address])
    assert caught.value.about == "host"


def test_when_one_address_fails_none_stays_open(opened: list[socket.socket]) -> None:
    opened += open_listeners([Address("127.0.0.1", 0)])
    (free,) = open_listeners([Address("127.0.0.1", 0)])
    port = free.getsockname()[1]
    free.close()
    with pytest.raises(ListenError):
        open_listeners([Address("127.0.0.1", port), Address("127.0.0.1", opened[0].getsockname()[1])])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS lets every user open every port")
def test_a_privileged_port_is_refused() -> None:
    if Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text() == "0\n":
        pytest.skip("this machine lets every user open every port, as containers often do")
    with ordinary_rights(), pytest.raises(ListenError, match="may not be opened by this user"):
        open_listeners([Address("127.0.0.1", 81)])


class TestUnixSockets:
    def test_only_its_owner_may_connect(self, tmp_path: Path, opened: list[socket.socket]) -> None:
        path = tmp_path / "x.sock"
        opened += open_listeners([Address(path=str(path))])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_others_may_when_told(self, tmp_path: Path, opened: list[socket.socket]) -> None:
        path = tmp_path / "x.sock"
        opened += open_listeners([Address(path=str(path))], unix_permissions=0o666)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666

    def test_its_file_goes_when_it_is_closed(self, tmp_path: Path) -> None:
        path = tmp_path / "x.sock"
        close_listeners(open_listeners([Address(path=str(path))]))
        assert not path.exists()

    def test_a_file_left_behind_is_replaced(self, tmp_path: Path, opened: list[socket.socket]) -> None:
        path = tmp_path / "x.sock"
        (dead,) = open_listeners([Address(path=str(path))])
        dead.close()
        assert path.exists()
        opened += open_listeners([Address(path=str(path))])

    def test_one_in_use_is_refused_and_stays(self, tmp_path: Path, opened: list[socket.socket]) -> None:
        path = tmp_path / "x.sock"
        opened += open_listeners([Address(path=str(path))])
        with pytest.raises(ListenError, match="in use by another process"):
            open_listeners([Address(path=str(path))])
        remove_socket_files([str(path)])
        assert socket_files(opened) == (str(path),)
        assert path.exists()

    def test_a_file_that_is_no_socket_is_refused_and_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("mine")
        with pytest.raises(ListenError, match="exists and is no socket"):
            open_listeners([Address(path=str(path))])
        assert path.read_text() == "mine"

    def test_a_folder_that_is_missing_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ListenError, match="the folder .*/run does not exist"):
            open_listeners([Address(path=str(tmp_path / "run" / "x.sock"))])

    def test_a_path_that_is_too_long_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ListenError, match="too long; choose a shorter path"):
            open_listeners([Address(path=str(tmp_path / ("x" * 200)))])

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
    def test_it_is_given_to_a_user_and_a_group(self, tmp_path: Path, opened: list[socket.socket]) -> None:
        path = tmp_path / "x.sock"
        opened += open_listeners([Address(path=str(path))], unix_owner="nobody:12345", unix_permissions=0o660)
        found = path.stat()
        assert (found.st_uid, found.st_gid) == (pwd.getpwnam("nobody").pw_uid, 12345)
        assert stat.S_IMODE(found.st_mode) == 0o660

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
    def test_a_group_alone_leaves_the_user(self, tmp_path: Path, opened: list[socket.socket]) -> None:
        path = tmp_path / "x.sock"
        opened += open_listeners([Address(path=str(path))], unix_owner=":12345")
        assert (path.stat().st_uid, path.stat().st_gid) == (os.geteuid(), 12345)

    def test_who_may_not_give_it_away_is_told_and_no_file_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "x.sock"
        with ordinary_rights(), pytest.raises(ListenError, match="may not be given to 1:1 by this user; start as root"):
            open_listeners([Address(path=str(path))], unix_owner="1:1")
        assert not path.exists()

    def test_an_owner_who_does_not_exist_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ListenError, match="there is no user 'nosuchuser'"):
            open_listeners([Address(path=str(tmp_path / "x.sock"))], unix_owner="nosuchuser")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("text", "owner"),
        [
            pytest.param("0", (0, -1), id="a user by number"),
            pytest.param("0:7", (0, 7), id="a user and a group"),
            pytest.param(":7", (-1, 7), id="a group"),
            pytest.param("root:", (0, -1), id="a user by name and a colon"),
        ],
    )
    def test_an_owner_is_read_as_chown_reads_it(self, text: str, owner: tuple[int, int]) -> None:
        assert read_owner(text) == owner

    @pytest.mark.parametrize("text", ["", ":", " "])
    def test_an_owner_who_is_nobody_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="must be user, user:group or :group"):
            read_owner(text)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract sockets")
class TestAbstractSockets:
    @pytest.fixture
    def name(self) -> str:
        return f"@wheatpaste-test-{os.getpid()}-{uuid4().hex}"

    def test_it_takes_connections_and_leaves_no_file(self, name: str, opened: list[socket.socket]) -> None:
        opened += open_listeners([Address(path=name)])
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect("\0" + name[1:])
        assert socket_files(opened) == ()
        assert url_of(opened[0]) == f"unix:{name}"
        assert not is_public(opened[0])

    def test_one_in_use_is_refused(self, name: str, opened: list[socket.socket]) -> None:
        opened += open_listeners([Address(path=name)])
        with pytest.raises(ListenError, match="in use by another process; end that process first"):
            open_listeners([Address(path=name)])

    def test_a_name_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(ListenError, match="too long"):
            open_listeners([Address(path="@" + "x" * 200)])


@pytest.mark.parametrize(
    ("host", "url"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:{}/", id="this machine"),
        pytest.param("0.0.0.0", "http://127.0.0.1:{}/", id="every interface is shown as this machine"),
    ],
)
def test_a_url_opens_what_is_served(host: str, url: str) -> None:
    with closing(socket.create_server((host, 0))) as listener:
        assert url_of(listener) == url.format(listener.getsockname()[1])
        assert url_of(listener, "https", "/a").startswith("https://")
        assert url_of(listener, "https", "/a").endswith("/a/")

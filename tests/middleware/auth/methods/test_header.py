"""The method ``header``: who may name a user, and what counts as a name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from auth_named_users import NamedUsers
from hypothesis import given
from hypothesis import strategies as st
from running_server import RunningServer

from wheatpaste.config.options import OptionError
from wheatpaste.config.surroundings import Surroundings
from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.accounts.options import GroupOptions
from wheatpaste.middleware.auth.audit import Audit
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.methods.header import HeaderMethod
from wheatpaste.middleware.auth.methods.header_names import environ_key
from wheatpaste.middleware.auth.methods.header_options import HeaderOptions
from wheatpaste.middleware.auth.methods.identity_headers import FORGEABLE, PRESETS, strip_identity_headers
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore

AUTHORITY = Authority(site=Site(), store=MemoryStore(), vault=None, audit=Audit("none"))
PROXY = "10.0.0.1"
SERVERS = Path(__file__).resolve().parents[3] / "_kit" / "auth_header_servers.py"


def visit(headers: Mapping[str, str] | None = None, peer: str = PROXY, **environ: Any) -> Visit:
    sent = {environ_key(name): value for name, value in (headers or {}).items()}
    known = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "REMOTE_ADDR": peer, "SERVER_SOFTWARE": "waitress"}
    return Visit(AUTHORITY, {**known, **sent, **environ})


def identify(
    headers: Mapping[str, str], *, peer: str = PROXY, trusted: tuple[str, ...] = ("10.0.0.0/8",), **options: Any
) -> Identity | Failed | None:
    request = visit(headers, peer)
    method = HeaderMethod(HeaderOptions(**{"preset": "authelia", **options}), trusted, NamedUsers())
    method.strip(request)
    return method.identify(request)


PROXIES = {
    "authelia": {
        "Remote-User": "ada",
        "Remote-Groups": "dev,staff",
        "Remote-Name": "Ada L.",
        "Remote-Email": "ada@example.org",
    },
    "authentik": {
        "X-authentik-username": "ada",
        "X-authentik-groups": "dev|staff",
        "X-authentik-name": "Ada L.",
        "X-authentik-email": "ada@example.org",
        "X-authentik-uid": "8f",
    },
    "oauth2-proxy": {
        "X-Forwarded-User": "ada",
        "X-Forwarded-Groups": "dev,staff",
        "X-Forwarded-Email": "ada@example.org",
    },
    "oauth2-proxy-nginx": {
        "X-Auth-Request-User": "ada",
        "X-Auth-Request-Groups": "dev, staff",
        "X-Auth-Request-Email": "ada@example.org",
    },
}


@pytest.mark.parametrize("preset", PROXIES)
def test_a_preset_reads_what_its_proxy_sends(preset: str) -> None:
    found = identify(PROXIES[preset], preset=preset)
    assert isinstance(found, Identity)
    assert (found.id, found.name, found.method) == ("header:ada", "ada", "header")
    assert (found.email, found.groups) == ("ada@example.org", {"dev", "staff"})
    assert found.display in ("Ada L.", "")
    assert found.account is None


def test_tailscale_writes_names_beyond_ascii_in_encoded_words() -> None:
    headers = {"Tailscale-User-Login": "ada@example.org", "Tailscale-User-Name": "=?utf-8?q?Ad=C3=A9?="}
    found = identify(headers, preset="tailscale")
    assert isinstance(found, Identity)
    assert (found.name, found.display) == ("ada@example.org", "Adé")


def test_a_custom_proxy_says_which_headers_it_sends() -> None:
    found = identify({"X-Who": "ada", "X-Teams": "a;b"}, preset="custom", user="X-Who", groups="X-Teams", separator=";")
    assert isinstance(found, Identity)
    assert found.groups == {"a", "b"}


@pytest.mark.parametrize("preset", PROXIES)
@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("192.0.2.1", ("10.0.0.0/8",)),
        ("", ("10.0.0.0/8",)),
        ("unknown", ("10.0.0.0/8", "unix")),
        ("127.0.0.1", ("10.0.0.0/8", "unix")),
        ("::ffff:192.0.2.1", ("10.0.0.0/8",)),
    ],
    ids=["a stranger", "a socket that is not named", "an unknown peer", "this machine", "a mapped address"],
)
def test_headers_of_others_are_neither_believed_nor_left(preset: str, peer: str, trusted: tuple[str, ...]) -> None:
    request = visit(PROXIES[preset], peer)
    method = HeaderMethod(HeaderOptions(preset=preset), trusted, NamedUsers())
    assert method.identify(request) is None
    method.strip(request)
    assert method.identify(request) is None
    assert not [key for key in request.environ if key.startswith("HTTP_")]


def test_the_peer_decides_and_not_the_address_that_a_header_has_written() -> None:
    request = visit(PROXIES["authelia"], PROXY, **{"wheatpaste.peer": "192.0.2.66"})
    method = HeaderMethod(HeaderOptions(preset="authelia"), ["10.0.0.0/8"], NamedUsers())
    method.strip(request)
    assert "HTTP_REMOTE_USER" not in request.environ


@pytest.mark.parametrize("peer", ["", "10.1.2.3", "::ffff:10.0.0.1"], ids=["a socket", "a network", "a mapped address"])
def test_trusted_peers_are(peer: str) -> None:
    assert isinstance(identify({"Remote-User": "ada"}, peer=peer, trusted=("unix", "10.0.0.0/8")), Identity)


def test_headers_of_another_kind_of_proxy_go_even_where_this_one_is_believed() -> None:
    request = visit({**PROXIES["authelia"], **PROXIES["oauth2-proxy"], **PROXIES["oauth2-proxy-nginx"]})
    HeaderMethod(HeaderOptions(preset="authelia"), ["10.0.0.0/8"], NamedUsers()).strip(request)
    assert sorted(key for key in request.environ if key.startswith("HTTP_")) == sorted(
        map(environ_key, PROXIES["authelia"])
    )


def test_a_site_without_the_method_believes_nobody() -> None:
    request = visit({name: "x" for preset in PROXIES.values() for name in preset} | {"Accept": "*/*"})
    strip_identity_headers(request)
    assert [key for key in request.environ if key.startswith("HTTP_")] == ["HTTP_ACCEPT"]


def test_every_preset_is_among_what_is_stripped() -> None:
    assert {environ_key(name) for preset in PRESETS.values() for name in preset[:4] if name} <= FORGEABLE


SECRET = {"secret_header": "X-Proxy-Secret", "secret": "0123456789abcdef"}


@pytest.mark.parametrize("shown", [{}, {"X-Proxy-Secret": "0123456789abcdeF"}, {"X-Proxy-Secret": "\u20ac"}], ids=str)
def test_a_proxy_that_does_not_show_its_secret_is_not_believed(shown: dict[str, str]) -> None:
    assert identify({"Remote-User": "ada", **shown}, **SECRET) is None


def test_a_proxy_that_shows_its_secret_is_believed() -> None:
    assert isinstance(identify({"Remote-User": "ada", "X-Proxy-Secret": SECRET["secret"]}, **SECRET), Identity)
    assert SECRET["secret"] not in repr(HeaderOptions(preset="authelia", **SECRET))


@pytest.mark.parametrize(
    "value",
    ["evil,ada", "a\nb", "a\x00b", "\u20ac", "ad\xc2\x85a", "a\xe2\x80\xaeb", "x" * 256],
    ids=["two", "a newline", "NUL", "no byte", "C1 control", "direction", "long"],
)
def test_what_is_no_name_fails(value: str) -> None:
    assert isinstance(identify({"Remote-User": value}), Failed)


@pytest.mark.parametrize("value", ["", " ", "\t"], ids=["nothing", "a blank", "a tab"])
def test_nobody_is_nobody(value: str) -> None:
    assert identify({"Remote-User": value}) is None


def test_names_are_utf8_in_one_form() -> None:
    found = identify({"Remote-User": "Ade\u0301".encode().decode("latin-1")})
    assert isinstance(found, Identity)
    assert found.name == "Ad\u00e9"


@given(st.dictionaries(st.sampled_from(list(PROXIES["authelia"])), st.text(max_size=40), min_size=1))
def test_no_header_raises(headers: dict[str, str]) -> None:
    found = identify(headers)
    if isinstance(found, Identity):
        assert found.name.isprintable()
        assert "," not in found.name


@given(st.text(max_size=60))
def test_no_encoded_word_raises(text: str) -> None:
    identify({"Tailscale-User-Login": "ada", "Tailscale-User-Name": f"=?{text}"}, preset="tailscale")


@pytest.mark.parametrize("email", ["a@b.example,c@d.example", "a@b.example@c.example", "<a@b.example>", "a\nb"])
def test_a_mail_address_that_is_none_is_left_out(email: str) -> None:
    found = identify({"Remote-User": "ada", "Remote-Email": email})
    assert isinstance(found, Identity)
    assert found.email == ""


def test_a_full_name_that_cannot_be_shown_is_left_out() -> None:
    found = identify({"Remote-User": "ada", "Remote-Name": "Ada\x1b[31m"})
    assert isinstance(found, Identity)
    assert found.display == ""


@pytest.mark.parametrize(
    ("accounts", "name", "expected"),
    [
        ("none", "ada", "header:ada"),
        ("none", "eve", "header:eve"),
        ("known", "ada", "local:1"),
        ("known", "bob", "header:bob"),
        ("known", "eve", "disabled user"),
        ("required", "ada", "local:1"),
        ("required", "bob", "unknown user"),
        ("required", "eve", "disabled user"),
    ],
)
def test_a_name_may_be_one_of_our_own_users(accounts: str, name: str, expected: str) -> None:
    found = identify({"Remote-User": name, "Remote-Groups": "theirs"}, accounts=accounts)
    assert (found.reason if isinstance(found, Failed) else found and found.id) == expected
    if expected == "local:1":
        assert isinstance(found, Identity)
        assert (found.name, found.roles, found.groups) == ("Ada", {"admin"}, {"ours", "theirs"})


def test_groups_of_the_proxy_are_ours_where_that_was_said() -> None:
    ours = GroupOptions(groups={"staff": ("header/all", "corp/dev"), "boss": ("header/lead",), "any": ("header/*",)})
    method = HeaderMethod(HeaderOptions(preset="authelia"), [PROXY], NamedUsers(), groups=ours)
    found = method.identify(visit({"Remote-User": "ada", "Remote-Groups": "all,dev,boss"}))
    assert isinstance(found, Identity)
    assert found.groups == {"staff", "any"}


def test_what_is_known_here_of_a_user_of_the_proxy_is_added() -> None:
    def complete(account: Account) -> Account:
        return account._replace(roles=frozenset({"admin"}))

    method = HeaderMethod(HeaderOptions(preset="authelia"), [PROXY], NamedUsers(), complete=complete)
    found = method.identify(visit({"Remote-User": "ada"}))
    assert isinstance(found, Identity)
    assert (found.roles, found.account) == ({"admin"}, None)


def test_a_second_factor_counts_where_the_proxy_demands_one() -> None:
    found = identify({"Remote-User": "ada"}, amr=("pwd", "mfa"))
    assert isinstance(found, Identity)
    assert found.has_shown_two_factors


@pytest.mark.parametrize(
    ("options", "trusted", "message"),
    [
        ({}, (), "must name the proxy"),
        ({}, ("*",), r"must not be \*"),
        ({"preset": "custom"}, (PROXY,), "must name the header"),
        ({"secret_header": "X-S"}, (PROXY,), "secret is missing|secret: is missing"),
        ({"secret_header": "X-S", "secret": "short"}, (PROXY,), "at least 16"),
        ({"user": "Remote_User"}, (PROXY,), "letters, digits and dashes"),
        ({"amr": ("MFA!",)}, (PROXY,), "a word such as mfa"),
    ],
)
def test_options_that_would_let_anybody_in_are_refused(
    options: dict[str, Any], trusted: tuple[str, ...], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        HeaderMethod(HeaderOptions(**{"preset": "authelia", **options}), trusted, NamedUsers())


@pytest.mark.parametrize("server", [{"underscore_headers": "keep"}, {"use": "egg:wheatpaste#granian"}], ids=str)
def test_a_check_names_a_server_that_keeps_underscores(server: dict[str, str]) -> None:
    stack = Surroundings(server=server)
    (problem,) = HeaderOptions(preset="authelia").problems(stack)
    assert "underscore" in problem.what
    assert not list(HeaderOptions(preset="authelia", underscores_dropped=True).problems(stack))


# --- names with an underscore, on real servers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "software", ["WSGIServer/0.2 CPython/3.11", "PasteWSGIServer/0.5", "Cheroot/11.1", "", "new/1"]
)
def test_a_server_that_is_not_known_to_drop_underscores_gets_no_header_believed(software: str) -> None:
    method = HeaderMethod(HeaderOptions(preset="authelia"), [PROXY], NamedUsers())
    assert isinstance(method.identify(visit({"Remote-User": "ada"}, SERVER_SOFTWARE=software)), Failed)
    told = HeaderMethod(HeaderOptions(preset="authelia", underscores_dropped=True), [PROXY], NamedUsers())
    assert isinstance(told.identify(visit({"Remote-User": "ada"}, SERVER_SOFTWARE=software)), Identity)


KEEP = ("wsgiref", "paste", "cheroot")
DROP = ("waitress", "werkzeug", "gunicorn", "main")


@pytest.fixture
def server(running_server: Callable[..., RunningServer]) -> Callable[[str], RunningServer]:
    def start(name: str) -> RunningServer:
        return running_server(argv=[sys.executable, str(SERVERS), name, "{port}"], cwd=SERVERS.parent)

    return start


def answers(server: RunningServer, *headers: str) -> dict[str, Any]:
    import json

    head = "".join(f"{line}\r\n" for line in headers)
    reply = server.raw(f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n".encode())
    body: dict[str, Any] = json.loads(reply[reply.index(b"{") : reply.rindex(b"}") + 1])
    return body


@pytest.mark.slow
@pytest.mark.parametrize("name", KEEP)
def test_a_server_that_takes_underscores_for_dashes_gets_no_header_believed(
    name: str, server: Callable[[str], RunningServer]
) -> None:
    running = server(name)
    both = answers(running, "Remote-User: real", "Remote_User: evil")
    alone = answers(running, "Remote_User: evil")
    assert "evil" in both["raw"]
    assert alone["raw"] == "evil"
    assert both["name"] is alone["name"] is None
    assert "underscore" in both["reason"]
    running.wait_for("no identity header is believed")


@pytest.mark.slow
@pytest.mark.parametrize("name", DROP)
def test_a_server_that_drops_underscores_gets_headers_believed(
    name: str, server: Callable[[str], RunningServer]
) -> None:
    running = server(name)
    assert answers(running, "Remote-User: real", "Remote_User: evil")["name"] == "real"
    assert answers(running, "Remote_User: evil") | {"software": ""} == {
        "name": None,
        "reason": None,
        "raw": None,
        "software": "",
    }

"""What users change of what is known of them, and what nobody gains by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from auth_pages import CHEAP, PASSWORD, Clock, Reply, Visitor

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.accounts.options import GroupOptions, StoreOptions
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.identities import Identities
from wheatpaste.middleware.auth.oidc.admission import Admission
from wheatpaste.middleware.auth.oidc.options import OidcOptions
from wheatpaste.middleware.auth.oidc.profile import Profile
from wheatpaste.middleware.auth.pages.ways import editable
from wheatpaste.middleware.auth.passwords.options import PasswordOptions
from wheatpaste.middleware.auth.setup import authority_of
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.sources.options import UserOptions

SECRET = "7f3a9c51e2d84b06a5c1908e6fd2b743bb1e6c0d94f7a258"
PAGE = "/-/auth/account/profile"
BOTH = ("display", "email")

Made = Callable[..., Authority]


class App:
    """Keeps what it was told of who asks."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.told = environ.get("wheatpaste.identity") or {}
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Made]:
    """A site with bob, who has an address that is verified: ``make(editable=("display",))``."""
    made: list[Authority] = []

    def of(**users: Any) -> Authority:
        parts = {
            "": Site(
                secret=SECRET,
                audit=f"json:{tmp_path / 'audit.log'}",
                public_url="https://wiki.example.org",
                trusted_proxies=("192.0.2.7",),
            ),
            "password": PasswordOptions(argon2=CHEAP),
            "store": StoreOptions(url=f"sqlite:///{tmp_path / 'auth.db'}"),
            "users": UserOptions(**users),
        }
        made.append(authority_of(parts, Clock()))
        for name in ("bob", "eve"):
            account = made[-1].users.create(
                name, display=name.title(), email=f"{name}@example.org", email_verified=True
            )
            made[-1].users.set_password(account.id, made[-1].passwords.hasher.hash(PASSWORD))
        return made[-1]

    yield of
    for each in made:
        each.close()


def browser(authority: Authority, app: App, name: str = "bob", **how: Any) -> Visitor:
    made = Visitor(Guard(app, authority), scheme="https", **how)
    made.login(name)
    return made


def fill(visitor: Visitor, **values: str) -> Reply:
    return visitor.fill(visitor.get(PAGE), "/profile", **values)


def test_users_change_their_full_names(make: Made, app: App, tmp_path: Path) -> None:
    authority = make()
    bob = browser(authority, app)
    assert fill(bob, display="  Robert   the Painter ").location == f"{PAGE}?changed=1"
    account = authority.users.find("bob")
    assert account is not None
    assert (account.display, account.email, account.email_verified) == ("Robert the Painter", "bob@example.org", True)
    bob.get("/")
    assert app.told["display"] == "Robert the Painter"
    assert '"user.change"' in (tmp_path / "audit.log").read_text().splitlines()[-1]
    assert "Robert the Painter" in bob.get("/-/auth/account").words


def test_an_address_is_not_changed_unless_the_site_says_so(make: Made, app: App) -> None:
    authority = make()
    bob = browser(authority, app)
    assert 'name="email"' not in bob.get(PAGE).text
    fill(bob, display="Bob", email="evil@example.org")
    account = authority.users.find("bob")
    assert account is not None
    assert (account.email, account.email_verified) == ("bob@example.org", True)


def test_nothing_is_changed_where_the_site_wants_that(make: Made, app: App) -> None:
    authority = make(editable=())
    bob = browser(authority, app)
    assert bob.get(PAGE).code == 404
    assert PAGE not in bob.get("/-/auth/account").text


def test_a_new_address_is_not_verified(make: Made, app: App) -> None:
    authority = make(editable=BOTH)
    bob = browser(authority, app)
    bob.get("/")
    assert (app.told["email"], app.told["email_verified"]) == ("bob@example.org", True)
    assert fill(bob, email=" robert@example.org ").code == 303
    bob.get("/")
    assert (app.told["email"], app.told["email_verified"]) == ("robert@example.org", False)


def test_an_address_that_stays_stays_verified(make: Made, app: App) -> None:
    authority = make(editable=BOTH)
    fill(browser(authority, app), display="Robert", email="bob@example.org")
    account = authority.users.find("bob")
    assert account is not None
    assert (account.display, account.email_verified) == ("Robert", True)


def test_an_address_can_be_taken_back(make: Made, app: App) -> None:
    authority = make(editable=BOTH)
    bob = browser(authority, app)
    fill(bob, email="")
    fill(bob, email="bob@example.org")
    account = authority.users.find("bob")
    assert account is not None
    assert (account.email, account.email_verified) == ("bob@example.org", False), "nobody knows whose it is by now"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"display": "x" * 257}, "This name is too long"),
        ({"display": "Bob\u202egpj"}, "This name is too long"),
        ({"display": "Bob\x00"}, "This name is too long"),
        ({"email": "bob"}, "This is not a mail address."),
        ({"email": "bob@example.org, eve@example.org"}, "This is not a mail address."),
        ({"email": "bob@example.org\r\nBcc: eve@example.org"}, "This is not a mail address."),
        ({"display": "Robert", "email": "<script>"}, "This is not a mail address."),
    ],
    ids=["long", "turned", "nul", "no address", "two addresses", "a header", "both"],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    values: dict[str, str], sentence: str, make: Made, app: App
) -> None:
    authority = make(editable=BOTH)
    reply = fill(browser(authority, app), **values)
    assert (reply.code, sentence in reply.words) == (422, True)
    assert "<script>" not in reply.text
    account = authority.users.find("bob")
    assert account is not None
    assert (account.display, account.email, account.email_verified) == ("Bob", "bob@example.org", True)


@pytest.mark.parametrize("provision", ["link", "create"])
@pytest.mark.parametrize("wanted", ["eve@example.org", "EVE@example.org", "new@example.org"])
def test_nobody_is_signed_in_as_who_has_typed_their_address(provision: Any, wanted: str, make: Made, app: App) -> None:
    """Bob types the address of somebody who will sign in at a provider: that one gets no account of bob's."""
    authority = make(editable=BOTH)
    assert fill(browser(authority, app), email=wanted).code == 303
    identities: Identities = authority.identities
    admission = Admission(identities, authority.directory, authority.users, GroupOptions(), authority.audit)
    options = OidcOptions(
        issuer="https://id.example.org", client_id="x", client_secret="y", provision=provision, trust_email=True
    )
    profile = Profile("https://id.example.org", "s-1", "somebody", email=wanted, email_verified=True)
    account = admission.admit("corp", options, profile).account
    if wanted.lower().startswith("eve"):
        assert account is not None
        assert account.name == "eve", "whose address it is, as somebody has seen"
    else:
        assert (None if account is None else account.name) == (None if provision == "link" else "somebody")


@pytest.mark.parametrize(
    ("editable", "email", "told"),
    [
        (BOTH, None, "bob@example.org"),
        (BOTH, "admin@example.org", ""),
        (("display",), None, "bob@example.org"),
    ],
    ids=["verified", "typed", "nobody types any"],
)
def test_programs_behind_a_proxy_are_told_of_no_address_that_was_typed(
    editable: tuple[str, ...], email: str | None, told: str, make: Made, app: App
) -> None:
    authority = make(editable=editable)
    bob = browser(authority, app)
    if email is not None:
        fill(bob, email=email)
    reply = bob.get("/-/auth/verify", HTTP_X_ORIGINAL_URL="https://wiki.example.org/", HTTP_X_ORIGINAL_METHOD="GET")
    assert reply.code == 200, reply
    assert reply.header("Remote-Email") == told


def test_who_signed_in_long_ago_shows_who_it_is_first(make: Made, app: App) -> None:
    authority = make()
    bob = browser(authority, app)
    page = bob.get(PAGE)
    authority.clock.move(3000)  # type: ignore[attr-defined]
    assert bob.fill(page, "/profile", display="Eve").location.startswith("/-/auth/confirm?")
    account = authority.users.find("bob")
    assert account is not None
    assert account.display == "Bob"


def test_users_of_other_sources_change_nothing_here(make: Made) -> None:
    authority = make(editable=BOTH)
    assert editable(authority, Account("ldap:ann", "ann", "ldap")) == frozenset()


def test_it_speaks_german(make: Made, app: App) -> None:
    authority = make(editable=BOTH)
    bob = browser(authority, app, language="de")
    assert "E-Mail-Adresse" in bob.get(PAGE).words
    assert "Das ist keine E-Mail-Adresse." in fill(bob, email="bob").words

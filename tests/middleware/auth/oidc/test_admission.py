"""Which account a user of a provider gets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hostile_provider import HostileProvider
from hypothesis import given
from hypothesis import strategies as st
from oidc_site import OidcSite, log_in

from wheatpaste.middleware.auth.claims import claim_at
from wheatpaste.middleware.auth.oidc.profile import address_in, groups_in
from wheatpaste.testing import Client

Made = Callable[..., OidcSite]


def who(browser: Client) -> str:
    return browser.get("/page").text.split()[0]


def names(site: OidcSite) -> list[str]:
    return [each.name for each in site.users.all()]


def test_the_same_subject_and_mail_at_two_providers_are_two_accounts(
    make_site: Made, provider: HostileProvider, make_provider: Callable[[], HostileProvider]
) -> None:
    other = make_provider()
    site = make_site(providers={"corp": provider, "other": other})
    for each in (provider, other):
        each.user |= {"email": "alice@example.org", "email_verified": True}
    one, two = site.browser(), site.browser()
    log_in(one)
    log_in(two, "other")
    assert (who(one), who(two)) == ("alice", "alice-other")
    assert len({each.id for each in site.users.all()}) == 2
    again = site.browser()
    log_in(again, "other")
    assert who(again) == "alice-other", "and each is the same user the next time"


def test_a_new_user_gets_no_account_that_is_there(make_site: Made, provider: HostileProvider) -> None:
    site = make_site()
    ours = site.users.create("alice", email="alice@example.org", email_verified=True)
    provider.user |= {"email": "alice@example.org", "email_verified": True}
    browser = site.browser()
    log_in(browser)
    assert who(browser) == "alice-corp"
    assert site.identities.of(ours.id) == []


@pytest.mark.parametrize(
    "name", ["ALICE", "аlice", "alice\u0301", " alice", "alice\n", "", "x" * 300, "a/b", None, 7, ["alice"]]
)
def test_names_that_pass_for_others_or_are_none(make_site: Made, provider: HostileProvider, name: Any) -> None:
    site = make_site()
    site.users.create("alice")
    provider.user["preferred_username"] = name
    browser = site.browser()
    assert log_in(browser).status == 303
    assert who(browser) != "alice"
    assert len(names(site)) == 2


def test_a_user_who_is_renamed_at_the_provider_is_the_same(site: OidcSite, provider: HostileProvider) -> None:
    log_in(site.browser())
    provider.user["preferred_username"] = "bob"
    browser = site.browser()
    log_in(browser)
    assert who(browser) == "alice"
    assert names(site) == ["alice"]


@pytest.mark.parametrize("provision", ["deny", "link"])
def test_who_is_not_known_is_not_let_in(make_site: Made, provider: HostileProvider, provision: str) -> None:
    site = make_site(provision=provision)
    assert log_in(site.browser()).status == 403
    assert names(site) == []
    assert site.reasons() == ["oidc: user of the provider not known here"]


def test_who_was_linked_before_is_let_in_where_all_others_are_denied(
    make_site: Made, provider: HostileProvider
) -> None:
    site = make_site(provision="deny")
    account = site.users.create("alice.anders")
    site.identities.link(provider.issuer, "alice-1", account.id, "corp")
    browser = site.browser()
    log_in(browser)
    assert who(browser) == "alice.anders"


@pytest.mark.parametrize(
    ("options", "claims", "ours", "is_linked"),
    [
        pytest.param({"trust_email": True}, {"email_verified": True}, {}, True, id="it links verified mail"),
        pytest.param({"trust_email": False}, {"email_verified": True}, {}, False, id="it does not without trust"),
        pytest.param({"trust_email": True}, {}, {}, False, id="it does not what nobody has verified"),
        pytest.param({"trust_email": True}, {"email_verified": False}, {}, False, id="it does not what is unverified"),
        pytest.param(
            {"trust_email": True}, {"email_verified": "true"}, {}, False, id="it does not take a text for true"
        ),
        pytest.param({"trust_email": True}, {"email_verified": 1}, {}, False, id="it does not take a number for true"),
        pytest.param(
            {"trust_email": True},
            {"email_verified": True},
            {"email_verified": False},
            False,
            id="it does not link where our user has not shown the address",
        ),
        pytest.param(
            {"trust_email": True},
            {"email_verified": True},
            {"disabled": True},
            False,
            id="it does not link disabled ones",
        ),
        pytest.param(
            {"trust_email": True, "provision": "deny"}, {"email_verified": True}, {}, False, id="it does not under deny"
        ),
    ],
)
def test_linking_by_mail(
    make_site: Made, provider: HostileProvider, options: Any, claims: Any, ours: Any, is_linked: bool
) -> None:
    site = make_site(**{"provision": "link", **options})
    account = site.users.create("anders", **{"email": "alice@example.org", "email_verified": True, **ours})
    provider.user |= {"email": "Alice@example.org", **claims}
    browser = site.browser()
    assert (log_in(browser).status == 303) is is_linked
    assert bool(site.identities.of(account.id)) is is_linked
    assert who(browser) == ("anders" if is_linked else "-")


def test_an_address_that_letters_of_other_languages_fold_to_links_nobody(
    make_site: Made, provider: HostileProvider
) -> None:
    site = make_site(provision="link", trust_email=True)
    account = site.users.create("anders", email="anders@straße.de", email_verified=True)
    provider.user |= {"email": "anders@strasse.de", "email_verified": True}
    assert log_in(site.browser()).status == 403
    assert site.identities.of(account.id) == []


def test_a_mail_address_that_the_provider_gives_to_another_links_no_more(
    make_site: Made, provider: HostileProvider
) -> None:
    site = make_site(provision="link", trust_email=True)
    site.users.create("anders", email="alice@example.org", email_verified=True)
    provider.user |= {"email": "alice@example.org", "email_verified": True}
    assert log_in(site.browser()).status == 303
    provider.user["sub"] = "alice-2"
    assert log_in(site.browser()).status == 403


def test_two_users_with_one_address_are_linked_to_none(make_site: Made, provider: HostileProvider) -> None:
    site = make_site(provision="link", trust_email=True)
    for name in ("one", "two"):
        site.users.create(name, email="alice@example.org", email_verified=True)
    provider.user |= {"email": "alice@example.org", "email_verified": True}
    assert log_in(site.browser()).status == 403


@pytest.mark.parametrize(
    "address",
    [
        "alice@example.org@evil.example",
        "alice@evil.example@example.org",
        '"alice@example.org"@evil.example',
        "alice@example.org\n",
        "alice@example.org,bob@example.org",
        "<alice@example.org>",
        "Alice <alice@example.org>",
        " alice@example.org",
        "alice@example.org ",
        "alice@example.org\0",
        "alice%example.org@evil.example\t",
        "alice@exаmple.org",
        "alice@[127.0.0.1]",
        "alice@example..org",
        "alice@-example.org",
        ".alice@example.org",
        "alice@example",
        "@example.org",
        "alice@",
        "alice",
        "a" * 250 + "@example.org",
        7,
        ["alice@example.org"],
        None,
    ],
)
def test_addresses_that_somebody_could_read_otherwise_are_none(address: Any) -> None:
    assert address_in({"email": address, "email_verified": True}) == ("", False)


@pytest.mark.parametrize("address", ["alice@example.org", "a.b+c@mail.example.co.uk", "O'Neil@example.org"])
def test_ordinary_addresses_are_read(address: str) -> None:
    assert address_in({"email": address, "email_verified": True}) == (address, True)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_claims_of_any_shape_are_read_without_an_error(value: Any) -> None:
    claims = {"email": value, "email_verified": value, "groups": value, "a": {"b": value}}
    assert address_in(claims)[0].count("@") <= 1
    for path in ("groups", "a.b", "a.b.c", "a.b.c.d"):
        found = groups_in(claims, path)
        assert found is None or all(isinstance(each, str) for each in found)


@pytest.mark.parametrize(
    ("claims", "path", "found"),
    [
        ({"realm_access": {"roles": ["x"]}}, "realm_access.roles", ["x"]),
        ({"https://example.org/groups": ["x"]}, "https://example.org/groups", ["x"]),
        ({"a": 1}, "a.b", None),
        ({}, "a", None),
    ],
)
def test_dots_lead_into_objects_unless_the_claim_has_dots_itself(claims: Any, path: str, found: Any) -> None:
    assert claim_at(claims, path) == found


def test_only_members_of_allowed_groups_get_in(make_site: Made, provider: HostileProvider) -> None:
    site = make_site(groups_claim="groups", allow_groups=("wiki", "staff"))
    for groups, status in ((["other"], 403), ([], 403), (None, 403), ("wiki other", 303), (["staff"], 303)):
        provider.user["groups"] = groups
        assert log_in(site.browser()).status == status, groups
    assert site.reasons() == ["oidc: not in an allowed group"] * 3
    assert names(site) == ["alice"], "and nobody else became a user"


@pytest.mark.parametrize("what", ["disable", "delete"])
def test_a_user_who_may_not_enter_here_does_not(site: OidcSite, what: str) -> None:
    browser = site.browser()
    log_in(browser)
    account = site.users.find("alice")
    assert account is not None
    getattr(site.users, what)(account.id)
    assert who(browser) == "-", "the session has ended"
    assert log_in(site.browser()).status == 403


def test_who_is_forgotten_can_be_a_new_user(site: OidcSite) -> None:
    log_in(site.browser())
    account = site.users.find("alice")
    assert account is not None
    site.users.delete(account.id)
    site.identities.forget(account.id)
    browser = site.browser()
    assert log_in(browser).status == 303
    fresh = site.users.find("alice")
    assert fresh is not None
    assert fresh.id != account.id


def test_of_two_browsers_of_one_new_user_one_makes_the_account(site: OidcSite) -> None:
    start, found = threading.Barrier(4), []

    def come() -> None:
        browser = site.browser()
        start.wait(10)
        log_in(browser)
        found.append(who(browser))

    threads = [threading.Thread(target=come) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(names(site)) == 1

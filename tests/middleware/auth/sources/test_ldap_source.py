"""It asks a real directory for users, groups and passwords, and nobody in its place."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from auth_guarded_site import GuardedSite
from ldap_server import SEARCHER, SEARCHER_PASSWORD, LdapServer, ldap_server
from prerequisites import lacking
from running_server import free_port

from wheatpaste.config.options import OptionError, parsed
from wheatpaste.config.problems import ConfigError
from wheatpaste.config.surroundings import Surroundings
from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.sources import ldap_source
from wheatpaste.middleware.auth.sources.ldap_options import LdapOptions
from wheatpaste.middleware.auth.sources.ldap_source import LdapSource
from wheatpaste.middleware.auth.sources.options import UserOptions, sources_of
from wheatpaste.middleware.storage.store import StoreError
from wheatpaste.testing import Clock

RIGHT = "gelbe Ampel"
BASE = "ou=people,dc=example,dc=org"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LdapServer]:
    if importlib.util.find_spec("ldap") is None:
        lacking("python-ldap")
    with ldap_server(tmp_path_factory.mktemp("ldap")) as running:
        yield running


def source_of(server: LdapServer, clock: Clock | None = None, **other: Any) -> LdapSource:
    options = LdapOptions(
        **{
            "url": (server.url,),
            "ca_file": server.ca_file,
            "bind_dn": SEARCHER,
            "bind_password": SEARCHER_PASSWORD,
            "base": BASE,
            "group_base": "ou=groups,dc=example,dc=org",
            "timeout": 10.0,
            **other,
        }
    )
    return LdapSource(options, (clock or Clock()).monotonic)


@pytest.mark.slow
def test_it_finds_users_with_their_groups(server: LdapServer) -> None:
    source = source_of(server)
    bob = source.find("BOB")
    assert bob is not None
    assert (bob.name, bob.display, bob.email) == ("Bob", "Bob B.", "bob@example.org")
    assert bob.groups == {"staff", "unix"}
    assert bob.id.startswith("ldap:")
    assert len(bob.id) == len("ldap:") + 36
    assert source_of(server).get(bob.id) == bob
    assert source.find("nobody") is None
    assert source.get("ldap:00000000-0000-0000-0000-000000000000") is None


@pytest.mark.slow
def test_passwords_are_asked_of_the_directory(server: LdapServer) -> None:
    site = GuardedSite(source_of(server))
    assert isinstance(site.passwords.check(site.visit(), "bob", RIGHT), Account)
    for name, password in (("bob", "falsch"), ("nopass", RIGHT), ("nobody", RIGHT), ("bob", "")):
        before = site.hasher.computations
        assert isinstance(site.passwords.check(site.visit(), name, password), Failed)
        assert site.hasher.computations - before == (1 if password else 0)


@pytest.mark.slow
def test_an_empty_password_is_nobodys(server: LdapServer) -> None:
    source = source_of(server)
    bob = source.find("bob")
    assert bob is not None
    assert source.verify(bob, "") is False
    assert source.verify(bob, "\0") is False
    assert source.verify(bob, RIGHT) is True


@pytest.mark.slow
def test_characters_that_mean_something_to_filters_and_names_are_only_characters(server: LdapServer) -> None:
    site = GuardedSite(source_of(server))
    found = site.passwords.check(site.visit(), "jos\u00e9 (the , one)", RIGHT)
    assert isinstance(found, Account)
    assert found.groups == {"staff"}


@pytest.mark.slow
def test_somebody_may_log_in_with_the_mail_address_where_the_filter_says_so(server: LdapServer) -> None:
    either = source_of(server, filter="(|(uid={name})(mail={name}))")
    bob = either.find("BOB@example.org")
    assert bob is not None
    assert bob.name == "Bob"
    assert source_of(server).find("bob@example.org") is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bob ", " bob", "  BOB  "])
def test_a_name_with_blanks_that_the_directory_overlooks_is_another_name(server: LdapServer, name: str) -> None:
    assert source_of(server).find(name) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["*", "B*", "bob)(uid=*", "bob)(|(uid=*", "*)(objectClass=*", "bob\\2a", "(bob)", "\\"]
)
def test_a_name_is_no_filter(server: LdapServer, name: str) -> None:
    assert source_of(server).find(name) is None


@pytest.mark.slow
def test_two_users_of_one_name_are_nobody(server: LdapServer, caplog: pytest.LogCaptureFixture) -> None:
    assert source_of(server).find("twice") is None
    assert "more than one user" in caplog.text


@pytest.mark.slow
def test_what_is_known_is_good_for_a_while_and_a_login_always_asks(server: LdapServer) -> None:
    clock = Clock()
    source = source_of(server, clock)
    bob = source.find("bob")
    assert bob is not None
    server.change(
        "dn: cn=staff,ou=groups,dc=example,dc=org\nchangetype: modify\ndelete: member\nmember: "
        "uid=Bob,ou=people,dc=example,dc=org\n"
    )
    try:
        assert source.get(bob.id) == bob
        clock.advance(301)
        later = source.get(bob.id)
        assert later is not None
        assert later.groups == {"unix"}
    finally:
        server.change(
            "dn: cn=staff,ou=groups,dc=example,dc=org\nchangetype: modify\nadd: member\nmember: "
            "uid=Bob,ou=people,dc=example,dc=org\n"
        )
    assert source.get(bob.id) == later
    assert source.find("bob") == bob


@pytest.mark.slow
def test_who_does_not_match_any_more_is_gone(server: LdapServer) -> None:
    source = source_of(server)
    bob = source.find("bob")
    assert bob is not None
    assert source_of(server, filter="(&(uid={name})(sn=X))").get(bob.id) is None


@pytest.mark.slow
def test_both_ways_to_secure_a_connection_work_and_both_look_at_the_certificate(
    server: LdapServer, tmp_path: Path
) -> None:
    import trustme

    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    for url in (server.url, server.tls_url):
        assert source_of(server, url=(url,)).find("bob") is not None
        with pytest.raises(StoreError, match="cannot be asked"):
            source_of(server, url=(url,), ca_file=stranger).find("bob")
    assert source_of(server, tls="none").find("bob") is not None


@pytest.mark.slow
def test_a_server_that_takes_nobody_without_a_name_is_asked_all_the_same(tmp_path: Path) -> None:
    with ldap_server(tmp_path, "disallow bind_anon") as strict:
        for url in (strict.url, strict.tls_url):
            assert source_of(strict, url=(url,)).find("bob") is not None


@pytest.mark.slow
def test_the_next_server_is_asked_where_one_is_gone(server: LdapServer) -> None:
    gone = f"ldap://localhost:{free_port()}"
    assert source_of(server, url=(gone, server.url)).find("bob") is not None
    with pytest.raises(StoreError, match="cannot be asked"):
        source_of(server, url=(gone,)).find("bob")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"bind_password": "wrong"}, "does not take the password of cn=wiki"),
        ({"base": "ou=gone,dc=example,dc=org"}, "has no ou=gone"),
        ({"filter": "((({name}"}, "cannot be asked"),
    ],
)
def test_a_mistake_in_the_configuration_lets_nobody_in(server: LdapServer, other: dict[str, Any], what: str) -> None:
    with pytest.raises(StoreError, match=what) as caught:
        source_of(server, **other).find("bob")
    assert SEARCHER_PASSWORD not in str(caught.value)
    assert "wrong" not in str(caught.value)


@pytest.mark.slow
def test_what_has_no_id_is_nobody(server: LdapServer, caplog: pytest.LogCaptureFixture) -> None:
    assert source_of(server, id_attribute="employeeNumber").find("bob") is None
    assert "has no employeeNumber" in caplog.text


@pytest.mark.slow
def test_any_attribute_may_be_the_id(server: LdapServer) -> None:
    source = source_of(server, id_attribute="mail")
    bob = source.find("bob")
    assert bob is not None
    assert bob.id == "ldap:bob@example.org"
    assert source_of(server, id_attribute="mail").get(bob.id) == bob


def test_ids_of_bytes_are_written_and_found_again() -> None:
    pytest.importorskip("ldap")
    guid = bytes(range(250, 256)) + b"*(\\)\0x1234"
    assert ldap_source._id_text(guid) == "*" + guid.hex()
    assert ldap_source._id_filter("ldap:*" + guid.hex()) == "".join(f"\\{byte:02x}" for byte in guid)
    assert ldap_source._id_filter("ldap:a*b") == "a\\2ab"


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"url": ("https://ldap.example.org",)}, "must be ldaps://HOST"),
        ({"url": ()}, "must not be empty"),
        ({"filter": "(uid=bob)"}, "must hold {name}"),
        ({"bind_dn": "cn=wiki"}, "bind_password: is missing"),
    ],
)
def test_wrong_options_are_told(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(OptionError, match=what):
        LdapOptions(**{"url": ("ldaps://h",), "base": BASE, **wrong})


@pytest.mark.parametrize(
    ("url", "tls", "is_told"),
    [
        ("ldap://ldap.example.org", "none", True),
        ("ldap://ldap.example.org", "starttls", False),
        ("ldaps://ldap.example.org", "none", False),
        ("ldap://127.0.0.1", "none", False),
        ("ldapi://%2Frun%2Fldapi", "none", False),
    ],
)
def test_a_check_tells_where_passwords_travel_in_clear(url: str, tls: str, is_told: bool) -> None:
    options = parsed(LdapOptions, {"url": (url,), "tls": tls, "base": BASE})
    assert [each.key for each in options.problems(Surroundings())] == ["tls"] * is_told


def test_a_source_without_its_section_is_a_mistake() -> None:
    with pytest.raises(OptionError, match="has ldap, and there is no section for it"):
        sources_of(UserOptions(source=("ldap",)), "wiki")


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ldap_source, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'wheatpaste\[ldap\]'"):
        LdapSource(LdapOptions(url=("ldaps://h",), base=BASE))

"""What a check says of the sections of a site's authentication, taken together and where they stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.check import check_file
from wheatpaste.middleware.auth.key_file import make_key_file

Told = Callable[..., list[str]]

SITE = """
[server:main]
use = egg:wheatpaste#main
{server}

[pipeline:main]
pipeline = {around} auth wiki

[filter:auth]
use = egg:wheatpaste#auth

[filter:prefix]
use = egg:wheatpaste#prefix

[app:wiki]
use = egg:wheatpaste#echo

[auth:main]
{site}
"""
KEY = "secret = %(here)s/auth.key\n"
STORED = "[auth:main:store]\nurl = sqlite:///%(here)s/auth.db\n"
TICKETS = "0b1fe29c27d4e8a5f3609b7c1d2e4f5a68"
OPEN = "host = 0.0.0.0"
CORP = """[auth:main:oidc:corp]
issuer = https://id.example.org
client_id = wiki
client_secret = 1f0e9d8c7b6a5f4e3d2c
"""
MAIL = "[auth:main:mail]\nsmtp_server = mail.example.org:587\nfrom_address = wiki@example.org\n"
PROXIED = "public_url = https://wiki.example.org\n"


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Checks a site: severity, section, key and beginning of each complaint."""
    make_key_file(tmp_path / "auth.key")
    path = tmp_path / "site.ini"

    def check(site: str, server: str = "", around: str = "") -> list[str]:
        path.write_text(SITE.format(site=site, server=server, around=around))
        return [
            f"{each.severity} {(each.section or '').removeprefix('auth:main') or '-'} {each.key or '-'}: {each.what}"
            for each in check_file(str(path))
            if each.code != "unused-section"
        ]

    return check


def test_a_site_without_mistakes_is_fine(told: Told) -> None:
    assert told(KEY) == []
    assert told(f"{KEY}{PROXIED}{STORED}", OPEN) == []


MISTAKES = {
    "no secret": ("", "error - secret: is missing: nothing can be signed"),
    "a secret that can be guessed": ("secret = four words and no more", "error - secret: has 22 characters; 32 are"),
    "methods without their sections": (
        f"{KEY}methods = session tkt header\ntrusted_proxies = 127.0.0.1",
        "error - methods: names tkt and header, and there is no section [auth:main:tkt] with the secret of the tickets,"
        " nor [auth:main:header] with",
    ),
    "nothing for anybody": (f"{KEY}default = deny", "warning - default: lets nobody see anything"),
    "templates that are not there": (f"{KEY}templates = %(here)s/none", "error - templates: is no folder"),
    "an audit log somewhere": (f"{KEY}audit = json:audit.log", "warning - audit: is a file in the folder in which"),
    "a database somewhere": (
        f"{KEY}[auth:main:store]\nurl = sqlite:///auth.db",
        "warning :store url: is a file in the folder in which",
    ),
    "a port that cannot be": (
        f"{KEY}[auth:main:store]\nsessions = redis://cache:99999/0",
        "error :store sessions: has a port that does not exist",
    ),
    "tickets without a secret": (f"{KEY}methods = session tkt", "error - methods: names tkt, and there is no section"),
    "certificates of nobody": (f"{KEY}methods = certificate", "error - methods: names certificate, and there is no"),
    "a header of no proxy": (
        f"{KEY}methods = header\n[auth:main:header]\npreset = custom\nuser = X-User",
        "error - trusted_proxies: must name the proxy",
    ),
    "a header of everybody": (
        f"{KEY}methods = header\ntrusted_proxies = *\n[auth:main:header]\npreset = custom\nuser = X-User",
        "error - trusted_proxies: must not be *",
    ),
    "certificates of no proxy": (
        f"{KEY}methods = certificate\n[auth:main:certificate]\nsource = nginx\nuser = cn",
        "error - trusted_proxies: must name the proxy",
    ),
    "passkeys of another domain": (
        f"{KEY}{PROXIED}login = passkey\n[auth:main:passkeys]\ndomain = example.com",
        "error :passkeys domain: must be wiki.example.org",
    ),
    "tickets for sessions that are none": (
        f"{KEY}methods = tkt\n[auth:main:tkt]\nsecret = {TICKETS}",
        "error - methods: must name session, too: tickets",
    ),
    "a provider without sessions": (
        f"{KEY}{PROXIED}methods = basic\nlogin = oidc:corp\n{CORP}",
        "error - methods: must name session: a login at a provider",
    ),
    "a section of no method": (f"{KEY}[auth:main:basic]\ncache = 0", "warning :basic -: does nothing"),
    "signed tokens of nobody": (f"{KEY}methods = jwt", "error - methods: names jwt, and there is no section"),
    "an issuer whose tokens are not asked for": (
        f"{KEY}[auth:main:jwt:corp]\nissuer = https://id.example.org\naudience = wiki",
        "warning :jwt:corp -: does nothing: [auth:main] has no jwt",
    ),
    "sessions of a site without": (
        f"{KEY}methods = basic\n[auth:main:session]\nidle = 1h",
        "warning :session -: does nothing: [auth:main] has no session",
    ),
    "a directory that is not asked": (
        f"{KEY}[auth:main:ldap]\nurl = ldaps://ldap.example.org\nbase = dc=example",
        "warning :ldap -: does nothing: [auth:main:users] has no ldap",
    ),
    "a provider that is not there": (f"{KEY}{PROXIED}login = oidc:corp", "error - login: names oidc:corp"),
    "passkeys of no address": (f"{KEY}login = passkey", "error - public_url: is missing, and login has passkey"),
    "mails without an address of the site": (
        f"{KEY}{MAIL}",
        "error - public_url: is missing: the links in mails begin with it",
    ),
    "mails from nobody": (
        f"{KEY}{PROXIED}[auth:main:mail]\nsmtp_server = mail.example.org",
        "error :mail -: 'from_address' is",
    ),
    "mails from two at once": (
        f"{KEY}{PROXIED}[auth:main:mail]\nsmtp_server = mail.example.org\nfrom_address = a@b.example, c@d.example",
        "error :mail from_address: must be a mail address",
    ),
    "links in clear": (f"{KEY}{PROXIED}{MAIL}smtp_use_tls = false", "warning :mail smtp_use_tls: is off, so links"),
    "a password for a mail server, and no user": (
        f"{KEY}{PROXIED}{MAIL}smtp_password = hush-hush",
        "warning :mail smtp_password: is of no use without a user",
    ),
    "a user of a mail server without a password": (
        f"{KEY}{PROXIED}{MAIL}smtp_username = wiki",
        "warning :mail smtp_username: is of no use without its password",
    ),
    "a provider that is not offered": (
        f"{KEY}{PROXIED}{CORP}",
        "warning :oidc:corp -: is not offered",
    ),
    "a folder that is not there": (
        f"{KEY}[auth:main:store]\nurl = sqlite:///%(here)s/none/auth.db",
        "error :store url: is a file in a folder that is not there",
    ),
    "a folder for sessions that is not there": (
        f"{KEY}{STORED}sessions = sqlite:///%(here)s/none/sessions.db",
        "error :store sessions: is a file in a folder that is not there",
    ),
    "a second factor that cannot be had": (
        f"{KEY}[auth:main:mfa]\ntotp = off\nrequire_for = role:admin",
        "warning :mfa require_for: names who needs a second factor",
    ),
    "passkeys that are no second factor": (
        f"{KEY}{PROXIED}login = password passkey\n[auth:main:mfa]\ntotp = off\npasskeys = false\nrequire_for = role:a",
        "warning :mfa require_for: names who needs a second factor",
    ),
}


@pytest.mark.parametrize(("site", "complaint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_where_it_stands(site: str, complaint: str, told: Told) -> None:
    found = told(site)
    assert [each[: len(complaint)] for each in found] == [complaint]


REACHED = {
    "users in memory": (KEY + PROXIED, OPEN, "warning - -: keeps users and sessions in memory alone"),
    "users in the memory of each process": (KEY, "workers = 2", "error - -: keeps users and sessions in the memory of"),
    "sessions in the memory of each process": (
        f"{KEY}{STORED}sessions = memory:",
        "workers = auto",
        "error :store sessions: keeps sessions and counters in the memory of each process",
    ),
    "users in memory and their sessions elsewhere": (
        f"{KEY}{PROXIED}[auth:main:store]\nsessions = sqlite:///%(here)s/sessions.db",
        OPEN,
        "warning :store url: keeps users in memory alone",
    ),
    "passwords with each request": (
        f"{KEY}methods = basic\nallow_insecure = true\n{STORED}",
        OPEN,
        "warning - allow_insecure: lets passwords go over the network in clear",
    ),
    "passwords of the login page": (KEY + STORED, OPEN, "warning - login: takes passwords over plain http"),
}


@pytest.mark.parametrize(("site", "server", "complaint"), REACHED.values(), ids=REACHED)
def test_what_others_reach_is_looked_at_more_closely(site: str, server: str, complaint: str, told: Told) -> None:
    found = told(site, server)
    assert [each[: len(complaint)] for each in found] == [complaint]


@pytest.mark.parametrize(
    ("site", "server", "around"),
    [
        (PROXIED, OPEN, ""),
        ("trusted_proxies = 10.0.0.1\n", OPEN, ""),
        ("", OPEN, "prefix"),
        ("", f"{OPEN}\ntls_certificate = cert.pem\ntls_key = key.pem", ""),
        ("", f"{OPEN}\nurl_scheme = https", ""),
        ("login = oidc:corp\n", OPEN, ""),
        ("methods = basic\n", OPEN, ""),
        ("", "host = 127.0.0.1", ""),
    ],
    ids=[
        "address",
        "proxy",
        "filter of a proxy",
        "TLS",
        "TLS of others",
        "no password",
        "no login page",
        "this machine",
    ],
)
def test_passwords_that_nobody_can_read_on_the_way_are_none_of_them(
    site: str, server: str, around: str, told: Told
) -> None:
    assert not [each for each in told(f"{KEY}{site}{STORED}", server, around) if "plain http" in each]


def test_what_to_write_is_said_by_the_name_of_the_site(told: Told, tmp_path: Path) -> None:
    told(KEY, OPEN)
    path = tmp_path / "site.ini"
    path.write_text(path.read_text().replace("[auth:main]", "[auth:wiki]").replace("#auth", "#auth\nauth = wiki", 1))
    fixes = [each.fix for each in check_file(str(path)) if "in memory alone" in each.what]
    assert fixes == ["name a file: [auth:wiki:store] url = sqlite:///%(here)s/auth.db"]


def test_a_slash_too_few_before_a_whole_path_is_known_for_what_it_is(tmp_path: Path) -> None:
    make_key_file(tmp_path / "auth.key")
    path = tmp_path / "site.ini"
    path.write_text(SITE.format(site=f"{KEY}[auth:main:store]\nurl = sqlite://%(here)s/auth.db", server="", around=""))
    assert [each.fix for each in check_file(str(path)) if each.code != "unused-section"] == [
        "write sqlite:///%(here)s/auth.db, with a third slash before %(here)s"
    ]


def test_what_a_site_is_told_to_write_for_its_key_is_what_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "site.ini"
    path.write_text(SITE.format(site="", server="", around=""))
    (told,) = [each.message for each in check_file(str(path)) if each.key == "secret"]
    assert told.endswith("; write secret = %(here)s/auth.key, and make that file: wheatpaste auth FILE init")

"""AuthKit's keys, one by one: what each comes to, or what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.config.mounts import KeyProblem
from wheatpaste.middleware.auth.authkit_filter.keys import KEYS, belongs, complaint_about_key, read
from wheatpaste.middleware.auth.authkit_filter.wishes import Template, Text, Users, Wishes

SECRET = "c51f0be93a7d42e8916b0f3ad5e7c284"
FORM = {
    "authkit.setup.method": "form, cookie",
    "authkit.form.authenticate.user.data": "ada:lovelace admin",
    "authkit.cookie.secret": SECRET,
}
BASIC = {"authkit.setup.method": "basic", "authkit.basic.authenticate.user.data": "ada:lovelace"}
DIGEST = {"authkit.setup.method": "digest", "authkit.digest.authenticate.user.data": "ada:lovelace"}


def wishes(keys: Mapping[str, str], **options: Any) -> tuple[Wishes, list[KeyProblem]]:
    return read({key: Text(text, "/srv/wiki") for key, text in keys.items()}, **options)


def errors(keys: Mapping[str, str], **options: Any) -> list[str]:
    return [f"{each.key}: {each.what}" for each in wishes(keys, **options)[1] if each.severity == "error"]


def warnings(keys: Mapping[str, str], **options: Any) -> list[str]:
    return [f"{each.key}: {each.what}" for each in wishes(keys, **options)[1] if each.severity == "warning"]


@pytest.mark.parametrize("keys", [FORM, BASIC, DIGEST], ids=["form", "basic", "digest"])
def test_the_smallest_configurations_are_right(keys: dict[str, str]) -> None:
    found, problems = wishes(keys)
    assert not problems
    assert found.users == Users("text", data=keys[next(key for key in keys if key.endswith("data"))])


def test_the_prefix_may_be_left_out() -> None:
    assert wishes({key.removeprefix("authkit."): text for key, text in FORM.items()}) == wishes(FORM)


def test_a_key_that_is_there_with_and_without_its_prefix_is_there_twice() -> None:
    assert errors({**FORM, "cookie.secret": "x" * 40}) == ["cookie.secret: says the same as 'authkit.cookie.secret'"]


@pytest.mark.parametrize("text", ["form,cookie", "cookie, form", " FORM ,  Cookie,form "], ids=repr)
def test_the_order_of_methods_does_not_matter(text: str) -> None:
    found, problems = wishes({**FORM, "authkit.setup.method": text})
    assert not problems
    assert {*found.methods} == {"form", "cookie"}


FORWARD = {"authkit.setup.method": "forward, cookie", "authkit.cookie.secret": SECRET}
REDIRECT = {"authkit.setup.method": "redirect, cookie", "authkit.cookie.secret": SECRET}
BASES = {"basic": BASIC, "digest": DIGEST, "forward": FORWARD, "redirect": REDIRECT}
"""The configuration beside which a key is read, by the group of the key; that of a form for all others."""

HERE = str(Path(__file__).resolve())
HONOURED: list[tuple[str, str, str, Any]] = [
    ("setup.method", "cookie, form", "methods", ("cookie", "form")),
    ("setup.enable", "false", "enable", False),
    ("setup.fakeuser", "eve", "fakeuser", "eve"),
    ("setup.intercept", "401, 403", "intercept", ("401", "403")),
    ("config.colour", "blue", "config.colour", "blue"),
    ("basic.realm", "Wiki", "realm", "Wiki"),
    ("digest.realm", "Wiki", "realm", "Wiki"),
    *(
        row
        for method in ("basic", "digest", "form")
        for row in (
            (f"{method}.authenticate.function", "shop.auth:check", "users.function", "shop.auth:check"),
            (f"{method}.authenticate.user.type", "authkit.users.UsersFromFile", "users.kind", "file"),
            (f"{method}.authenticate.user.type", "authkit.users:UsersFromString", "users.kind", "text"),
            (f"{method}.authenticate.user.type", "shop.users.People", "users.type", "shop.users:People"),
            (f"{method}.authenticate.user.data", "bob:builder", "users.data", "bob:builder"),
        )
    ),
    *(
        row
        for method in ("basic", "form")
        for row in (
            (f"{method}.authenticate.user.encrypt", "authkit.users:md5", "users.encrypt", "authkit.users:md5"),
            (f"{method}.authenticate.user.encrypt", "shop.crypt:rot13", "users.encrypt", "shop.crypt:rot13"),
            (f"{method}.authenticate.user.encrypt.secret", "pepper", "users.encrypt_secret", "pepper"),
        )
    ),
    ("form.charset", "ISO-8859-1", "charset", "iso8859-1"),
    ("form.template.string", "<b>%s</b>\n", "template", Template("string", "<b>%s</b>\n")),
    ("form.template.file", HERE, "template", Template("file", HERE)),
    ("form.template.obj", "shop.pages:login", "template", Template("obj", "shop.pages:login")),
    ("form.template.obj", "shop.pages.login", "template", Template("obj", "shop.pages:login")),
    ("cookie.secret", SECRET[::-1], "cookie.secret", SECRET[::-1]),
    ("cookie.name", "wiki", "cookie.name", "wiki"),
    ("cookie.includeip", "true", "cookie.includeip", True),
    ("cookie.includeip", "false", "cookie.includeip", False),
    ("cookie.signoutpath", "/signout", "cookie.signoutpath", "/signout"),
    ("cookie.params.expires", "7200", "cookie.seconds", 7200.0),
    ("cookie.params.max-age", "60", "cookie.seconds", 60.0),
    ("cookie.badcookie.page", "false", "cookie.badcookie_page", False),
    ("cookie.badcookie.template.string", "bad", "cookie.badcookie_template", Template("string", "bad")),
    ("cookie.badcookie.template.file", HERE, "cookie.badcookie_template", Template("file", HERE)),
    ("cookie.badcookie.template.obj", "shop:bad", "cookie.badcookie_template", Template("obj", "shop:bad")),
    ("forward.signinpath", "/in", "signinpath", "/in"),
    ("forward.internalpath", "/in", "signinpath", "/in"),
    ("redirect.url", "https://id.example.org/in", "redirect_url", "https://id.example.org/in"),
]


def beside(key: str, text: str) -> dict[str, str]:
    """A configuration with this key in it, and what the key needs there or cannot stand beside."""
    keys = {**BASES.get(key.partition(".")[0], FORM), f"authkit.{key}": text}
    head = f"authkit.{key.partition('.authenticate.')[0]}.authenticate."
    if key.endswith(".function"):
        del keys[f"{head}user.data"]
    if key.endswith(".encrypt.secret"):
        keys[f"{head}user.encrypt"] = "authkit.users:md5"
    return keys


@pytest.mark.parametrize(
    ("key", "text", "where", "expected"), HONOURED, ids=[f"{key}={text!r}" for key, text, *_ in HONOURED]
)
def test_a_key_is_honoured(key: str, text: str, where: str, expected: Any) -> None:
    found, problems = wishes(beside(key, text))
    value: Any = found
    for name in where.split("."):
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    assert value == expected
    assert not problems


def test_defaults_are_ours_where_theirs_were_holes() -> None:
    found, _ = wishes(FORM)
    assert found.cookie is not None
    assert not found.cookie.includeip
    assert found.intercept == ("401",)


def test_a_path_is_relative_to_its_file() -> None:
    keys = {**FORM, "authkit.form.authenticate.user.type": "authkit.users:UsersFromFile"}
    found, _ = wishes({**keys, "authkit.form.authenticate.user.data": "users.txt"})
    assert found.users == Users("file", data="/srv/wiki/users.txt")


def test_a_file_with_a_template_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "login.html").write_text("%s")
    assert errors({**FORM, "authkit.form.template.file": str(tmp_path / "login.html")}) == []
    (problem,) = errors({**FORM, "authkit.form.template.file": str(tmp_path / "other.html")})
    assert "there is no file" in problem


@pytest.mark.parametrize(
    "driver",
    [
        "authkit.users.sqlalchemy_driver:UsersFromDatabase",
        "authkit.users.sqlalchemy_04_driver.UsersFromDatabase",
        "authkit.users.postgresql_driver:UsersDriver",
    ],
)
def test_the_drivers_of_databases_are_known_and_need_an_url(driver: str) -> None:
    keys = {**FORM, "authkit.form.authenticate.user.type": driver}
    found, problems = wishes({**keys, "authkit.form.authenticate.user.data": "postgresql://localhost/wiki"})
    assert not problems
    assert found.users == Users("tables", data="postgresql://localhost/wiki")
    (problem,) = errors({**keys, "authkit.form.authenticate.user.data": "wiki.model"})
    assert "URL of the database" in problem


def test_a_function_decides_alone() -> None:
    keys = {"setup.method": "basic", "basic.authenticate.function": "shop.auth.check"}
    found, problems = wishes(keys)
    assert not problems
    assert found.users == Users("function", function="shop.auth:check")
    (problem,) = errors({**keys, "basic.authenticate.user.data": "x:y"})
    assert "cannot stand beside" in problem


def test_methods_that_would_share_their_users_must_have_the_same() -> None:
    keys = {**FORM, "authkit.setup.method": "basic, form, cookie"}
    (problem,) = errors({**keys, "authkit.basic.authenticate.user.data": "eve:elsewhere"})
    assert "name different users" in problem
    assert "eve" not in problem
    assert errors({**keys, "authkit.basic.authenticate.user.data": "ada:lovelace admin"}) == []


OPENID = [
    f"openid.{key}"
    for key in (
        *("store.type", "store.config", "path.signedin", "path.verify", "path.process", "baseurl", "urltouser"),
        *("charset", "template.string", "template.file", "template.obj", "session.middleware"),
        *("sreg.required", "sreg.optional", "sreg.policyurl"),
        *("ax.typeuri.1", "ax.required.1", "ax.alias.1", "ax.count.1"),
    )
]
CAS = ["cas.authority", "cas.use_cas2", "cas.path", "cas.protect"]
REFUSED: list[tuple[dict[str, str], str]] = [
    ({"form.method": "get"}, "form.method: is refused: with get the password would stand in addresses"),
    ({"form.userdata": "shop:data"}, "form.userdata: never worked in a file"),
    ({"cookie.secret": "short"}, "cookie.secret: has 5 characters"),
    ({"cookie.secret": ""}, "None: 'cookie.secret' is missing"),
    ({"cookie.signout": "/x"}, "cookie.signout: has another name"),
    ({"cookie.signoutpath": "signout"}, "cookie.signoutpath: must begin with a slash"),
    ({"cookie.params.domain": "example.org"}, "cookie.params.domain: is refused"),
    ({"cookie.params.path": "/wiki"}, "cookie.params.path: is refused"),
    ({"cookie.params.expires": "soon"}, "cookie.params.expires: must be a number of seconds"),
    ({"cookie.name": "a b"}, "cookie.name: must be of letters"),
    ({"cookie.includeip": "perhaps"}, "cookie.includeip: must be true or false"),
    ({"cookie.ticket_class": "shop:Ticket"}, "cookie.ticket_class: there are no tickets"),
    ({"setup.method": ""}, "None: 'setup.method' is missing"),
    ({"setup.method": "fomr, cookie"}, "setup.method: there is no method 'fomr'"),
    ({"setup.method": "form"}, "setup.method: form needs cookie"),
    ({"setup.method": "openid, cookie"}, "setup.method: openid is gone"),
    ({"setup.method": "cas"}, "setup.method: cas is not taken over"),
    ({"setup.method": "forward", "forward.signinpath": "/in"}, "setup.method: needs cookie as well"),
    ({"setup.method": "forward, cookie"}, "None: 'forward.signinpath' is missing"),
    ({"setup.method": "forward, cookie", "forward.signinpath": "//evil"}, "forward.signinpath: must be a path"),
    ({"setup.method": "redirect, cookie"}, "None: 'redirect.url' is missing"),
    ({"setup.method": "redirect, cookie", "redirect.url": "javascript:x"}, "redirect.url: must be a path"),
    ({"setup.method": "redirect, cookie", "redirect.url": "//evil"}, "redirect.url: must be a path"),
    ({"setup.method": "redirect, cookie", "redirect.url": "/a\nSet-Cookie: x"}, "redirect.url: must be a path"),
    ({"setup.method": "form, redirect, cookie", "redirect.url": "/in"}, "setup.method: form and redirect cannot both"),
    ({"setup.intercept": "401, 200"}, "setup.intercept: '200' is no status"),
    *(({key: "x"}, f"{key}: OpenID 1 and 2 are gone") for key in OPENID),
    *(({key: "x"}, f"{key}: CAS is not taken over") for key in CAS),
    ({"form.authenticate.user.data": ""}, "None: 'form.authenticate.user.data' is missing"),
    ({"form.authenticate.user.encrypt": "lambda p, s: p"}, "form.authenticate.user.encrypt: must have the form"),
    ({"form.authenticate.user.type": "__import__('os')"}, "form.authenticate.user.type: must have the form"),
    ({"form.template.obj": "shop:page()"}, "form.template.obj: must have the form"),
    ({"form.template.obj": "shop:page", "form.template.string": "x"}, "form.template.obj: cannot stand beside"),
    ({"form.charset": "klingon"}, "form.charset: is no charset"),
    ({"setup.method": "basic", "basic.realm": 'The "Wiki"'}, "basic.realm: must be printable text without quotes"),
]


@pytest.mark.parametrize(("keys", "expected"), REFUSED, ids=[f"{keys}" for keys, _ in REFUSED])
def test_what_was_dangerous_or_never_worked_is_refused_with_a_reason(keys: dict[str, str], expected: str) -> None:
    plain = {key.removeprefix("authkit."): text for key, text in FORM.items()}
    found = errors({**plain, **keys})
    assert [each for each in found if each.startswith(expected)]


def test_digest_cannot_have_passwords_that_are_hashed() -> None:
    head = "authkit.digest.authenticate.user.encrypt"
    (problem,) = errors({**DIGEST, head: "authkit.users:md5", f"{head}.secret": "pepper"})
    assert "Digest needs the password" in problem


def test_a_secret_that_encrypts_nothing_is_warned_of() -> None:
    (warning,) = warnings({**BASIC, "authkit.basic.authenticate.user.encrypt.secret": "pepper"})
    assert "does nothing without user.encrypt" in warning


def test_two_realms_are_one_too_many() -> None:
    keys = {**BASIC, **DIGEST, "authkit.setup.method": "basic, digest", "authkit.basic.realm": "Wiki"}
    (problem,) = errors(keys)
    assert problem == "digest.realm: must be that of basic.realm: a site has one realm"
    assert wishes({**keys, "authkit.digest.realm": "Wiki"})[0].realm == "Wiki"


def test_a_weak_secret_starts_where_that_was_allowed_and_is_warned_of() -> None:
    keys = {**FORM, "authkit.cookie.secret": "short"}
    assert errors(keys, allow_weak_secret=True) == []
    assert "has 5 characters" in warnings(keys, allow_weak_secret=True)[0]


IDLE = [
    "form.action",
    "cookie.enforce",
    "cookie.nouserincookie",
    "cookie.session_middleware",
    *(f"cookie.params.{key}" for key in ("comment", "version", "secure", "httponly", "samesite")),
]


@pytest.mark.parametrize("key", IDLE)
def test_what_has_no_effect_any_more_is_a_warning(key: str) -> None:
    assert errors({**FORM, f"authkit.{key}": "true"}) == []
    (warning,) = warnings({**FORM, f"authkit.{key}": "true"})
    assert warning.startswith(f"authkit.{key}: does nothing: ")


def test_every_key_of_authkit_has_a_row_here() -> None:
    rows = {key for key, *_ in HONOURED} | {key for keys, _ in REFUSED for key in keys} | {*IDLE}
    # Refused in tests of their own.
    rows |= {"digest.authenticate.user.encrypt", "digest.authenticate.user.encrypt.secret"}
    assert {key for key in rows if not key.startswith(("config.", "openid.", "cas."))} == KEYS
    assert [key for key in rows if complaint_about_key(key) is not None] == []


def test_no_method_is_needed_for_keys_of_another_one_to_be_read() -> None:
    assert errors({**FORM, "authkit.basic.realm": "Wiki"}) == []


def test_an_open_site_says_so() -> None:
    assert wishes({**FORM, "authkit.setup.enable": "off"})[0].is_open
    assert wishes({**FORM, "authkit.setup.fakeuser": "ada"})[0].is_open
    assert not wishes(FORM)[0].is_open


def test_apps_see_no_secret() -> None:
    keys = {
        **FORM,
        "authkit.form.authenticate.user.encrypt": "authkit.users:md5",
        "authkit.form.authenticate.user.encrypt.secret": "pepper",
        "authkit.config.colour": "blue",
        "authkit.config.api_key": "hidden",
    }
    config = wishes(keys)[0].config
    assert config["colour"] == config["config.colour"] == "blue"
    assert config["setup.method"] == "form, cookie"
    assert config["setup.enable"] is True
    for secret in (SECRET, "pepper", "lovelace", "hidden"):
        assert secret not in str(config)
    assert SECRET not in repr(wishes(keys)[0])
    assert "lovelace" not in repr(wishes(keys)[0])


@pytest.mark.parametrize(
    ("key", "takes", "complaint"),
    [
        ("authkit.cookie.secret", True, None),
        ("cookie.secret", True, None),
        ("authkit.config.anything", True, None),
        ("authkit.cookie.sercet", True, "did you mean 'cookie.secret'"),
        ("cookie.params.samesite", True, None),
        ("authkit.nonsense", True, "is none of AuthKit's"),
        ("store", False, None),
        ("allow_weak_secret", False, None),
    ],
)
def test_a_key_is_known_by_its_form(key: str, takes: bool, complaint: str | None) -> None:
    assert belongs(key) is takes
    if takes:
        found = complaint_about_key(key)
        assert found is None if complaint is None else complaint in str(found)


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.text(max_size=30)))
def test_no_text_breaks_the_reading(keys: dict[str, str]) -> None:
    wishes(keys)

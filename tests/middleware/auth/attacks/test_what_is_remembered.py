"""Attacks on what is not asked again, because it was found out a moment ago."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from auth_authkit_app import app, check
from auth_pages import CHEAP, Visitor

from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authkit_filter.filter import AuthKit
from wheatpaste.middleware.auth.authkit_filter.wishes import Text
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.paste_filters.logins import AuthBasic
from wheatpaste.middleware.auth.rules import RuleOptions
from wheatpaste.middleware.auth.sources.options import UserOptions

Assemble = Callable[..., Authority]


def of_paste(assemble: Assemble) -> Any:
    return AuthBasic(app, realm="Wiki", authfunc="auth_authkit_app:check", allow_insecure=True)


def of_ours(assemble: Assemble) -> Any:
    users = UserOptions(source=("local", "callable"), callable=check)
    return Guard(app, assemble(site={"methods": ("basic",)}, users=users, rules=RuleOptions(rules={"/*": "user ada"})))


def of_authkit(**keys: str) -> Callable[[Assemble], Any]:
    texts = {f"basic.authenticate.{key.replace('__', '.')}": Text(value) for key, value in keys.items()}

    def made(assemble: Assemble) -> Any:
        said = {"setup.method": Text("basic"), **texts}
        return AuthKit(app, keys=said, allow_insecure=True, audit="none", argon2=CHEAP)

    return made


FUNCTIONS: dict[str, Callable[[Assemble], Any]] = {
    "Paste's auth_basic": of_paste,
    "the source callable": of_ours,
    "a function of AuthKit's": of_authkit(function="auth_authkit_app:check"),
    "a class of AuthKit's": of_authkit(user__type="auth_authkit_app:PeopleOfARequest", user__data="all"),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_function_that_goes_by_the_request_sees_each_request(kind: str, assemble: Assemble) -> None:
    visitor = Visitor(FUNCTIONS[kind](assemble))
    shown = {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"ada:ada").decode(), "HTTP_SEC_FETCH_MODE": "cors"}
    # The function takes no other methods than GET and POST.
    assert visitor.send("DELETE", "/private", **shown).code == 401
    assert visitor.get("/private", **shown).code == 200
    assert visitor.send("DELETE", "/private", **shown).code == 401
    assert visitor.get("/private", **shown).code == 200

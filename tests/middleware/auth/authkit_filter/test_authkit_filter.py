"""Configurations of AuthKit, served by the filter that takes its keys."""

from __future__ import annotations

import base64
import hashlib
import re
import sqlite3
from collections.abc import Callable, Mapping
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import auth_authkit_app
import pytest

from wheatpaste import loadapp
from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.auth import authkit
from wheatpaste.middleware.auth.authkit_filter.assembly import Guarded
from wheatpaste.middleware.auth.authkit_filter.filter import AuthKit
from wheatpaste.middleware.auth.authkit_filter.keys import read
from wheatpaste.middleware.auth.authkit_filter.login_form import fill
from wheatpaste.middleware.auth.authkit_filter.wishes import Terms, Text
from wheatpaste.testing import Client, Clock, Response

SECRET = "c51f0be93a7d42e8916b0f3ad5e7c284"
BROWSER = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
OWN = {"Sec-Fetch-Site": "same-origin"}
PIPELINE = """
[pipeline:main]
pipeline = login wiki

[app:wiki]
paste.app_factory = auth_authkit_app:app_factory
{app}

[filter:login]
use = egg:wheatpaste#authkit
argon2 = t=1,m=8,p=1
{filter}
"""
FORM = f"""
authkit.setup.method = form, cookie
authkit.form.authenticate.user.data =
    ada:lovelace:staff admin editor
    bob:builder
authkit.cookie.secret = {SECRET}
"""


MAPPED_FORM = {
    "authkit.setup.method": "form, cookie",
    "authkit.form.authenticate.user.data": "ada:lovelace",
    "authkit.cookie.secret": SECRET,
}


@pytest.fixture
def site(write_ini: Callable[..., Path]) -> Callable[..., Client]:
    """A client of the site that these keys configure."""

    def make(keys: str, app: str = "", **how: Any) -> Client:
        path = write_ini(PIPELINE.format(filter=keys, app=app))
        return Client(loadapp(f"config:{path}"), jar=CookieJar(), **how)

    return make


def sign_in(
    client: Client, username: str = "ada", password: str = "lovelace", path: str = "/private", **how: Any
) -> Response:
    """Go to a page, be sent to the login, fill in the form."""
    asked = client.get(path, headers=BROWSER)
    assert asked.status == 303, asked.text
    form = client.get(asked.headers["Location"], headers=BROWSER)
    assert form.status == 200
    found = re.search(r'action="([^"]*)"', form.text)
    token = re.search(r'name="token" value="([^"]*)"', form.text)
    assert found is not None
    fields = {"username": username, "password": password, "token": token[1] if token else ""}
    return client.post(unescape(found[1]), form=fields, headers=how.pop("headers", {}))


# --- the documented examples, as an INI -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/private", "/lazy"])
def test_form_and_cookie(site: Callable[..., Client], path: str) -> None:
    client = site(FORM)
    assert client.get("/").text.startswith("GET / ")
    reply = sign_in(client, path=path)
    assert (reply.status, reply.headers["Location"]) == (303, path)
    shown = client.get(path, headers=BROWSER)
    assert shown.status == 200
    assert "refusal" not in shown.text
    text = client.get("/").text
    assert "REMOTE_USER=ada AUTH_TYPE=cookie REMOTE_USER_TOKENS=admin,editor" in text


def test_the_keys_may_stand_without_their_prefix(site: Callable[..., Client]) -> None:
    client = site(FORM.replace("authkit.", ""))
    sign_in(client)
    assert "REMOTE_USER=ada" in client.get("/").text


def test_the_keys_may_stand_in_the_section_of_the_app(site: Callable[..., Client]) -> None:
    client = site("app_section = wiki", app=f"title = Our wiki\n{FORM}")
    sign_in(client)
    assert "REMOTE_USER=ada" in client.get("/").text


def test_the_filters_own_keys_count_before_those_of_the_app(site: Callable[..., Client]) -> None:
    client = site("app_section = wiki\nform.authenticate.user.data = eve:listens", app=FORM)
    assert sign_in(client).status == 401
    assert sign_in(client, "eve", "listens").status == 303


@pytest.mark.parametrize(("username", "password"), [("ada", "Lovelace"), ("eve", "x"), ("", ""), ("ada", "")])
def test_a_wrong_password_leads_back_to_the_form(site: Callable[..., Client], username: str, password: str) -> None:
    client = site(FORM)
    reply = sign_in(client, username, password)
    assert reply.status == 401
    assert "User name or password is wrong." in reply.text
    assert client.get("/private").status == 401


def test_users_are_one_whatever_the_case_of_their_name(site: Callable[..., Client]) -> None:
    client = site(FORM)
    sign_in(client, "ADA")
    assert "REMOTE_USER=ada" in client.get("/").text


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def test_basic_with_users_in_a_file(site: Callable[..., Client], tmp_path: Path) -> None:
    (tmp_path / "users.txt").write_text("ada:lovelace admin\n")
    client = site(
        "setup.method = basic\nbasic.realm = Wiki\n"
        "basic.authenticate.user.type = authkit.users.UsersFromFile\n"
        "basic.authenticate.user.data = %(here)s/users.txt"
    )
    reply = client.get("/private")
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == 'Basic realm="Wiki", charset="UTF-8"'
    assert client.get("/private", headers=basic("ada", "lovelace")).status == 200
    assert client.get("/private", headers=basic("ada", "wrong")).status == 401
    assert client.get("/", headers={"Authorization": "Basic"}).status == 200


def test_basic_with_a_function(site: Callable[..., Client]) -> None:
    client = site("setup.method = basic\nbasic.authenticate.function = auth_authkit_app.check")
    assert "REMOTE_USER=zoe AUTH_TYPE=basic" in client.get("/private", headers=basic("zoe", "zoe")).text
    assert client.get("/private", headers=basic("zoe", "other")).status == 401


def test_a_logout_by_header_is_nothing_where_there_are_no_sessions() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Auth-Action", "logout")])
        return [environ["REMOTE_USER"].encode()]

    keys = {"setup.method": Text("basic"), "basic.authenticate.function": Text("auth_authkit_app.check")}
    reply = Client(AuthKit(app, keys=keys, argon2="small")).get("/", headers=basic("zoe", "zoe"))
    assert (reply.text, "X-Auth-Action" in reply.headers) == ("zoe", False)


def test_a_class_of_the_sites_own(site: Callable[..., Client]) -> None:
    client = site(
        "setup.method = basic\nbasic.authenticate.user.type = auth_authkit_app:People\n"
        "basic.authenticate.user.data = ada bob"
    )
    text = client.get("/private", headers=basic("Ada", "people")).text
    assert "REMOTE_USER=ada AUTH_TYPE=basic REMOTE_USER_TOKENS=admin" in text
    assert client.get("/private", headers=basic("eve", "people")).status == 401


def test_passwords_hashed_with_md5_and_a_secret(site: Callable[..., Client]) -> None:
    kept = "9406649867375c79247713a7fb81edf0"
    client = site(
        f"setup.method = basic\nbasic.authenticate.user.data = ada:{kept}\n"
        "basic.authenticate.user.encrypt = authkit.users:md5\n"
        "basic.authenticate.user.encrypt.secret = some secret string"
    )
    assert client.get("/private", headers=basic("ada", "password1")).status == 200
    assert client.get("/private", headers=basic("ada", kept)).status == 401


def test_passwords_that_a_function_encrypts(site: Callable[..., Client]) -> None:
    client = site(
        "setup.method = basic\nbasic.authenticate.user.data = ada:terces!\n"
        "basic.authenticate.user.encrypt = auth_authkit_app:backwards\n"
        "basic.authenticate.user.encrypt.secret = !"
    )
    assert client.get("/private", headers=basic("ada", "secret")).status == 200
    assert client.get("/private", headers=basic("ada", "terces!")).status == 401


TABLES = """
CREATE TABLE groups (uid INTEGER PRIMARY KEY, name VARCHAR(255) UNIQUE);
CREATE TABLE roles (uid INTEGER PRIMARY KEY, name VARCHAR(255) UNIQUE);
CREATE TABLE users (uid INTEGER PRIMARY KEY, username VARCHAR(255) UNIQUE, password VARCHAR(255), group_uid INTEGER);
CREATE TABLE users_roles (user_uid INTEGER, role_uid INTEGER);
INSERT INTO groups VALUES (1, 'staff');
INSERT INTO roles VALUES (1, 'admin'), (2, 'editor');
INSERT INTO users VALUES (1, 'ada', '9406649867375c79247713a7fb81edf0', 1);
INSERT INTO users_roles VALUES (1, 1), (1, 2);
"""


def test_the_database_of_authkit_is_read_and_its_hashes_get_better(site: Callable[..., Client], tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "authkit.db")
    database.executescript(TABLES)
    client = site(
        "setup.method = basic\nbasic.authenticate.user.type = authkit.users.sqlalchemy_driver:UsersFromDatabase\n"
        "basic.authenticate.user.data = sqlite:///%(here)s/authkit.db\n"
        "basic.authenticate.user.encrypt = authkit.users:md5\n"
        "basic.authenticate.user.encrypt.secret = some secret string"
    )
    for _ in range(2):
        reply = client.get("/private", headers=basic("Ada", "password1"))
        assert "REMOTE_USER=ada AUTH_TYPE=basic REMOTE_USER_TOKENS=admin,editor" in reply.text
    assert client.get("/private", headers=basic("ada", "password2")).status == 401
    users = client.get("/").environ["authkit.users"]
    assert users.user("ada") == {"username": "ada", "group": "staff", "password": None, "roles": ["admin", "editor"]}
    assert (users.list_users(), users.list_groups(), users.list_roles()) == (["ada"], ["staff"], ["admin", "editor"])
    ((kept,),) = database.execute("SELECT password FROM users").fetchall()
    assert kept.startswith("$argon2id$")
    database.close()
    client.app.close()


def digest(challenge: str, name: str, password: str, path: str, algorithm: str) -> dict[str, str]:
    parts = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge.partition(" ")[2]))
    make = hashlib.md5 if algorithm == "MD5" else hashlib.sha256

    def hashed(text: str) -> str:
        return make(text.encode()).hexdigest()

    ha1, ha2 = hashed(f"{name}:{parts['realm']}:{password}"), hashed(f"GET:{path}")
    response = hashed(f"{ha1}:{parts['nonce']}:00000001:c:auth:{ha2}")
    return {
        "Authorization": f'Digest username="{name}", realm="{parts["realm"]}", nonce="{parts["nonce"]}", uri="{path}",'
        f' response="{response}", opaque="{parts["opaque"]}", algorithm={algorithm}, qop=auth, nc=00000001, cnonce="c"'
    }


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_digest_with_users_in_the_text(site: Callable[..., Client], algorithm: str) -> None:
    client = site("setup.method = digest\ndigest.realm = Wiki\ndigest.authenticate.user.data = ada:lovelace")
    challenges = [each for each in client.get("/private").headers.get_all("WWW-Authenticate") if algorithm in each]
    credentials = digest(challenges[0], "ada", "lovelace", "/private", algorithm)
    assert "REMOTE_USER=ada AUTH_TYPE=digest" in client.get("/private", headers=credentials).text
    assert client.get("/private", headers=credentials).status == 401  # each counts once


def test_digest_with_a_function(site: Callable[..., Client]) -> None:
    client = site("setup.method = digest\ndigest.authenticate.function = auth_authkit_app:digest")
    challenges = client.get("/private").headers.get_all("WWW-Authenticate")
    assert len(challenges) == 1
    credentials = digest(challenges[0], "ada", "ada", "/private", "MD5")
    assert client.get("/private", headers=credentials).status == 200


def test_several_methods_offer_all_their_challenges(site: Callable[..., Client]) -> None:
    users = "authenticate.user.data = ada:lovelace"
    client = site(f"setup.method = basic, digest\nbasic.{users}\ndigest.{users}")
    schemes = [each.split(" ")[0] for each in client.get("/private").headers.get_all("WWW-Authenticate")]
    assert schemes == ["Digest", "Digest", "Basic"]


# --- forward and redirect ---------------------------------------------------------------------------------------------

FORWARD = f"setup.method = forward, cookie\nforward.signinpath = /signin\ncookie.secret = {SECRET}"
REDIRECT = f"setup.method = redirect, cookie\nredirect.url = {{}}\ncookie.secret = {SECRET}"


@pytest.mark.parametrize("path", ["/private", "/lazy"])
def test_forward_shows_the_apps_own_login_page_in_place(site: Callable[..., Client], path: str) -> None:
    client = site(FORWARD)
    reply = client.get(path, headers=BROWSER)
    assert (reply.status, reply.text) == (200, f"the app's login page, in place of ['{path}'], by GET")
    assert client.get("/private", headers={"Accept": "application/json"}).status == 401


def test_forward_lets_the_app_sign_in_whom_it_has_checked_itself(site: Callable[..., Client]) -> None:
    client = site(FORWARD)
    form = {"username": "Anybody", "password": "open sesame"}
    reply = client.post("/private", form=form, headers={**BROWSER, **OWN})
    assert (reply.status, reply.headers["Location"]) == (302, "/private")
    text = client.get("/private").text
    assert "REMOTE_USER=Anybody AUTH_TYPE=cookie REMOTE_USER_TOKENS=editor,staff REMOTE_USER_DATA=hi" in text
    client.get("/logout")
    assert client.get("/private").status == 401


def test_forward_shows_the_login_page_again_where_the_password_was_wrong(site: Callable[..., Client]) -> None:
    client = site(FORWARD)
    reply = client.post("/private", form={"username": "x", "password": "y"}, headers={**BROWSER, **OWN})
    assert "the app's login page" in reply.text
    assert "by POST" in reply.text


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/welcome", "/welcome?next=%2Fprivate%3Fa%3D1"),
        ("https://id.example.org/in?x=y", "https://id.example.org/in?x=y&next=%2Fprivate%3Fa%3D1"),
    ],
)
def test_redirect_leads_to_another_address_and_says_where_from(
    site: Callable[..., Client], url: str, location: str
) -> None:
    client = site(REDIRECT.format(url))
    reply = client.get("/private?a=1", headers=BROWSER)
    assert (reply.status, reply.headers["Location"]) == (303, location)
    assert client.get("/private").status == 401


# --- what is otherwise than with AuthKit ------------------------------------------------------------------------------


def test_no_password_comes_to_the_app_or_counts_in_an_address(site: Callable[..., Client]) -> None:
    client = site(FORM)
    reply = client.post(
        "/private/echo?username=ada&password=lovelace",
        form={"username": "ada", "password": "lovelace"},
        headers={**BROWSER, **OWN},
    )
    assert reply.status in (303, 401)
    assert client.get("/private?username=ada&password=lovelace").status == 401


def test_a_form_of_another_site_does_not_sign_in(site: Callable[..., Client]) -> None:
    client = site(FORM)
    fields = {"username": "ada", "password": "lovelace"}
    login = "/-/auth/login"
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        assert client.post(login, form=fields, headers=headers).status == 403
    assert client.post(login, form=fields, headers=OWN).status == 303


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: x"])
def test_a_login_never_leads_elsewhere(site: Callable[..., Client], target: str) -> None:
    from urllib.parse import quote

    client = site(FORM)
    form = {"username": "ada", "password": "lovelace"}
    reply = client.post(f"/-/auth/login?next={quote(target)}", form=form, headers=OWN)
    assert (reply.status, reply.headers["Location"]) == (303, "/")


def test_what_the_address_says_is_escaped_in_the_form(site: Callable[..., Client]) -> None:
    client = site(FORM)
    text = client.get("/-/auth/login?next=/%22%3E%3Cscript%3E").text
    assert "<script" not in text


def test_the_cookie_is_random_and_dead_after_signing_out(site: Callable[..., Client]) -> None:
    client = site(FORM + "cookie.signoutpath = /signout\n", scheme="https")
    reply = sign_in(client)
    (cookie,) = [each for each in reply.headers.get_all("Set-Cookie") if "authkit=" in each]
    assert cookie.startswith("__Host-authkit=")
    assert re.fullmatch(r"[0-9a-f]{128}", cookie.partition("=")[2].partition(";")[0])  # nothing of the user is in it
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in cookie
    taken = {"Cookie": cookie.partition(";")[0]}
    assert client.get("/private").status == 200
    assert client.post("/signout", headers=OWN).text.strip() == "POST /signout"
    assert client.get("/private").status == 401
    assert client.get("/private", headers=taken).status == 401


def test_a_link_does_not_sign_out_by_itself(site: Callable[..., Client]) -> None:
    client = site(FORM + "cookie.signoutpath = /signout\n")
    sign_in(client)
    for headers in ({}, {"Sec-Fetch-Site": "cross-site", **BROWSER}, {"Sec-Fetch-Site": "same-origin"}):
        reply = client.get("/signout", headers=headers)
        assert (reply.status, reply.headers["Location"]) == (303, "/-/auth/logout")
    assert client.post("/signout", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert client.get("/private").status == 200
    page = client.get("/-/auth/logout")
    token = re.search(r'name="token" value="([^"]*)"', page.text)
    assert token is not None
    assert client.post("/-/auth/logout", form={"token": "x"}, headers=OWN).status == 403
    assert client.post("/-/auth/logout", form={"token": token[1]}).status == 303
    assert client.get("/private").status == 401


def test_a_link_signs_out_where_that_was_asked_for_and_the_link_is_ours(site: Callable[..., Client]) -> None:
    client = site(FORM + "cookie.signoutpath = /signout\nlegacy_get_signout = true\n")
    sign_in(client)
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.get("/signout", headers=headers).status == 303
    assert client.get("/private").status == 200
    assert client.get("/signout", headers=OWN).text.strip() == "GET /signout"
    assert client.get("/private").status == 401


def test_whoever_is_signed_in_and_not_allowed_is_told_so_and_not_asked_again(site: Callable[..., Client]) -> None:
    client = site(FORM + "setup.intercept = 401, 403\n")
    assert client.get("/forbidden", headers=BROWSER).status == 303
    sign_in(client)
    reply = client.get("/forbidden", headers=BROWSER)
    assert (reply.status, reply.text) == (403, "the app's own refusal")


def test_a_client_does_not_set_the_user(site: Callable[..., Client]) -> None:
    client = site(FORM)
    forged = {"Remote-User": "ada", "X-Forwarded-User": "ada"}
    text = client.get("/", headers=forged, environ={"REMOTE_USER": "ada"}).text
    assert "ada" not in text


def test_includeip_binds_a_session_to_the_address_that_the_server_found(site: Callable[..., Client]) -> None:
    client = site(FORM + "cookie.includeip = true\n")
    sign_in(client)
    assert client.get("/private").status == 200
    assert client.get("/private", environ={"REMOTE_ADDR": "192.0.2.9"}).status == 401
    assert client.get("/private", headers={"X-Forwarded-For": "192.0.2.9"}).status == 200


def test_without_includeip_a_session_moves_with_its_device(site: Callable[..., Client]) -> None:
    client = site(FORM)
    sign_in(client)
    assert client.get("/private", environ={"REMOTE_ADDR": "2001:db8::9"}).status == 200


@pytest.mark.parametrize("key", ["expires", "max-age"])
def test_a_login_ends_when_its_cookie_does(key: str, clock: Clock) -> None:
    keys = {f"authkit.cookie.params.{key}": "7200", "authkit.cookie.name": "wiki"}
    told, _ = read({name: Text(text) for name, text in {**MAPPED_FORM, **keys}.items()})
    client = Client(Guarded(auth_authkit_app.app, Terms(argon2="t=1,m=8,p=1"), told, clock.time), jar=CookieJar())
    (cookie,) = [each for each in sign_in(client).headers.get_all("Set-Cookie") if each.startswith("wiki=")]
    assert "Max-Age=7200" in cookie
    taken = {"Cookie": cookie.partition(";")[0]}
    clock.advance(7199)
    assert client.get("/private", headers=taken).status == 200
    clock.advance(2)
    assert client.get("/private", headers=taken).status == 401


def test_without_a_time_a_login_ends_with_the_browser(site: Callable[..., Client]) -> None:
    reply = sign_in(site(FORM))
    (cookie,) = [each for each in reply.headers.get_all("Set-Cookie") if each.startswith("authkit=")]
    assert "Max-Age" not in cookie


def test_a_bad_cookie_is_anonymous_and_told_to_the_app(site: Callable[..., Client]) -> None:
    client = site(FORM)
    reply = client.get("/", headers={"Cookie": "authkit=" + "x" * 43})
    assert reply.text.strip() == "GET /  authkit.cookie.error"
    assert client.get("/").text.strip() == "GET /"


def test_a_bad_cookie_gets_the_sites_own_page_where_there_is_one(site: Callable[..., Client]) -> None:
    client = site(FORM + "cookie.badcookie.template.string = <p>Bad 100%% cookie</p>\n")
    reply = client.get("/", headers={"Cookie": "authkit=" + "x" * 43})
    assert (reply.status, reply.text) == (200, "<p>Bad 100% cookie</p>")
    assert any("authkit=;" in each and "Max-Age=0" in each for each in reply.headers.get_all("Set-Cookie"))
    assert client.get("/").text.strip() == "GET /"


@pytest.mark.parametrize(
    ("key", "text", "shown"),
    [
        ("string", '<form method="post" action="%%s">Mine, 100%% mine</form>', "Mine, 100% mine"),
        ("string", '<form action="%%(action)s">%%(message)s<input name="token" value="%%(token)s"></form>', "token"),
        ("obj", "auth_authkit_app:page", "own page, 100% ours, for GET"),
    ],
)
def test_the_sites_own_login_page_is_shown(site: Callable[..., Client], key: str, text: str, shown: str) -> None:
    client = site(f"{FORM}form.template.{key} = {text}\n")
    page = client.get("/-/auth/login?next=/private")
    assert shown in page.text
    assert 'action="/-/auth/login?next=%2Fprivate"' in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert sign_in(client, headers=OWN).status == 303


def test_what_is_put_into_a_template_is_escaped_and_other_percent_signs_stay() -> None:
    text = fill("%s|%(action)s|%(token)s|%%|100%|%d|%(other)s", action="/a?b=\"'<&", token='"')
    escaped = "/a?b=&quot;&#x27;&lt;&amp;"
    assert text == f"{escaped}|{escaped}|&quot;|%|100%|%d|%(other)s"


def test_a_template_in_a_file_is_read_when_it_is_shown(site: Callable[..., Client], tmp_path: Path) -> None:
    path = tmp_path / "login.html"
    path.write_text("one %s")
    client = site(f"{FORM}form.template.file = {path}\nform.charset = iso-8859-1\n")
    assert client.get("/-/auth/login").text == "one /-/auth/login"
    path.write_text("zwölf € %s", encoding="utf-8")
    page = client.get("/-/auth/login")
    assert page.headers["Content-Type"] == "text/html; charset=iso8859-1"
    assert page.body == "zwölf &#8364; /-/auth/login".encode("latin-1")


def test_apps_find_authkits_keys(site: Callable[..., Client]) -> None:
    client = site(FORM + "config.colour = blue\n")
    sign_in(client)
    environ = client.get("/").environ
    assert environ["authkit.authenticate"] is True
    assert environ["authkit.intercept"] == ["401"]
    assert environ["authkit.config"]["colour"] == "blue"
    assert SECRET not in str(environ["authkit.config"])
    assert "lovelace" not in str(environ["authkit.config"])
    users = environ["authkit.users"]
    assert users.list_users() == ["ada", "bob"]
    assert users.user_has_password("ada", "lovelace")
    assert not users.user_has_password("ada", "x")
    assert isinstance(environ["paste.auth_tkt.timestamp"], int)


def test_layers_outside_are_told_that_a_reply_was_replaced(site: Callable[..., Client]) -> None:
    client = site(FORM)
    environ = client.get("/private").environ
    assert environ["authkit.multi"] is True
    assert environ["pylons.error_call"] == environ["pylons.status_code_redirect"] == "authkit"
    assert "authkit.multi" not in client.get("/").environ


def test_a_cookie_of_authkit_itself_is_exchanged_once(site: Callable[..., Client]) -> None:
    import time

    keys = FORM + "legacy_tickets = accept-until 2099-12-31\n"
    client = site(keys)
    now = int(time.time())

    def md5(data: bytes) -> str:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    inner = md5(bytes(4) + now.to_bytes(4, "big") + SECRET.encode() + b"ada\0\0")
    ticket = md5(inner.encode() + SECRET.encode()) + f"{now:08x}ada!"
    reply = client.get("/private", headers={"Cookie": f"authkit={ticket}"})
    assert reply.status == 200
    # The ticket's cookie has the name of the session's: taking it away must not take away the other one.
    assert ["Max-Age=0" in each for each in reply.headers.get_all("Set-Cookie")] == [False]
    assert client.get("/private").status == 200
    assert Client(client.app).get("/private", headers={"Cookie": f"authkit={ticket[:-2]}b!"}).status == 401
    assert site(FORM).get("/private", headers={"Cookie": f"authkit={ticket}"}).status == 401


# --- what the filter has of its own -----------------------------------------------------------------------------------

ELSEWHERE = {"REMOTE_ADDR": "192.0.2.1"}


def test_the_login_page_stands_where_mount_says(site: Callable[..., Client]) -> None:
    client = site(f"{FORM}mount = /sign")
    assert client.get("/private", headers=BROWSER).headers["Location"].startswith("/sign/login?")
    assert sign_in(client).status == 303
    assert client.get("/-/auth/login").text.startswith("GET /-/auth/login")


def test_cookies_are_for_tls_alone_where_the_public_address_has_it(site: Callable[..., Client]) -> None:
    reply = sign_in(site(f"{FORM}public_url = https://wiki.example.org", scheme="https", host="wiki.example.org"))
    (cookie,) = [each for each in reply.headers.get_all("Set-Cookie") if "authkit=" in each]
    assert cookie.startswith("__Host-authkit=")
    assert cookie.endswith("; Secure")


def test_passwords_over_plain_http_from_elsewhere_have_to_be_allowed(site: Callable[..., Client]) -> None:
    keys = "setup.method = basic\nbasic.authenticate.user.data = ada:lovelace\n"
    shown = {"headers": basic("ada", "lovelace"), "environ": ELSEWHERE}
    assert site(keys).get("/private", **shown).status == 403
    assert site(f"{keys}allow_insecure = true").get("/private", **shown).status == 200


@pytest.mark.parametrize(("secret", "status"), [("", 401), (f"secret = {SECRET}", 200)], ids=["without", "with"])
def test_processes_know_each_others_nonces_by_a_secret(site: Callable[..., Client], secret: str, status: int) -> None:
    keys = f"setup.method = digest\ndigest.authenticate.function = auth_authkit_app:digest\n{secret}"
    one, other = site(keys), site(keys)
    challenge = one.get("/private").headers["WWW-Authenticate"]
    assert other.get("/private", headers=digest(challenge, "ada", "ada", "/private", "MD5")).status == status


def test_the_section_of_the_app_may_stand_in_another_file(site: Callable[..., Client], tmp_path: Path) -> None:
    (tmp_path / "old.ini").write_text(f"[app:main]\nuse = egg:Wiki\n{FORM}")
    client = site("app_section = main\nconfig = %(here)s/old.ini")
    assert sign_in(client).status == 303


# --- what stops the start ---------------------------------------------------------------------------------------------


def complaints(site: Callable[..., Client], keys: str, app: str = "") -> list[tuple[str | None, int | None, str]]:
    with pytest.raises(ConfigError) as caught:
        site(keys, app)
    return [(each.key, each.line, each.what) for each in caught.value.problems]


def test_all_that_is_wrong_is_said_at_once_with_its_lines(site: Callable[..., Client]) -> None:
    found = complaints(
        site,
        "authkit.setup.method = form, openid\nauthkit.form.method = get\nauthkit.cookie.sercet = x\n"
        "authkit.form.authenticate.user.data = ada:lovelace",
    )
    assert [(key, line) for key, line, _ in found] == [
        ("authkit.cookie.sercet", 13),
        ("authkit.form.method", 12),
        ("authkit.setup.method", 11),
        ("authkit.setup.method", 11),
    ]
    assert "did you mean 'cookie.secret'" in found[0][2]


def test_what_is_wrong_in_the_section_of_the_app_is_found_there(site: Callable[..., Client]) -> None:
    ((key, line, what),) = complaints(site, "app_section = wiki", f"{FORM}\nauthkit.form.method = get\n")
    assert key == "authkit.form.method"
    assert line == 13
    assert "password would stand in addresses" in what


def test_a_section_that_is_not_there_is_missed(site: Callable[..., Client]) -> None:
    ((key, _, what), *_rest) = complaints(site, "app_section = wkii")
    assert (key, what) == ("app_section", "there is no section [app:wkii]")


def test_digest_needs_users_whose_passwords_are_told(site: Callable[..., Client]) -> None:
    keys = "setup.method = digest\ndigest.authenticate.user.type = auth_authkit_app:People\n"
    ((key, line, what),) = complaints(site, keys + "digest.authenticate.user.data = ada")
    assert (key, line) == ("digest.authenticate.user.type", 12)
    assert what == "does not tell passwords, which Digest needs"


@pytest.mark.parametrize("prefix", ["", "authkit."])
def test_what_cannot_be_imported_is_said_at_its_line(site: Callable[..., Client], prefix: str) -> None:
    keys = f"setup.method = basic\n{prefix}basic.authenticate.function = nowhere:at_all"
    assert complaints(site, keys)[0][:2] == (f"{prefix}basic.authenticate.function", 12)
    ((key, line, what),) = complaints(site, "app_section = wiki", keys)
    assert (key, line) == (f"{prefix}basic.authenticate.function", 7)
    assert what.startswith("cannot be imported")


def test_tickets_need_sessions_to_be_exchanged_for(site: Callable[..., Client]) -> None:
    keys = "setup.method = basic\nbasic.authenticate.user.data = ada:lovelace\n"
    ((key, _, what),) = complaints(site, keys + "legacy_tickets = accept-until 2099-12-31")
    assert (key, what) == ("legacy_tickets", "needs the method cookie: tickets are exchanged for sessions")


@pytest.mark.parametrize("key", ["setup.enable = false", "setup.fakeuser = ada"])
def test_a_site_that_is_open_to_everybody_does_not_start(
    site: Callable[..., Client], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WHEATPASTE_INSECURE_DEV", raising=False)
    ((found, _, what),) = complaints(site, f"{FORM}authkit.{key}\n")
    assert found == f"authkit.{key.split(' ')[0]}"
    assert "everybody" in what


def test_a_site_may_be_open_to_its_own_machine_while_it_is_being_written(
    site: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHEATPASTE_INSECURE_DEV", "1")
    client = site(f"{FORM}setup.enable = false\nsetup.fakeuser = ada\n")
    assert "REMOTE_USER=ada" in client.get("/private").text
    environ = client.get("/private").environ
    assert environ["authkit.config"]["setup.enable"] is False
    assert authkit.authorized(environ, authkit.HasAuthKitRole("boss"))
    for elsewhere in (
        {"environ": {"REMOTE_ADDR": "192.0.2.1"}},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Via": "1.1 proxy"}},
        {"environ": {"REMOTE_ADDR": ""}},
    ):
        assert client.get("/private", **elsewhere).status == 403


def test_a_check_finds_a_site_that_is_open_at_an_address_that_others_reach() -> None:
    from wheatpaste.config.surroundings import Surroundings
    from wheatpaste.middleware.auth.authkit_filter.filter import filter_factory

    texts: Mapping[str, str] = {"setup.method": "form, cookie", "setup.enable": "no"}
    reading = filter_factory.reader.read(texts, {})
    from wheatpaste.config.options import parsed

    made = parsed(filter_factory.component, reading.values)
    object.__setattr__(made, "keys", reading.values["keys"])
    object.__setattr__(made, "parts", {})
    (found,) = made.problems(Surroundings(public="http://192.0.2.1:8080"))
    assert "192.0.2.1" in found.what
    assert not list(made.problems(Surroundings()))


# --- beside other parts of ours ---------------------------------------------------------------------------------------


def test_permissions_of_authkit_and_rules_of_ours_know_its_users(site: Callable[..., Client]) -> None:
    client = site(FORM)
    sign_in(client)
    environ = client.get("/").environ
    assert environ["wheatpaste.allowed"]("role admin")
    assert not environ["wheatpaste.allowed"]("role boss")
    assert authkit.authorized(environ, authkit.HasAuthKitRole("admin"))
    assert authkit.authorized(environ, authkit.HasAuthKitGroup("staff"))
    assert authkit.authorized(environ, authkit.And(authkit.RemoteUser(), authkit.UserIn(["ADA"])))
    assert authkit.authorized(environ, authkit.ValidAuthKitUser())
    assert not authkit.authorized(environ, authkit.HasAuthKitRole("boss"))


def test_a_filter_that_requires_a_role_stands_inside(write_ini: Callable[..., Path]) -> None:
    text = PIPELINE.format(filter=FORM, app="").replace("pipeline = login wiki", "pipeline = login staff wiki")
    path = write_ini(f"{text}\n[filter:staff]\nuse = egg:wheatpaste#require\nrule = role admin\n")
    client = Client(loadapp(f"config:{path}"), jar=CookieJar())
    assert sign_in(client, "bob", "builder", "/").status == 303
    assert client.get("/").status == 403
    other = Client(client.app, jar=CookieJar())
    sign_in(other, path="/")
    assert other.get("/").status == 200

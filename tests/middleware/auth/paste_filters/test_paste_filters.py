"""Paste's authentication filters under their old names, beside what of the originals still runs."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import time
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from auth_authkit_app import check, digest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste import loadapp
from wheatpaste.config.check import check_file
from wheatpaste.config.options import OptionError
from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.auth.paste_filters.cookie import AuthCookie
from wheatpaste.middleware.auth.paste_filters.grantip import GrantIP, read_grant, read_span
from wheatpaste.testing import Client, Clock, Response

SECRET = "c51f0be93a7d42e8916b0f3ad5e7c284"
SITE = """
[DEFAULT]
{default}

[pipeline:main]
pipeline = old app

[app:app]
paste.app_factory = auth_authkit_app:app_factory

[filter:old]
use = egg:Paste#{name}
{keys}
"""
OWN = {"Sec-Fetch-Site": "same-origin"}
BROWSER = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
TEMPLATE = "<form method=post action='%s'>old page, 100%%</form>"
NO_TEMPLATE = 1


@pytest.fixture
def site(write_ini: Callable[..., Path]) -> Callable[..., Client]:
    def make(name: str, keys: str = "", default: str = "", **how: Any) -> Client:
        path = write_ini(SITE.format(name=name, keys=keys, default=default))
        return Client(loadapp(f"config:{path}"), jar=CookieJar(), **how)

    return make


def basic(text: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text).decode()}


# --- auth_basic -------------------------------------------------------------------------------------------------------

BASIC = "realm = Wiki\nauthfunc = auth_authkit_app:check"


def theirs_basic() -> Client:
    from auth_authkit_app import app
    from paste.auth.basic import AuthBasicHandler

    return Client(AuthBasicHandler(app, "Wiki", check))


@pytest.mark.parametrize(
    "headers",
    [{}, basic(b"ada:ada"), basic(b"ada:eve"), basic(b"a b:a b"), {"Authorization": "Bearer x"}],
    ids=["nothing", "right", "wrong", "with a blank", "another scheme"],
)
def test_basic_decides_as_the_original(headers: dict[str, str], site: Callable[..., Client]) -> None:
    ours, theirs = site("auth_basic", BASIC).get("/x", headers=headers), theirs_basic().get("/x", headers=headers)
    assert ours.status == theirs.status
    assert ours.status != 200 or ours.text.split() == [*theirs.text.split(), "REMOTE_USER_TOKENS=", "REMOTE_USER_DATA="]
    assert ours.headers.get("WWW-Authenticate", "").startswith(theirs.headers.get("WWW-Authenticate", ""))


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !", "Basic " + base64.b64encode(b"no colon").decode(), "Basic \xff", "", "Basic ="]
)
def test_basic_survives_what_the_original_died_of(header: str, site: Callable[..., Client]) -> None:
    assert site("auth_basic", BASIC).get("/x", headers={"Authorization": header}).status == 401


def test_basic_takes_names_beyond_ascii(site: Callable[..., Client]) -> None:
    client = site("auth_basic", BASIC.replace("auth_authkit_app:check", "auth_authkit_app.check"))
    assert client.get("/x", headers=basic("zoë:zoë".encode())).status == 200


def test_basic_takes_no_password_from_elsewhere_over_plain_http(site: Callable[..., Client]) -> None:
    elsewhere = {"REMOTE_ADDR": "192.0.2.1"}
    headers = basic(b"ada:ada")
    assert site("auth_basic", BASIC).get("/x", headers=headers, environ=elsewhere).status == 403
    insecure = site("auth_basic", f"{BASIC}\nallow_insecure = true")
    assert insecure.get("/x", headers=headers, environ=elsewhere).status == 200
    assert site("auth_basic", BASIC, scheme="https").get("/x", headers=headers, environ=elsewhere).status == 200


@pytest.mark.parametrize("name", ["auth_basic", "auth_digest", "auth_form"])
def test_whoever_was_signed_in_outside_passes(name: str, site: Callable[..., Client]) -> None:
    keys = "realm = Wiki\nauthfunc = auth_authkit_app:check"
    assert "REMOTE_USER=eve" in site(name, keys).get("/x", environ={"REMOTE_USER": "eve"}).text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("auth_authkit_app:nothing", "cannot be imported"),
        ("no_such_module:check", "cannot be imported"),
        ("lambda e, u, p: True", "must have the form module:object"),
        ("__import__('os')", "must have the form module:object"),
        ("os:name", "is nothing that can be called"),
    ],
)
@pytest.mark.parametrize("name", ["auth_basic", "auth_digest", "auth_form"])
def test_a_function_is_imported_and_never_evaluated(
    name: str, text: str, message: str, site: Callable[..., Client]
) -> None:
    with pytest.raises(ConfigError, match=message):
        site(name, f"realm = Wiki\nauthfunc = {text}")


CHECKED = """
[app:main]
use = egg:wheatpaste#echo
filter-with = login

[filter:login]
use = egg:{name}
{keys}

[wheatpaste]
python_path = %(here)s
"""
FUNCTIONS = {
    "auth_basic": ("Paste#auth_basic", "realm = Wiki\nauthfunc = beside_the_file:{}"),
    "auth_digest": ("Paste#auth_digest", "realm = Wiki\nauthfunc = beside_the_file:{}"),
    "auth_form": ("Paste#auth_form", "authfunc = beside_the_file:{}"),
    "auth_form's template": ("Paste#auth_form", "authfunc = beside_the_file:there\ntemplate = beside_the_file:{}"),
    "authkit": (
        "wheatpaste#authkit",
        "authkit.setup.method = basic\nauthkit.basic.authenticate.function = beside_the_file:{}",
    ),
    "authkit's users": (
        "wheatpaste#authkit",
        "setup.method = basic\nbasic.authenticate.user.data = ada:x\nbasic.authenticate.user.type = beside_the_file:{}",
    ),
}


@pytest.mark.parametrize(("name", "keys"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_check_looks_for_a_function_and_runs_nothing_of_it(name: str, keys: str, tmp_path: Path) -> None:
    (tmp_path / "beside_the_file.py").write_text("open(__file__ + '.ran', 'w')\ndef there(*given): ...\n")
    path = tmp_path / "site.ini"
    for word, told in (("there", []), ("nowhere", ["beside_the_file has no 'nowhere'"])):
        path.write_text(CHECKED.format(name=name, keys=keys.format(word)))
        found = [each.what for each in check_file(str(path)) if each.severity == "error"]
        assert [each.partition(": ")[2] for each in found] == told
    assert not (tmp_path / "beside_the_file.py.ran").exists()


# --- auth_digest ------------------------------------------------------------------------------------------------------

DIGEST = "realm = Wiki\nauthfunc = auth_authkit_app:digest"


def answer(challenge: str, name: str, uri: str, password: str, count: int = 1) -> dict[str, str]:
    parts = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge.partition(" ")[2]))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    ha1, nc = md5(f"{name}:{parts['realm']}:{password}"), f"{count:08x}"
    response = md5(f"{ha1}:{parts['nonce']}:{nc}:c:auth:{md5(f'GET:{uri}')}")
    opaque = f', opaque="{parts["opaque"]}"' if "opaque" in parts else ""
    return {
        "Authorization": f'Digest username="{name}", realm="{parts["realm"]}", nonce="{parts["nonce"]}", uri="{uri}",'
        f' response="{response}", qop=auth, nc={nc}, cnonce="c"{opaque}'
    }


def theirs_digest() -> Client:
    from auth_authkit_app import app
    from paste.auth.digest import AuthDigestHandler

    return Client(AuthDigestHandler(app, "Wiki", digest))


@pytest.mark.parametrize(
    ("name", "password", "status"), [("ada", "ada", 200), ("ada", "eve", 401), ("eve", "eve", 401)]
)
def test_digest_decides_as_the_original(name: str, password: str, status: int, site: Callable[..., Client]) -> None:
    for client in (site("auth_digest", DIGEST), theirs_digest()):
        challenge = client.get("/x").headers["WWW-Authenticate"]
        assert challenge.startswith("Digest ")
        assert client.get("/x", headers=answer(challenge, name, "/x", password)).status == status


def test_digest_refuses_what_the_original_let_pass(site: Callable[..., Client]) -> None:
    client = site("auth_digest", DIGEST)
    challenge = client.get("/x").headers["WWW-Authenticate"]
    right = answer(challenge, "ada", "/x", "ada")
    assert client.get("/x/private", headers=answer(challenge, "ada", "/x", "ada", 2)).status == 401
    assert client.get("/x", headers=right).status == 200
    assert client.get("/x", headers=right).status == 401
    made_up = re.sub(r'nonce="[^"]*"', 'nonce="' + "0" * 32 + '"', challenge)
    assert client.get("/x", headers=answer(made_up, "ada", "/x", "ada")).status == 401


def test_processes_with_one_secret_know_each_others_nonces(site: Callable[..., Client]) -> None:
    one = site("auth_digest", DIGEST, default=f"secret = {SECRET}")
    other = site("auth_digest", DIGEST, default=f"secret = {SECRET}")
    challenge = one.get("/x").headers["WWW-Authenticate"]
    assert other.get("/x", headers=answer(challenge, "ada", "/x", "ada")).status == 200


# --- auth_form --------------------------------------------------------------------------------------------------------

FORM = "realm = unused\nauthfunc = auth_authkit_app:check"


def fill_in(client: Client, name: str, password: str) -> Response:
    asked = client.get("/x?a=1", headers=BROWSER)
    assert asked.status == 303
    form = client.get(asked.headers["Location"])
    assert form.status == 200
    return client.post(asked.headers["Location"], form={"username": name, "password": password}, headers=OWN)


def test_form_lets_in_whom_the_function_accepts_and_remembers_it(site: Callable[..., Client]) -> None:
    client = site("auth_form", FORM)
    assert fill_in(client, "ada", "eve").status == 401
    reply = fill_in(client, "ada", "ada")
    assert (reply.status, reply.headers["Location"]) == (303, "/x?a=1")
    assert "REMOTE_USER=ada AUTH_TYPE=cookie" in client.get("/x").text


def test_form_shows_its_own_template(site: Callable[..., Client]) -> None:
    client = site("auth_form", f"{FORM}\ntemplate = test_paste_filters_page:TEMPLATE")
    assert client.get("/-/auth/login").text == "<form method=post action='/-/auth/login'>old page, 100%</form>"
    with pytest.raises(ConfigError, match="is no text"):
        site("auth_form", f"{FORM}\ntemplate = test_paste_filters_page:NO_TEMPLATE")


@pytest.fixture(autouse=True)
def _page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_paste_filters_page.py").write_text(f"TEMPLATE = {TEMPLATE!r}\nNO_TEMPLATE = {NO_TEMPLATE}\n")
    monkeypatch.syspath_prepend(tmp_path)


# --- auth_tkt ---------------------------------------------------------------------------------------------------------


def test_tkt_remembers_whom_the_app_signs_in(site: Callable[..., Client]) -> None:
    client = site("auth_tkt", "logout_path = /out", default=f"secret = {SECRET}", scheme="https")
    assert client.get("/private").text == "the app's own refusal"
    reply = client.post("/signin", form={"username": "Ada", "password": "open sesame"})
    (cookie,) = reply.headers.get_all("Set-Cookie")
    assert cookie.startswith("__Host-auth_tkt=")
    assert "HttpOnly" in cookie
    text = client.get("/private").text
    assert "REMOTE_USER=Ada AUTH_TYPE=cookie REMOTE_USER_TOKENS=editor,staff REMOTE_USER_DATA=hi" in text
    assert client.get("/private", environ={"REMOTE_ADDR": "192.0.2.1"}).status == 401
    assert client.get("/out", headers={"Sec-Fetch-Site": "cross-site"}).status == 303
    assert client.get("/out", headers=OWN).status == 200
    assert client.get("/private").status == 401


def test_tkt_without_include_ip_moves_along(site: Callable[..., Client]) -> None:
    client = site("auth_tkt", f"secret = {SECRET}\ninclude_ip = false")
    client.post("/signin", form={"username": "ada", "password": "open sesame"})
    assert client.get("/private", environ={"REMOTE_ADDR": "192.0.2.1"}).status == 200


def their_ticket(address: str, user: str = "ada") -> str:
    from paste.auth.auth_tkt import AuthTicket

    return (
        AuthTicket(SECRET, user, address, tokens="editor", user_data="hi", time=int(time.time()))
        .cookie_value()
        .decode()
    )


def test_tkt_exchanges_tickets_that_paste_has_made_until_a_day(site: Callable[..., Client]) -> None:
    keys = f"secret = {SECRET}\nlegacy_tickets = accept-until 2099-12-31"
    cookie = {"Cookie": f"auth_tkt={their_ticket('127.0.0.1')}"}
    client = site("auth_tkt", keys)
    assert "REMOTE_USER=ada" in client.get("/private", headers=cookie).text
    assert "REMOTE_USER=ada" in client.get("/private").text
    other = {"Cookie": f"auth_tkt={their_ticket('192.0.2.9')}"}
    assert site("auth_tkt", keys).get("/private", headers=other).status == 401
    assert site("auth_tkt", f"secret = {SECRET}").get("/private", headers=cookie).status == 401
    past = site("auth_tkt", f"secret = {SECRET}\nlegacy_tickets = accept-until 2020-01-01")
    assert past.get("/private", headers=cookie).status == 401


@pytest.mark.parametrize("text", ["x", '"', "%", "a" * 5000, "0" * 40 + "ada!", "\xff", "=;=;"])
def test_no_cookie_breaks_it(text: str, site: Callable[..., Client]) -> None:
    keys = f"secret = {SECRET}\nlegacy_tickets = accept-until 2099-12-31"
    assert site("auth_tkt", keys).get("/", headers={"Cookie": f"auth_tkt={text}"}).status == 200


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("auth_basic", BASIC.replace("Wiki", '"Wiki"'), "must be printable text without quotes"),
        ("auth_digest", DIGEST.replace("Wiki", '"Wiki"'), "must be printable text without quotes"),
        ("auth_tkt", "", "'secret' is missing"),
        ("auth_tkt", "secret = short", "has 5 characters"),
        ("auth_form", f"{FORM}\nsecret = short", "has 5 characters"),
        ("auth_cookie", "secret = short", "has 5 characters"),
        ("auth_cookie", "scanlist = REMOTE_USER HTTP_HOST", "cannot be kept"),
        ("auth_cookie", "scanlist = wsgi.input", "cannot be kept"),
        ("auth_cookie", "timeout = 0", "must be more than 0"),
        ("grantip", "www.example.org = joe", "a host's name is not looked up"),
        ("grantip", "192.0.2.9<->192.0.2.1 = joe", "must begin with the lower address"),
        ("grantip", "192.0.2.1 = ", "must begin with a user"),
    ],
)
def test_what_would_let_anybody_in_stops_the_start(
    name: str, keys: str, message: str, site: Callable[..., Client]
) -> None:
    with pytest.raises(ConfigError, match=message):
        site(name, keys)


@pytest.mark.parametrize("name", ["auth_tkt", "auth_cookie"])
def test_a_weak_secret_may_be_allowed(name: str, site: Callable[..., Client]) -> None:
    assert site(name, "secret = short\nallow_weak_secret = true").get("/").status == 200


# --- auth_cookie ------------------------------------------------------------------------------------------------------


class Inner:
    """An app that signs in at /in, out at /out, and remembers a key of its own."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path == "/in":
            environ["REMOTE_USER"] = "ada"
            environ["paste.auth.cookie"].append("shop.basket")
            environ["shop.basket"] = "apples; =\u20ac"
        elif path == "/out":
            del environ["REMOTE_USER"]
            environ.pop("shop.basket", None)
        elif path == "/long":
            environ["REMOTE_SESSION"] = "x" * 5000
        elif path == "/number":
            environ["REMOTE_SESSION"] = 7
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        shown = (environ.get(key, "-") for key in ("REMOTE_USER", "AUTH_TYPE", "shop.basket"))
        return ["|".join(map(str, shown)).encode()]


def remembering(clock: Clock, **options: Any) -> Client:
    return Client(AuthCookie(Inner(), **{"secret": SECRET, "clock": clock.time, **options}), jar=CookieJar())


def test_a_cookie_brings_the_user_back_and_is_renewed_with_each_request(clock: Clock) -> None:
    client = remembering(clock)
    assert "Set-Cookie" not in client.get("/").headers
    client.get("/in")
    for _ in range(3):
        clock.advance(29 * 60)
        assert client.get("/").text == "ada|cookie|apples; =\u20ac"
    clock.advance(30 * 60)
    assert client.get("/").text == "-|-|-"


def test_signing_out_takes_the_cookie_away(clock: Clock) -> None:
    client = remembering(clock)
    client.get("/in")
    assert "Max-Age=0" in client.get("/out").headers["Set-Cookie"]
    assert client.get("/").text == "-|-|-"


def test_the_time_is_signed_with_the_rest(clock: Clock) -> None:
    client = remembering(clock)
    text = client.get("/in").headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    made = AuthCookie(Inner(), secret=SECRET, clock=clock.time)
    assert made.read(text) == {"REMOTE_USER": "ada", "shop.basket": "apples; =\u20ac"}
    data = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    for place in range(len(data)):
        data[place] ^= 1
        assert made.read(base64.urlsafe_b64encode(data).rstrip(b"=").decode()) is None
        data[place] ^= 1
    assert AuthCookie(Inner(), secret=SECRET[::-1], clock=clock.time).read(text) is None
    assert AuthCookie(Inner(), secret=SECRET, cookie_name="other", clock=clock.time).read(text) is None
    assert AuthCookie(Inner(), secret=SECRET, clock=lambda: clock.time() - 3600).read(text) is None


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_no_text_of_a_cookie_breaks_it(text: str) -> None:
    assert AuthCookie(Inner(), secret=SECRET).read(text) is None


def test_the_cookie_is_hidden_from_scripts_and_for_tls_alone(clock: Clock) -> None:
    client = remembering(clock)
    client.scheme = "https"
    cookie = client.get("/in").headers["Set-Cookie"]
    for attribute in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/"):
        assert attribute in cookie


def test_a_key_that_is_there_already_stays(clock: Clock) -> None:
    client = remembering(clock)
    client.get("/in")
    assert client.get("/", environ={"REMOTE_USER": "eve"}).text.startswith("eve|-|")


@pytest.mark.parametrize(("path", "error"), [("/long", ValueError), ("/number", TypeError)])
def test_what_no_cookie_can_hold_is_a_mistake_of_the_app(path: str, error: type[Exception], clock: Clock) -> None:
    with pytest.raises(error):
        remembering(clock).get(path)


def test_a_cookie_cannot_bring_keys_of_the_request(clock: Clock) -> None:
    made = AuthCookie(Inner(), secret=SECRET, clock=clock.time)
    text = made.write({"REMOTE_USER": "ada", "HTTP_HOST": "evil", "wsgi.input": "x", "REMOTE_ADDR": "x"})
    assert made.read(text) == {"REMOTE_USER": "ada"}


def test_without_a_secret_each_process_has_its_own(clock: Clock) -> None:
    one, other = (AuthCookie(Inner(), clock=clock.time) for _ in range(2))
    assert other.read(one.write({"REMOTE_USER": "ada"})) is None
    with pytest.raises(OptionError, match="has 5 characters"):
        AuthCookie(Inner(), secret="short")


# --- grantip ----------------------------------------------------------------------------------------------------------

GRANTS = {
    "127.0.0.1": "-:system",
    "192.168.0.0/24": "-:editor,reader",
    "192.168.0.7": "joe",
    "192.168.0.10": "__remove__:-editor",
    "10.0.0.5<->10.0.0.9": "jane:staff",
}


def shows(app: Any, address: str, **environ: str) -> tuple[str | None, list[str]]:
    seen: dict[str, Any] = {}

    def inner(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        return []

    app.__dict__["app"] = inner
    app({"REMOTE_ADDR": address, **environ}, None)
    return seen.get("REMOTE_USER"), [each for each in seen.get("REMOTE_USER_TOKENS", "").split(",") if each]


def ours(clobber: bool = False) -> Any:
    return GrantIP(None, clobber_username=clobber, grants={key: read_grant(text) for key, text in GRANTS.items()})


def theirs(clobber: bool = False) -> Any:
    from paste.auth.grantip import GrantIPMiddleware

    told = {
        "127.0.0.1": (None, "system"),
        "192.168.0.0/24": (None, "editor,reader"),
        "192.168.0.7": ("joe", None),
        "192.168.0.10": ("__remove__", "-editor"),
        "10.0.0.5<->10.0.0.9": ("jane", "staff"),
    }
    return GrantIPMiddleware(None, told, clobber)


@pytest.mark.parametrize("clobber", [False, True])
@pytest.mark.parametrize("user", [{}, {"REMOTE_USER": "eve", "REMOTE_USER_TOKENS": "editor"}], ids=["nobody", "eve"])
@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "192.168.0.1", "192.168.0.7", "192.168.0.10", "10.0.0.5", "10.0.0.9", "10.0.0.10", "8.8.8.8"],
)
def test_addresses_give_what_they_gave(address: str, user: dict[str, str], clobber: bool) -> None:
    assert shows(ours(clobber), address, **user) == shows(theirs(clobber), address, **user)


def test_the_section_is_read_as_it_was_documented(site: Callable[..., Client]) -> None:
    keys = "clobber_username = true\n" + "\n".join(f"{key} = {text}" for key, text in GRANTS.items())
    client = site("grantip", keys)
    assert (
        "REMOTE_USER=joe REMOTE_USER_TOKENS=editor,reader"
        in client.get("/", environ={"REMOTE_ADDR": "192.168.0.7"}).text
    )
    assert "REMOTE_USER_TOKENS=system" in client.get("/", environ={"REMOTE_ADDR": "127.0.0.1"}).text


@pytest.mark.parametrize("address", ["::ffff:192.168.0.7", "2001:db8::7", "", "unix:", "no address"])
def test_no_address_breaks_it(address: str) -> None:
    user, _ = shows(ours(), address)
    assert user == ("joe" if "192" in address else None)


def test_addresses_of_ipv6_are_known() -> None:
    app = GrantIP(None, grants={"2001:db8::/32": read_grant("joe:staff")})
    assert shows(app, "2001:db8:1::9") == ("joe", ["staff"])


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading(text: str) -> None:
    for read in (read_span, read_grant):
        with contextlib.suppress(ValueError):
            read(text)

"""AuthKit's keys: the whole list, how each is read, and what is said about those that mean something else now.

Every key of AuthKit 0.4.5 is here. One that cannot be honoured stops the start, with the reason and the new form; one
that has no effect any more is a warning. Nothing is evaluated: an object of Python is named ``module:object``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ....config.mounts import KeyProblem
from ....config.problems import did_you_mean
from ....config.values import module_object, parse_bool
from ....protocol.secret_names import is_secret_name
from ..key_file import secret_complaint
from ..sessions.options import cookie_name_complaint
from ..site import realm_complaint
from .wishes import METHODS, WITH_USERS, Cookie, Template, Text, Users, Wishes, path_in

PREFIX = "authkit."
_GROUPS = ("setup", "basic", "digest", "form", "cookie", "forward", "redirect", "openid", "cas", "config")
_AUTHENTICATE = ("function", "user.type", "user.data", "user.encrypt", "user.encrypt.secret")
_TEMPLATE = ("string", "file", "obj")

_FROM_TEXT, _FROM_FILE = "authkit.users:UsersFromString", "authkit.users:UsersFromFile"
_FROM_TABLES = (
    "authkit.users.sqlalchemy_driver:UsersFromDatabase",
    "authkit.users.sqlalchemy_04_driver:UsersFromDatabase",
    "authkit.users.postgresql_driver:UsersDriver",
)
MD5 = "authkit.users:md5"

KEYS = frozenset(
    {
        *("setup.method", "setup.enable", "setup.intercept", "setup.fakeuser"),
        *(f"{method}.authenticate.{key}" for method in WITH_USERS for key in _AUTHENTICATE),
        *("basic.realm", "digest.realm"),
        *(f"form.template.{kind}" for kind in _TEMPLATE),
        *("form.charset", "form.method", "form.action", "form.userdata"),
        *("cookie.secret", "cookie.name", "cookie.includeip", "cookie.signoutpath", "cookie.signout"),
        *(f"cookie.params.{key}" for key in ("expires", "path", "comment", "domain", "max-age", "secure", "version")),
        *("cookie.params.httponly", "cookie.params.samesite"),
        *("cookie.enforce", "cookie.nouserincookie", "cookie.session_middleware", "cookie.ticket_class"),
        *("cookie.badcookie.page", *(f"cookie.badcookie.template.{kind}" for kind in _TEMPLATE)),
        *("forward.signinpath", "forward.internalpath", "redirect.url"),
    }
)
"""The keys that are understood, without their prefix; those of ``config.``, ``openid.`` and ``cas.`` besides."""

_IDLE: dict[str, str] = {
    "form.action": "the form is sent to the login page, whose address each request tells",
    "cookie.enforce": "the server ends every session when its time is up",
    "cookie.nouserincookie": "no user stands in the cookie, which is a random secret",
    "cookie.session_middleware": "sessions are kept in the filter's own store",
    "cookie.params.comment": "no browser shows it",
    "cookie.params.version": "cookies have no versions any more",
    "cookie.params.httponly": "scripts can never read the cookie",
    "cookie.params.samesite": "the cookie is never sent with requests that other sites' pages make in the background",
    "cookie.params.secure": "over TLS the cookie is always for TLS alone",
}


def belongs(key: str) -> bool:
    """Whether a key of a section is one of AuthKit's, by its form: a mistyped one, too."""
    if key.startswith(PREFIX):
        return True
    group, dot, _ = key.partition(".")
    return bool(dot) and group in _GROUPS


def plain(key: str) -> str:
    """The key without its prefix."""
    return key.removeprefix(PREFIX)


def names_object(key: str) -> bool:
    """Whether the value of a key is the name of an object of Python."""
    return plain(key).endswith((".function", ".user.type", ".user.encrypt", "template.obj"))


def objects_in(text: str) -> list[str]:
    """The objects of Python that are imported for such a value; AuthKit's own are known, and it need not be there."""
    try:
        name = module_object(text.strip())
    except ValueError:
        return []
    return [] if name == MD5 or name in (_FROM_TEXT, _FROM_FILE, *_FROM_TABLES) else [name]


def complaint_about_key(key: str) -> str | None:
    """What is wrong with a key that has the form of one of AuthKit's, or None."""
    name = plain(key)
    if name in KEYS or name.startswith(("config.", "openid.", "cas.")):
        return None
    hint = did_you_mean(name, KEYS)
    return f"is none of AuthKit's; {hint}" if hint.startswith("did you mean") else "is none of AuthKit's"


class Reading:
    """The keys of one configuration, as they are read; ``problems`` grows meanwhile."""

    def __init__(self, texts: Mapping[str, Text], *, allow_weak_secret: bool = False) -> None:
        self.problems: list[KeyProblem] = []
        self._texts: dict[str, Text] = {}
        self._spelled: dict[str, str] = {}
        self._allow_weak_secret = allow_weak_secret
        for key, text in texts.items():
            name = plain(key)
            if name in self._spelled:
                self._say(name, f"says the same as {self._spelled[name]!r}", "keep one of them", key=key)
                continue
            self._texts[name], self._spelled[name] = text, key

    def wishes(self) -> Wishes:
        """What all keys say together."""
        self._remark()
        methods = self._methods()
        wishes = Wishes(
            methods=methods,
            enable=self._bool("setup.enable", True),
            fakeuser=self._get("setup.fakeuser"),
            intercept=self._intercept(),
            realm=self._realm(methods),
            users=self._users(methods),
            template=self._template("form.template"),
            charset=self._charset(),
            cookie=self._cookie() if "cookie" in methods else None,
            signinpath=self._signinpath() if "forward" in methods else None,
            redirect_url=self._redirect() if "redirect" in methods else None,
            config=dict(self._config()),
        )
        self._judge(wishes)
        return wishes

    # --- what is said of single keys ----------------------------------------------------------------------------------

    def _remark(self) -> None:
        for name in self._texts:
            if name.startswith("openid."):
                self._say(name, "OpenID 1 and 2 are gone", "use OpenID Connect: a section [auth:NAME:oidc:PROVIDER]")
            elif name.startswith("cas."):
                self._say(name, "CAS is not taken over", "use OpenID Connect, which CAS servers of today speak, too")
            elif name in _IDLE:
                self._say(name, f"does nothing: {_IDLE[name]}", severity="warning")
        if self._get("form.method", "post").lower() != "post":
            self._say(
                "form.method",
                "is refused: with get the password would stand in addresses, in logs and in the browser's history",
                "remove it",
            )
        if "form.userdata" in self._texts:
            self._say(
                "form.userdata",
                "never worked in a file",
                "let the app say it, by environ['paste.auth_tkt.set_user'](user, user_data='…')",
            )
        if "cookie.ticket_class" in self._texts:
            self._say(
                "cookie.ticket_class", "there are no tickets any more: the cookie is a random secret", "remove it"
            )
        if "cookie.signout" in self._texts:
            self._say("cookie.signout", "has another name", "write cookie.signoutpath")
        if self._get("cookie.params.domain"):
            self._say(
                "cookie.params.domain",
                "is refused: every host of the domain could read the session and set one of its own",
                "remove it; each host has its own login",
            )
        if self._get("cookie.params.path", "/") != "/":
            self._say(
                "cookie.params.path",
                "is refused: it keeps no page of the same host from the cookie, and only cookies for / are protected",
                "remove it; sites that share a host need cookies of different names (cookie.name)",
            )

    def _judge(self, wishes: Wishes) -> None:
        if wishes.is_open:
            return
        if "form" in wishes.methods and "cookie" not in wishes.methods:
            self._say(
                "setup.method", "form needs cookie beside it, to remember who has signed in", "write form, cookie"
            )
        if {"forward", "redirect"} & {*wishes.methods} and "cookie" not in wishes.methods:
            self._say("setup.method", "needs cookie as well, to remember who has signed in", "add cookie")
        ways = [each for each in wishes.methods if each in ("form", "forward", "redirect")]
        if len(ways) > 1:
            self._say("setup.method", f"{' and '.join(ways)} cannot both answer a browser", "keep one of them")

    # --- the values ---------------------------------------------------------------------------------------------------

    def _methods(self) -> tuple[str, ...]:
        text = self._get("setup.method")
        if text is None:
            self._say(None, "'setup.method' is missing", "add `authkit.setup.method = form, cookie`")
            return ()
        words = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
        for word in words:
            if word == "openid":
                self._say("setup.method", "openid is gone", "use OpenID Connect: [auth:NAME:oidc:PROVIDER]")
            elif word == "cas":
                self._say("setup.method", "cas is not taken over", "use OpenID Connect")
            elif word not in METHODS:
                hint = did_you_mean(word, METHODS)
                self._say("setup.method", f"there is no method {word!r}", hint)
        if not words:
            self._say("setup.method", "must name at least one method", f"there are: {', '.join(METHODS)}")
        return tuple(word for word in words if word in METHODS)

    def _intercept(self) -> tuple[str, ...]:
        words = [word.strip() for word in self._get("setup.intercept", "401").split(",")]
        for word in words:
            if not re.fullmatch(r"4\d\d", word):
                self._say("setup.intercept", f"{word!r} is no status between 400 and 499", "")
        if "401" not in words:
            self._say("setup.intercept", "without 401 no app can ask for a login as all others do", severity="warning")
        return tuple(words)

    def _realm(self, methods: tuple[str, ...]) -> str:
        found = {name: self._get(f"{name}.realm", "AuthKit") for name in ("basic", "digest") if name in methods}
        if len({*found.values()}) > 1:
            self._say("digest.realm", "must be that of basic.realm: a site has one realm", f"write {found['basic']}")
        for name, realm in found.items():
            complaint = realm_complaint(realm)
            if complaint is not None:
                self._say(f"{name}.realm", complaint)
        return next(iter(found.values()), "AuthKit")

    def _users(self, methods: tuple[str, ...]) -> Users | None:
        found: dict[str, Users] = {}
        for method in methods:
            if method in WITH_USERS:
                users = self._users_of(method)
                if users is not None:
                    found[method] = users
        if len({*found.values()}) > 1:
            names = " and ".join(found)
            key = next(key for key in self._texts if key.startswith(f"{[*found][-1]}.authenticate."))
            self._say(
                key,
                f"{names} name different users; they would be one now, and all of them could sign in either way",
                "let all methods name the same, or use egg:wheatpaste#auth",
            )
        return next(iter(found.values()), None)

    def _users_of(self, method: str) -> Users | None:
        head = f"{method}.authenticate"
        function, kind, data = (self._get(f"{head}.{key}") for key in ("function", "user.type", "user.data"))
        encrypt, secret = self._get(f"{head}.user.encrypt"), self._get(f"{head}.user.encrypt.secret", "")
        if function is not None:
            others = [key for key in self._texts if key.startswith(f"{head}.user.")]
            for key in others:
                self._say(key, f"cannot stand beside {head}.function, which decides alone", "keep one of them")
            return Users("function", function=self._object(f"{head}.function"))
        if encrypt is not None:
            encrypt = self._object(f"{head}.user.encrypt")
            if method == "digest":
                self._say(
                    f"{head}.user.encrypt",
                    "cannot be: Digest needs the password, or a hash of its own",
                    "use basic or form, or egg:wheatpaste#auth with a file of htdigest",
                )
        elif secret:
            self._say(f"{head}.user.encrypt.secret", "does nothing without user.encrypt", severity="warning")
        kind = _FROM_TEXT if kind is None else self._object(f"{head}.user.type")
        key = f"{head}.user.data"
        if not data and kind in (_FROM_TEXT, _FROM_FILE, *_FROM_TABLES):
            self._say(None, f"{key!r} is missing, which says who the users of {method} are", f"add `{PREFIX}{key} = …`")
            return None
        known: dict[str, Any] = {"encrypt": encrypt or "", "encrypt_secret": secret}
        if kind == _FROM_TEXT:
            return Users("text", data=data or "", **known)
        if kind == _FROM_FILE:
            return Users("file", data=str(path_in(self._texts[key])), **known)
        if kind in _FROM_TABLES:
            if data is not None and "://" not in data:
                self._say(
                    key,
                    "must be the URL of the database, such as postgresql://host/name, whose tables are read directly",
                    "models of Pylons cannot be imported",
                )
            return Users("tables", data=data or "", **known)
        return Users("object", data=data or "", type=kind, **known)

    def _cookie(self) -> Cookie:
        secret = self._get("cookie.secret", "")
        if not secret:
            self._say(
                None, "'cookie.secret' is missing", "make one: python -c 'import secrets; print(secrets.token_hex())'"
            )
        elif (weak := secret_complaint(secret)) is not None:
            what = f"{weak}; whoever guesses it can sign in as anybody"
            fix = "make one: python -c 'import secrets; print(secrets.token_hex())'; sessions that there are end"
            if self._allow_weak_secret:
                self._say("cookie.secret", what, fix, severity="warning")
            else:
                self._say("cookie.secret", what, f"{fix}; `allow_weak_secret = true` starts all the same")
        path = self._get("cookie.signoutpath")
        if path is not None and not path.startswith("/"):
            self._say("cookie.signoutpath", "must begin with a slash: it is compared with the path of each request")
        name = self._get("cookie.name", "authkit")
        complaint = cookie_name_complaint(name)
        if complaint is not None:
            self._say("cookie.name", complaint)
            name = "authkit"
        return Cookie(
            secret=secret,
            name=name,
            signoutpath=path,
            seconds=self._seconds(),
            includeip=self._bool("cookie.includeip", False),
            badcookie_page=self._bool("cookie.badcookie.page", True),
            badcookie_template=self._template("cookie.badcookie.template"),
        )

    def _seconds(self) -> float | None:
        found: float | None = None
        for name in ("cookie.params.max-age", "cookie.params.expires"):
            text = self._get(name)
            if text is None:
                continue
            if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
                self._say(name, "must be a number of seconds")
            else:
                found = float(text)
        return found

    def _signinpath(self) -> str | None:
        name = "forward.signinpath" if "forward.signinpath" in self._texts else "forward.internalpath"
        path: str | None = self._get(name)
        if path is None:
            self._say(None, "'forward.signinpath' is missing, the path at which the app shows its login")
        elif not path.startswith("/") or path.startswith("//"):
            self._say(name, "must be a path of the app that begins with one slash")
        return path

    def _redirect(self) -> str | None:
        url: str | None = self._get("redirect.url")
        if url is None:
            self._say(None, "'redirect.url' is missing, where browsers are sent to sign in")
        elif not re.fullmatch(r"(?:https?://[^\s/\\]+)?/(?![/\\])[!-~]*|https?://[^\s/\\]+", url):
            self._say("redirect.url", "must be a path that begins with one slash, or begin with https://")
        return url

    def _charset(self) -> str:
        charset = self._get("form.charset", "utf-8")
        try:
            return codecs.lookup(charset).name
        except (LookupError, ValueError):
            self._say("form.charset", "is no charset that is known here", "write utf-8")
            return "utf-8"

    def _template(self, head: str) -> Template | None:
        found = [kind for kind in _TEMPLATE if f"{head}.{kind}" in self._texts]
        if len(found) > 1:
            self._say(f"{head}.{found[1]}", f"cannot stand beside {head}.{found[0]}", "keep one of them")
        if not found:
            return None
        name = f"{head}.{found[0]}"
        if found[0] == "file":
            path = path_in(self._texts[name])
            if not path.is_file():
                self._say(name, f"there is no file {path}")
            return Template("file", str(path))
        if found[0] == "obj":
            return Template("obj", self._object(name))
        return Template("string", self._texts[name].text)

    def _config(self) -> Iterator[tuple[str, Any]]:
        """What apps may see: AuthKit showed them everything, the cookie's secret and inline passwords too."""
        for name, text in self._texts.items():
            if is_secret_name(name) or name.endswith(("secret", "user.data", ".function", ".obj")):
                continue
            yield name, text.text
            if name.startswith("config."):
                yield name.removeprefix("config."), text.text
        yield "setup.enable", self._bool("setup.enable", True)

    # --- reading ------------------------------------------------------------------------------------------------------

    def _get(self, name: str, default: Any = None) -> Any:
        found = self._texts.get(name)
        text = None if found is None else found.text.strip()
        return text or default

    def _bool(self, name: str, default: bool) -> bool:
        text = self._get(name)
        if text is None:
            return default
        try:
            return parse_bool(text)
        except ValueError as error:
            if not any(each.key == self._spelled[name] for each in self.problems):
                self._say(name, str(error))
            return default

    def _object(self, name: str) -> str:
        """The name of an object of Python, as ``module:object``."""
        try:
            return module_object(self._get(name, ""))
        except ValueError as error:
            self._say(name, f"{error}; values are not evaluated, so no calls and no expressions")
            return ""

    def _say(
        self, name: str | None, what: str, fix: str = "", *, severity: Any = "error", key: str | None = None
    ) -> None:
        self.problems.append(KeyProblem(key or (name and self._spelled.get(name, name)), what, fix, severity))


def read(texts: Mapping[str, Text], *, allow_weak_secret: bool = False) -> tuple[Wishes, list[KeyProblem]]:
    """What keys of AuthKit say, and what is wrong with them: errors and warnings, by the key as it was spelled."""
    reading = Reading(texts, allow_weak_secret=allow_weak_secret)
    return reading.wishes(), reading.problems

"""``egg:wheatpaste#authkit``: a configuration of AuthKit, key by key, with services that are safe today.

Its keys stand in the filter's own section, with the prefix ``authkit.`` or without, or in the section of an app that
``app_section`` names, where AuthKit had them. Writes what ``environ.py`` lists, and what ``egg:wheatpaste#auth`` does;
where it is turned off, ``wheatpaste.allowed`` allows everything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ....config.factories import FilterFactory
from ....config.mounts import KeyProblem
from ....config.options import OptionError, component, option, readable
from ....config.origin import BuildSite
from ....config.parts import NO_PARTS, Part, Parts
from ....config.reader import Family, Place, Reader, Reading, Texts
from ....protocol.answer import Answer
from ....protocol.peers import is_direct, read_address
from ....protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from ...storage.places import store_complaint
from ..answers import problem
from ..audit import destination_complaint
from ..key_file import secret_complaint
from ..methods.tkt import last_day
from ..passwords.hasher import Profile
from ..site import mount_complaint, public_url_complaint
from .keys import belongs, complaint_about_key, names_object, objects_in, plain, read
from .wishes import Terms, Text, Wishes

if TYPE_CHECKING:
    from ....config.surroundings import Surroundings
    from .assembly import Guarded

INSECURE = "WHEATPASTE_INSECURE_DEV"
"""The environment variable without which no site is open to everybody."""

NO_KEYS: Mapping[str, Text] = MappingProxyType({})


def _parse(text: str, folder: str | None) -> Text:
    return Text(text, folder)


FAMILY = Family(
    name="keys",
    takes=belongs,
    parse=_parse,
    key="authkit.setup.method, authkit.form.…, …",
    kind="AuthKit's own",
    doc="The keys of AuthKit 0.4, with the prefix `authkit.` or without.",
    sample=("authkit.setup.method", "basic"),
    beside=(
        ("authkit.basic.realm", "Wiki"),
        ("authkit.basic.authenticate.user.data", "alice:correct-horse"),
    ),
    complaint=complaint_about_key,
    names=names_object,
    objects=objects_in,
)


@component
class AppKeys:
    """Keys of AuthKit in the section of an app, beside the app's own."""

    keys: Mapping[str, Text] = field(default=NO_KEYS, repr=False)


PARTS = Parts(
    option="app_section",
    prefix="app",
    file="config",
    parts=(Part("", Reader(component=AppKeys, family=FAMILY, extra=True), required=True),),
)


@component
class AuthKit:
    """The login of a site that was configured for AuthKit."""

    app: WSGIApp = field(kw_only=False)
    app_section: str | None = option(
        default=None, doc="The app of this file whose section [app:NAME] has keys of AuthKit as well.", sample="wiki"
    )
    config: Path | None = option(default=None, doc="The file with that section, if it is another one.")
    store: str = option(
        default="memory:",
        doc="Where sessions and counts are kept: memory: for one process, sqlite:///PATH, postgresql://… or redis://….",
        check=store_complaint,
        sample="sqlite:///%(here)s/auth.db",
    )
    public_url: str | None = option(
        default=None,
        doc="Scheme and host under which browsers reach the site.",
        check=public_url_complaint,
        sample="https://wiki.example.org",
    )
    mount: str = option(default="/-/auth", doc="Where the login page is.", check=mount_complaint)
    audit: str = option(
        default="log:", doc="Where events are written: log:, json:PATH or none.", check=destination_complaint
    )
    argon2: str = option(
        default="default",
        doc="What a new hash of a password costs: default, small, or t=3,m=65536,p=4.",
        check=readable(Profile.read),
    )
    secret: str | None = option(
        default=None,
        doc="What Digest's nonces are protected with where there is no cookie; without, they count in one process.",
        secret=True,
        check=secret_complaint,
    )
    allow_insecure: bool = option(
        default=False, doc="Take passwords over plain http from other machines, too, with each request."
    )
    allow_weak_secret: bool = option(default=False, doc="Start with a cookie.secret of less than 32 characters.")
    legacy_tickets: str | None = option(
        default=None,
        doc="Until when cookies of AuthKit itself are exchanged for sessions.",
        check=readable(last_day),
        sample="accept-until 2027-06-30",
    )
    legacy_get_signout: bool = option(
        default=False, doc="Sign out at cookie.signoutpath by a link, too, if it stands on a page of this site."
    )
    keys: Mapping[str, Text] = field(default=NO_KEYS, repr=False)
    parts: Mapping[str, Any] = field(default=NO_PARTS, repr=False)

    def __post_init__(self) -> None:
        wishes, problems = read(joined(self.keys, self.parts), allow_weak_secret=self.allow_weak_secret)
        wrong = next((each for each in problems if each.severity == "error"), None) or _openness(wishes)
        if wrong is not None:
            raise OptionError("AuthKit", wrong.key, wrong.what)
        object.__setattr__(self, "_wishes", wishes)
        if not wishes.is_open:
            from .assembly import Guarded

            terms = Terms._make(getattr(self, name) for name in Terms._fields)
            try:
                guarded = Guarded(self.app, terms, wishes)
            except OptionError as error:
                key, part = _where(error.option or "", self.keys, self.parts)
                raise OptionError("AuthKit", key, error.what, part=part) from error
            object.__setattr__(self, "_guarded", guarded)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Let the request through to the app, or answer it."""
        guarded: Guarded | None = self.__dict__.get("_guarded")
        if guarded is not None:
            return guarded(environ, start_response)
        refused = _not_from_here(environ)
        if refused is not None:
            return refused.send(environ, start_response)
        wishes: Wishes = self.__dict__["_wishes"]
        environ["authkit.config"] = dict(wishes.config)
        environ["authkit.authenticate"] = True
        environ.pop("REMOTE_USER", None)
        if not wishes.enable:
            environ["wheatpaste.allowed"] = _everything
        if wishes.fakeuser is not None:
            environ["REMOTE_USER"] = wishes.fakeuser
            environ["AUTH_TYPE"] = "fake"
        return self.app(environ, start_response)

    def close(self) -> None:
        """Let go of files and connections."""
        guarded: Guarded | None = self.__dict__.get("_guarded")
        if guarded is not None:
            guarded.close()

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """What a check says: a site that is open to everybody, at an address that others reach."""
        wishes, _ = read(joined(self.keys, self.parts), allow_weak_secret=True)
        if wishes.is_open and stack.public is not None:
            key, part = _where(_opening(wishes), self.keys, self.parts)
            what = f"lets everybody in who reaches {stack.public}"
            yield KeyProblem(key, what, "remove it, or serve at 127.0.0.1", part=part)


def _everything(rule: str, *names: str) -> bool:
    """What is allowed where nobody is asked: AuthKit, too, skipped all checks then."""
    return True


def joined(keys: Mapping[str, Text], parts: Mapping[str, Any]) -> dict[str, Text]:
    """The keys of both sections; those of the filter's own count where both say something."""
    own = {plain(key) for key in keys}
    return {**{key: text for key, text in _beside(parts).items() if plain(key) not in own}, **keys}


def _beside(parts: Mapping[str, Any]) -> Mapping[str, Text]:
    """The keys in the section of an app."""
    return parts[""].keys if "" in parts else NO_KEYS


def _where(name: str, keys: Mapping[str, Text], parts: Mapping[str, Any]) -> tuple[str, str | None]:
    """How a key is spelled that counts, and in which part it stands; None for the filter's own section."""
    for part, texts in ((None, keys), ("", _beside(parts))):
        for key in texts:
            if plain(key) == name:
                return key, part
    return name, None


def _opening(wishes: Wishes) -> str:
    """The key that opens a site to everybody."""
    return "setup.enable" if not wishes.enable else "setup.fakeuser"


def _openness(wishes: Wishes) -> KeyProblem | None:
    """What is wrong with a site that is open to everybody where nobody has said that it is for trying out."""
    if not wishes.is_open or os.environ.get(INSECURE) == "1":
        return None
    what = "lets everybody in without a login" if not wishes.enable else "makes everybody one and the same user"
    fix = f"remove it; on your own machine, the environment variable {INSECURE}=1 allows it"
    return KeyProblem(_opening(wishes), what, fix)


def _not_from_here(environ: Environ) -> Answer | None:
    address = read_address(environ.get("REMOTE_ADDR") or "")
    if address is not None and address.is_loopback and is_direct(environ):
        return None
    return problem("403 Forbidden", "This site is being written, and answers its own machine alone.")


class AuthKitReader(Reader):
    """Reads the sections as others are read, then AuthKit's keys together: all that is wrong is said at once."""

    def read(
        self, texts: Texts, global_conf: Texts, site: BuildSite | None = None, *, importing: bool = True
    ) -> Reading:
        """Read a section, see :meth:`Reader.read`."""
        reading = super().read(texts, global_conf, site, importing=importing)
        keys: Mapping[str, Text] = reading.values.get("keys", NO_KEYS)
        parts: Mapping[str, Any] = reading.values.get("parts", NO_PARTS)
        weak: bool = reading.values.get("allow_weak_secret", False)
        wishes, found = read(joined(keys, parts), allow_weak_secret=weak)
        if not any(each.severity == "error" for each in found):
            wrong = _openness(wishes)
            if wrong is not None:
                found.append(KeyProblem(_where(_opening(wishes), keys, parts)[0], wrong.what, wrong.fix))
        own = Place(site, global_conf)
        beside = reading.place_of("")
        for wrong in found:
            is_own = beside is None or wrong.key is None or wrong.key in keys
            place = own if is_own or beside is None else beside[0]
            reading.problems.append(
                place.problem(wrong.key, wrong.what, wrong.fix, severity=wrong.severity, code="authkit")
            )
        return reading


filter_factory = FilterFactory(AuthKitReader(component=AuthKit, family=FAMILY, parts=PARTS))

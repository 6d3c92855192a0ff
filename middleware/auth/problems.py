"""What a check says of the sections of a site's authentication, taken together and where they stand."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...config.listeners import is_local
from ...config.mounts import KeyProblem
from ..delivery.mail_addresses import host_and_port
from .chosen_methods import sections_lacking
from .key_file import MAKE_KEY
from .mail.options import NEEDS_URL
from .site import Site

if TYPE_CHECKING:
    from ...config.surroundings import Surroundings
    from .accounts.options import StoreOptions
    from .factors.options import MfaOptions
    from .mail.options import MailOptions

_TLS = re.compile(r"tls|ssl|.*cert")
"""What keys begin with by which servers, ours and others, are told to speak TLS."""

_OF_METHODS = ("session", "basic", "digest", "bearer", "header", "tkt", "certificate", "jwt")


def problems_of(name: str, parts: Mapping[str, Any], stack: Surroundings) -> Iterator[KeyProblem]:
    """What is wrong with the sections ``[auth:NAME…]``; ``parts`` are as they were read."""
    site: Site = parts[""]
    if site.secret is None:
        yield KeyProblem("secret", "is missing: nothing can be signed", MAKE_KEY, part="")
    yield from _methods(name, site, parts)
    yield from _login(name, site, parts)
    yield from _second_factors(name, site, parts)
    yield from _mail(site, parts)
    yield from _store(name, parts, stack)
    if site.audit.startswith("json:") and not os.path.isabs(site.audit.removeprefix("json:")):
        what = "is a file in the folder in which a server or a command is started, another one for each"
        yield KeyProblem("audit", what, "write json:%(here)s/audit.log", "warning", part="")
    if site.default == "deny" and "rules" not in parts:
        what = "lets nobody see anything, for there are no rules that do"
        yield KeyProblem("default", what, f"add [auth:{name}:rules]", "warning", part="")
    if site.templates is not None and not site.templates.is_dir():
        what = "is no folder: all pages would be ours"
        yield KeyProblem("templates", what, "name one that is there", part="")
    header = parts.get("header")
    if "header" in site.methods and not site.trusted_proxies and not (header is not None and header.is_signed):
        yield KeyProblem(
            "trusted_proxies",
            "must name the proxy whose header is believed",
            "such as trusted_proxies = 127.0.0.1",
            part="",
        )
    if site.allow_insecure and stack.public:
        yield KeyProblem(
            "allow_insecure",
            f"lets passwords go over the network in clear, and others reach {stack.public}",
            "serve over TLS, or name a proxy that does",
            "warning",
            part="",
        )
    elif {"session", "password"} <= {*site.methods, *site.login} and stack.public and not _speaks_tls(site, stack):
        yield KeyProblem(
            "login",
            f"takes passwords over plain http, in clear for everybody on the way, and others reach {stack.public}",
            "serve over TLS; where a proxy does, say so: public_url = https://wiki.example.org",
            "warning",
            part="",
        )


def _speaks_tls(site: Site, stack: Surroundings) -> bool:
    """Whether browsers come over TLS, to the server or to a proxy in front of it, as far as the file says."""
    if (site.public_url or "").startswith("https:") or site.trusted_proxies or stack.find("prefix") is not None:
        return True
    server = stack.server
    return server.get("url_scheme") == "https" or any(_TLS.match(key) for key in server)


def _methods(name: str, site: Site, parts: Mapping[str, Any]) -> Iterator[KeyProblem]:
    lacking = sections_lacking(name, site, parts)
    if lacking is not None:
        yield KeyProblem("methods", lacking, part="")
    if "session" not in site.methods:
        if "tkt" in site.methods and "tkt" in parts and parts["tkt"].exchange:
            what = "must name session, too: tickets are exchanged for one"
            yield KeyProblem("methods", what, f"or say exchange = false in [auth:{name}:tkt]", part="")
        if any(word.startswith("oidc:") for word in parts):
            what = "must name session: a login at a provider begins one, which nobody would look at"
            yield KeyProblem("methods", what, part="")
    for part in parts:
        word = part.partition(":")[0]
        if word in _OF_METHODS and word not in site.methods:
            yield KeyProblem(
                None, f"does nothing: [auth:{name}] has no {word} in methods", f"add {word} there", "warning", part=part
            )
    if "ldap" in parts and ("users" not in parts or "ldap" not in parts["users"].source):
        what = f"does nothing: [auth:{name}:users] has no ldap in source"
        yield KeyProblem(None, what, "add ldap there", "warning", part="ldap")


def _login(name: str, site: Site, parts: Mapping[str, Any]) -> Iterator[KeyProblem]:
    for word in site.login:
        if word.startswith("oidc:") and word not in parts:
            yield KeyProblem("login", f"names {word}, and there is no section [auth:{name}:{word}]", part="")
        if (word.startswith("oidc:") or word == "passkey") and site.public_url is None:
            yield KeyProblem(
                "public_url",
                f"is missing, and login has {word}, which is tied to the site's address",
                "such as public_url = https://wiki.example.org",
                part="",
            )
    for word in parts:
        if word.startswith("oidc:") and word not in site.login:
            yield KeyProblem(
                None, f"is not offered: [auth:{name}] has no {word} in login", f"add {word} there", "warning", part=word
            )


def _second_factors(name: str, site: Site, parts: Mapping[str, Any]) -> Iterator[KeyProblem]:
    options: MfaOptions | None = parts.get("mfa")
    if options is None or options.totp != "off" or not options.require_for:
        return
    if not options.passkeys or site.public_url is None or not ("passkey" in site.login or "passkeys" in parts):
        yield KeyProblem(
            "require_for",
            "names who needs a second factor, and none is offered that they could set up",
            f"say totp = optional, or add [auth:{name}:passkeys]",
            "warning",
            part="mfa",
        )


def _mail(site: Site, parts: Mapping[str, Any]) -> Iterator[KeyProblem]:
    options: MailOptions | None = parts.get("mail")
    if options is None:
        return
    if site.public_url is None:
        yield KeyProblem("public_url", NEEDS_URL, "such as public_url = https://wiki.example.org", part="")
    if options.smtp_password and not options.smtp_username:
        yield KeyProblem(
            "smtp_password", "is of no use without a user", "write smtp_username, too", "warning", part="mail"
        )
    if options.smtp_username and not options.smtp_password:
        yield KeyProblem(
            "smtp_username", "is of no use without its password", "write smtp_password, too", "warning", part="mail"
        )
    host = host_and_port(options.smtp_server)[0]
    if not options.smtp_use_tls and not is_local(host):
        yield KeyProblem(
            "smtp_use_tls",
            f"is off, so links by which people sign in go to {host} in clear",
            "write smtp_use_tls = true",
            "warning",
            part="mail",
        )


def _store(name: str, parts: Mapping[str, Any], stack: Surroundings) -> Iterator[KeyProblem]:
    options: StoreOptions | None = parts.get("store")
    sessions = None if options is None else options.sessions
    places = {"url": "memory:" if options is None else options.url, "sessions": sessions}
    kept = {"url": "users and sessions" if sessions is None else "users", "sessions": "sessions and counters"}
    fixes = {
        "url": f"name a file: [auth:{name}:store] url = sqlite:///%(here)s/auth.db",
        "sessions": "remove it: then they are where the users are",
    }
    workers = stack.server.get("workers", "").strip() or "1"
    part = "" if options is None else "store"
    for key, place in places.items():
        said = None if options is None else key
        if place == "memory:" and workers not in ("0", "1"):
            what = f"keeps {kept[key]} in the memory of each process, and there are several (workers = {workers})"
            yield KeyProblem(said, what, fixes[key], part=part)
        elif place == "memory:" and key == "url" and stack.public:
            what = f"keeps {kept[key]} in memory alone: they are gone when the server ends"
            yield KeyProblem(said, what, fixes[key], "warning", part=part)
        elif place is not None and place.startswith("sqlite:///"):
            yield from _file(key, place.removeprefix("sqlite:///"), "sqlite:///%(here)s/auth.db", part)


def _file(key: str, path: str, whole: str, part: str) -> Iterator[KeyProblem]:
    """What is wrong with the place of a file that the server makes; ``whole`` is how its path can be written."""
    if os.path.isdir(os.path.dirname(path) or "."):
        if not os.path.isabs(path):
            what = "is a file in the folder in which a server or a command is started, another one for each"
            yield KeyProblem(key, what, f"write {whole}", "warning", part=part)
        return
    what = "is a file in a folder that is not there: every request would be answered with 503"
    lacks_slash = not os.path.isabs(path) and os.path.isdir(os.path.dirname(f"/{path}"))
    fix = (
        f"write {whole}, with a third slash before %(here)s"
        if lacks_slash
        else "make the folder, for the user of the server"
    )
    yield KeyProblem(key, what, fix, part=part)

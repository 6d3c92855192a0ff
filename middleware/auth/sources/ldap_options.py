"""``[auth:main:ldap]``: a directory that knows the users."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from ....config.listeners import is_local
from ....config.mounts import KeyProblem
from ....config.options import OptionError, above, at_least, component, each, not_empty, option
from ....config.values import Seconds

if TYPE_CHECKING:
    from ....config.surroundings import Surroundings


def _url_complaint(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.scheme not in ("ldap", "ldaps", "ldapi") or (parts.scheme != "ldapi" and not parts.hostname):
        return "must be ldaps://HOST, ldap://HOST or ldapi://%2Fpath"
    return None


def _named(text: str) -> str | None:
    return None if "{name}" in text else "must hold {name}, the place of the name that somebody logs in with"


@component
class LdapOptions:
    """A directory that is asked for users, their groups and their passwords."""

    url: tuple[str, ...] = option(
        doc="The servers, tried in this order.",
        check=lambda urls: each(_url_complaint)(urls) or not_empty(urls),
        sample="ldap://ldap.example.org",
    )
    tls: Literal["starttls", "none"] = option(
        default="starttls", doc="How connections to ldap:// are secured; with none, passwords travel as they are."
    )
    ca_file: Path | None = option(
        default=None, doc="The authorities that vouch for the servers, if the system does not know them."
    )
    bind_dn: str = option(
        default="",
        doc="Who searches for users; empty searches without a name, where the server lets everybody.",
        sample="cn=wiki,ou=services,dc=example,dc=org",
    )
    bind_password: str = option(default="", doc="The password of who searches.", secret=True)
    base: str = option(doc="Below which entry users are.", check=not_empty, sample="ou=people,dc=example,dc=org")
    filter: str = option(
        default="(uid={name})",
        doc="Finds a user; for Active Directory (&(objectClass=user)(sAMAccountName={name})).",
        check=_named,
    )
    id_attribute: str = option(
        default="entryUUID",
        doc="What no other user ever has, not even when this one is gone; objectGUID for Active Directory.",
        check=not_empty,
    )
    name_attribute: str = option(
        default="uid", doc="The name of a user; sAMAccountName for Active Directory.", check=not_empty
    )
    display_attribute: str = option(default="cn", doc="What a user is called.")
    email_attribute: str = option(default="mail", doc="The mail address.")
    group_base: str = option(
        default="", doc="Below which entry groups are; empty looks for none.", sample="ou=groups,dc=example,dc=org"
    )
    group_filter: str = option(
        default="(|(member={dn})(uniqueMember={dn})(memberUid={name}))",
        doc="Finds the groups of a user; for groups in groups of Active Directory"
        " (member:1.2.840.113556.1.4.1941:={dn}).",
    )
    group_name: str = option(default="cn", doc="The name of a group.", check=not_empty)
    timeout: Seconds = option(default=5.0, doc="How long a server may take to answer.", check=above(0))
    refresh: Seconds = option(
        default=300.0,
        doc="How old what is known of a user may be; its password is always asked for.",
        check=at_least(0),
    )

    def __post_init__(self) -> None:
        if self.bind_dn and not self.bind_password:
            # A server takes a name without a password for nobody, and says yes (RFC 4513 section 5.1.2).
            raise OptionError("LdapOptions", "bind_password", "is missing: bind_dn is nobody without it")

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """Where passwords travel in clear."""
        for url in self.url or ():
            host = urlsplit(url).hostname or ""
            if self.tls == "none" and url.startswith("ldap://") and not is_local(host):
                yield KeyProblem(
                    "tls", f"lets passwords go to {host} in clear", "write ldaps:// or tls = starttls", "warning"
                )

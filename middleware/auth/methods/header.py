"""Method ``header``: a proxy in front has signed the user in and says who it is.

A header is believed of the peers at the socket's other end that ``trusted_proxies`` names, and of nobody else: from
others the headers are taken out of the environ before anything reads them (``strip``). WSGI writes ``Remote_User`` and
``Remote-User`` alike, and some servers let the first, which a client can send past most proxies, win: there no header
is believed unless the deployer says that the proxy drops such names. Reads the headers of the preset,
``SERVER_SOFTWARE`` and ``wheatpaste.server``.
"""

from __future__ import annotations

import hmac
import re
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ....config.mounts import KeyProblem
from ....config.options import OptionError, component, each, option
from ....protocol.peers import Networks
from ....protocol.wsgi import Environ
from ..account import Account
from ..identity import Identity
from ..method import Failed, Method
from .header_names import HeaderNames, environ_key, kept_by

if TYPE_CHECKING:
    from ....config.surroundings import Surroundings
    from ..accounts.options import GroupOptions
    from ..visit import Visit


class Headers(NamedTuple):
    """The headers of one kind of proxy, ``''`` where it has none; and how it separates groups."""

    user: str
    groups: str = ""
    display: str = ""
    email: str = ""
    separator: str = ","


PRESETS: dict[str, Headers] = {
    "authelia": Headers("Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"),
    "authentik": Headers("X-authentik-username", "X-authentik-groups", "X-authentik-name", "X-authentik-email", "|"),
    "oauth2-proxy": Headers("X-Forwarded-User", "X-Forwarded-Groups", "", "X-Forwarded-Email"),
    "oauth2-proxy-nginx": Headers("X-Auth-Request-User", "X-Auth-Request-Groups", "", "X-Auth-Request-Email"),
    "tailscale": Headers("Tailscale-User-Login", "", "Tailscale-User-Name"),
    "custom": Headers(""),
}
"""What known proxies send. ``oauth2-proxy`` stands in front itself; ``-nginx`` answers nginx's ``auth_request``."""

_FURTHER = (
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Access-Token",
    "X-authentik-uid",
    "Tailscale-User-Profile-Pic",
    "X-Webauth-User",
    "X-Remote-User",
    "Cf-Access-Authenticated-User-Email",
    "X-Goog-Authenticated-User-Email",
    "X-Goog-Authenticated-User-Id",
    "X-Amzn-Oidc-Identity",
    "X-Amzn-Oidc-Accesstoken",
    "X-Amzn-Oidc-Data",
    "X-Goog-IAP-JWT-Assertion",
    "Cf-Access-Jwt-Assertion",
    "X-Client-Verify",
)

SIGNING = frozenset({"google-iap", "cloudflare", "aws-alb"})
"""The presets that are read by ``assertion``."""

_BALANCER = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d+:loadbalancer/[\w/.-]+")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_LONGEST = 255
_MOST_GROUPS = 500


FORGEABLE = frozenset(
    environ_key(name) for name in (*_FURTHER, *(name for preset in PRESETS.values() for name in preset[:4])) if name
)
"""The environ keys by which proxies name users: no client may set them, whether they are read here or by the app."""


def _header_complaint(name: str | None) -> str | None:
    return None if not name or _NAME.fullmatch(name) else "must be the name of a header, of letters, digits and dashes"


def _address_complaint(url: str | None) -> str | None:
    if url is None:
        return None
    from ..oidc.addresses import address_complaint

    return address_complaint(url)


@component
class HeaderOptions:
    """Users whom a trusted proxy names in a header."""

    preset: Literal[
        "authelia",
        "authentik",
        "oauth2-proxy",
        "oauth2-proxy-nginx",
        "tailscale",
        "custom",
        "google-iap",
        "cloudflare",
        "aws-alb",
    ] = option(
        doc="Which proxy it is; decides which headers are read. The proxy has to set or remove every one of them.",
        sample="authelia",
    )
    user: str | None = option(default=None, doc="The header with the user's name.", check=_header_complaint)
    groups: str | None = option(default=None, doc="The header with the groups.", check=_header_complaint)
    display: str | None = option(default=None, doc="The header with the full name.", check=_header_complaint)
    email: str | None = option(default=None, doc="The header with the mail address.", check=_header_complaint)
    separator: str | None = option(default=None, doc="What stands between two groups.")
    accounts: Literal["none", "known", "required"] = option(
        default="none",
        doc="Whether the name is one of our own users as well: never, where there is such a user, or it has to be.",
    )
    amr: tuple[str, ...] = option(
        default=(),
        doc="What the proxy demands of its users, in the words of RFC 8176: mfa, pwd, otp, hwk.",
        check=each(lambda word: None if re.fullmatch(r"[a-z]{2,10}", word) else "must be a word such as mfa"),
    )
    secret_header: str | None = option(
        default=None, doc="A header by which the proxy shows a secret as well.", check=_header_complaint
    )
    secret: str | None = option(default=None, doc="What stands in that header.", secret=True)
    underscores_dropped: bool = option(
        default=False,
        doc="The proxy drops header names with an underscore, as nginx does; needed where the server does not.",
    )
    audience: tuple[str, ...] = option(
        default=(),
        doc="Whom a signed header is for: the audience of IAP or Access, or the ARN of the load balancer.",
        sample="/projects/1234/global/backendServices/5678",
    )
    issuer: str | None = option(
        default=None,
        doc="Who signs: the address of the team at Cloudflare; the provider behind a load balancer of AWS.",
        check=_address_complaint,
        sample="https://team.cloudflareaccess.com",
    )
    user_claim: str | None = option(
        default=None, doc="The claim of a signed header that has the name; email, if not said."
    )
    keys_url: str | None = option(
        default=None,
        doc="Where the keys of signed headers are, if elsewhere than usual.",
        check=_address_complaint,
    )
    ca_file: Path | None = option(default=None, doc="Certificates to trust there instead of the system's (PEM).")

    def __post_init__(self) -> None:
        if self.is_signed:
            self._check_signed()
            return
        for name in ("audience", "issuer", "user_claim", "keys_url", "ca_file"):
            if getattr(self, name):
                raise OptionError("HeaderOptions", name, f"has no meaning with {self.preset}, which signs nothing")
        if self.preset == "custom" and not self.user:
            raise OptionError("HeaderOptions", "user", "must name the header where the preset is custom")
        if bool(self.secret_header) != bool(self.secret):
            missing = "secret" if self.secret_header else "secret_header"
            raise OptionError("HeaderOptions", missing, "is missing: secret_header and secret come together")
        if self.secret is not None and len(self.secret) < 16:
            raise OptionError("HeaderOptions", "secret", "must have at least 16 characters")

    @property
    def is_signed(self) -> bool:
        """Whether the proxy signs what it says."""
        return self.preset in SIGNING

    def _check_signed(self) -> None:
        for name in ("user", "groups", "display", "email", "separator", "secret_header", "secret"):
            if getattr(self, name):
                raise OptionError("HeaderOptions", name, f"has no meaning with {self.preset}: what counts is signed")
        if not self.audience:
            raise OptionError("HeaderOptions", "audience", "is missing: what was signed for others must not count")
        if self.preset == "cloudflare" and self.issuer is None:
            raise OptionError("HeaderOptions", "issuer", "must be the address of the team")
        if self.preset == "aws-alb" and not all(_BALANCER.fullmatch(each) for each in self.audience):
            raise OptionError("HeaderOptions", "audience", "must be the ARN of the load balancer")

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """What a check says: a server of ours that was told to keep underscores."""
        if not self.is_signed and not self.underscores_dropped and kept_by(stack.server):
            yield KeyProblem(
                "preset",
                "the server keeps header names with an underscore, by which clients could name a user",
                "let it drop them, or say that the proxy does with `underscores_dropped = true`",
            )

    @property
    def headers(self) -> Headers:
        """The headers that count."""
        preset = PRESETS[self.preset]
        return Headers(
            self.user or preset.user,
            preset.groups if self.groups is None else self.groups,
            preset.display if self.display is None else self.display,
            preset.email if self.email is None else self.email,
            self.separator or preset.separator,
        )


def strip_identity_headers(visit: Visit) -> None:
    """Take out of the environ whatever names a user to apps behind a proxy: for sites that believe no header."""
    for key in FORGEABLE.intersection(visit.environ):
        del visit.environ[key]


def header_method(
    options: HeaderOptions,
    trusted_proxies: Collection[str],
    directory: Any = None,
    groups: GroupOptions | None = None,
    complete: Callable[[Account], Account] | None = None,
    clock: Callable[[], float] = time.time,
) -> Method:
    """The method of these options, for a proxy that signs or for one that is trusted."""
    if not options.is_signed:
        return HeaderMethod(options, trusted_proxies, directory, groups, complete)
    from .assertion import SignedHeader

    return SignedHeader(options, directory, complete, clock)


class HeaderMethod:
    """Believes the identity headers of trusted proxies.

    ``groups`` says which of our groups those of the proxy (``header/THEIRS``) are; where it names none at all, the
    proxy's groups count as they are. ``complete`` adds to a user who is none of ours what is known of it here.
    Raises ``OptionError`` where ``trusted_proxies`` names nobody, or everybody.
    """

    name = "header"

    def __init__(
        self,
        options: HeaderOptions,
        trusted_proxies: Collection[str],
        directory: Any = None,
        groups: GroupOptions | None = None,
        complete: Callable[[Account], Account] | None = None,
    ) -> None:
        if not trusted_proxies:
            raise OptionError("Site", "trusted_proxies", "must name the proxy whose header is believed")
        if "*" in trusted_proxies:
            raise OptionError("Site", "trusted_proxies", "must not be *: then every client could name a user")
        self._options = options
        self._networks = Networks(trusted_proxies)
        self._directory = directory
        self._mapping = groups
        self._complete = complete
        self._headers = headers = options.headers
        self._own = frozenset(environ_key(name) for name in headers[:4] if name)
        self._secret = None if options.secret is None else options.secret.encode()
        self._names = HeaderNames(options.underscores_dropped)

    def strip(self, visit: Visit) -> None:
        """Take identity headers out of the environ, all but those of this proxy that are believed."""
        environ = visit.environ
        found = (FORGEABLE | self._own).intersection(environ)
        if found and self._is_believed(environ):
            found -= self._own
        for key in found:
            del environ[key]

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the proxy says it is. From other peers nothing is read."""
        environ = visit.environ
        user_key = environ_key(self._headers.user)
        if user_key not in environ or not self._is_believed(environ):
            return None
        name = self._read(environ, self._headers.user)
        if name == "":
            return None
        if not self._names.are_safe(environ):
            return Failed("the server keeps header names with an underscore")
        # Two headers of one name arrive with a comma between them: one of them is not the proxy's.
        if name is None or "," in name:
            return Failed("no user's name")
        email = self._read(environ, self._headers.email) or ""
        known: dict[str, Any] = {
            "display": self._read(environ, self._headers.display) or "",
            "email": email if re.fullmatch(r"[^@\s,<>]+@[^@\s,<>]+", email) else "",
            "amr": self._options.amr,
        }
        groups = frozenset(self._groups(environ))
        if self._mapping is not None and self._mapping.groups:
            groups = self._mapping.ours(self.name, groups)
        if self._options.accounts != "none" and self._directory is not None:
            account = self._directory.find(name)
            if account is None and self._options.accounts == "required":
                return Failed("unknown user")
            if account is not None:
                if account.disabled:
                    return Failed("disabled")
                found = Identity.of(account, self.name, amr=self._options.amr)
                return found._replace(groups=found.groups | groups, **_given(known))
        theirs = Account(f"header:{name}", name, "header", known.pop("display"), known.pop("email"), groups=groups)
        if self._complete is not None:
            theirs = self._complete(theirs)
        return Identity.of(theirs, self.name, **known)._replace(account=None)

    def challenges(self, visit: Visit) -> Sequence[str]:
        """None: the proxy asks."""
        return ()

    def _is_believed(self, environ: Environ) -> bool:
        if not self._networks.holds_peer(environ):
            return False
        if self._secret is None:
            return True
        shown = environ.get(environ_key(self._options.secret_header or ""), "")
        return hmac.compare_digest(shown.encode("latin-1", "replace"), self._secret)

    def _groups(self, environ: Environ) -> Iterator[str]:
        listed = self._read(environ, self._headers.groups) or ""
        for group in listed.split(self._headers.separator)[:_MOST_GROUPS]:
            if group.strip():
                yield group.strip()

    def _read(self, environ: Environ, header: str) -> str | None:
        """The text of a header, ``''`` for none; None for one that is no name."""
        raw = environ.get(environ_key(header), "") if header else ""
        text = decoded(raw)
        if self._options.preset == "tailscale" and text is not None and text.startswith("=?"):
            text = _encoded_words(text)
        if text is None:
            return None
        text = unicodedata.normalize("NFC", text.strip())
        if not text.isprintable():
            return None
        return text if header == self._headers.groups or len(text) <= _LONGEST else None


def decoded(raw: str) -> str | None:
    """The text of a header's value: its bytes as UTF-8, or as Latin-1 where they are none; None for no bytes."""
    try:
        data = raw.encode("latin-1")
    except UnicodeEncodeError:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def _encoded_words(text: str) -> str | None:
    """Text in encoded-words (RFC 2047)."""
    from email.errors import HeaderParseError
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return None


def _given(known: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in known.items() if value and key != "amr"}

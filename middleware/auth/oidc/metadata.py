"""What a provider publishes about itself (OpenID Connect Discovery 1.0, RFC 8414), after it was checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .addresses import address_complaint
from .failures import Unreachable
from .renewed import Fresh

if TYPE_CHECKING:
    from .outbound import Outbound


class Metadata(NamedTuple):
    """A provider's endpoints, each an address that we would send something to, and what it says it can."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    pushed_endpoint: str = ""
    must_push: bool = False
    names_itself: bool = False
    algorithms: frozenset[str] = frozenset()


def metadata_address(issuer: str) -> str:
    """Where an issuer's document is (Discovery 1.0 section 4)."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def fetch_metadata(issuer: str, outbound: Outbound) -> Fresh[Metadata]:
    """The document of an issuer. Raises ``Unreachable``, also where it speaks for another issuer."""
    reply = outbound.get(metadata_address(issuer))
    if reply.status != 200:
        raise Unreachable(f"status {reply.status} instead of its configuration")
    return Fresh(read_metadata(reply.document(), issuer), reply.max_age)


def read_metadata(document: dict[str, Any], issuer: str) -> Metadata:
    """The document, if it is that of this issuer to the letter. Raises ``Unreachable``."""
    if document.get("issuer") != issuer:
        raise Unreachable("its configuration is that of another issuer")
    told = document.get("id_token_signing_alg_values_supported", [])
    algorithms = frozenset(each for each in told if isinstance(each, str)) if isinstance(told, list) else frozenset()
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_address(document, "authorization_endpoint"),
        token_endpoint=_address(document, "token_endpoint"),
        jwks_uri=_address(document, "jwks_uri"),
        userinfo_endpoint=_address(document, "userinfo_endpoint", needed=False),
        end_session_endpoint=_address(document, "end_session_endpoint", needed=False),
        pushed_endpoint=_address(document, "pushed_authorization_request_endpoint", needed=False),
        must_push=document.get("require_pushed_authorization_requests") is True,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        algorithms=algorithms,
    )


def keys_address(issuer: str, outbound: Outbound) -> Fresh[str]:
    """Where an issuer's keys are, for who needs nothing else of it. Raises ``Unreachable``."""
    reply = outbound.get(metadata_address(issuer))
    document = reply.document() if reply.status == 200 else {}
    if document.get("issuer") != issuer:
        raise Unreachable("there is no configuration of this issuer")
    return Fresh(_address(document, "jwks_uri"), reply.max_age)


def _address(document: dict[str, Any], name: str, *, needed: bool = True) -> str:
    found = document.get(name)
    if found is None and not needed:
        return ""
    if not isinstance(found, str) or address_complaint(found) is not None:
        raise Unreachable(f"its configuration has no {name} that can be used")
    return found

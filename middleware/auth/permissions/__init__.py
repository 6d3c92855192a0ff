"""Who may do what: permissions that are put together like sums, and the language in which rules are written.

::

    from wheatpaste.middleware.auth.permissions import Authenticated, FromIP, Fresh, HasRole, Mfa, User, parse

    can_edit = Authenticated() & (HasRole("editor") | FromIP("10.0.0.0/8", "2001:db8::/32"))
    can_admin = HasRole("admin") & Mfa() & Fresh("10m") & ~User("intern")
    same = parse("authenticated and (role editor or from 10.0.0.0/8 2001:db8::/32)")
"""

from .circumstances import Between, EnvironKey, FromIP, HttpMethod, Secure
from .context import Context
from .decision import ALLOWED, Decision
from .language import RuleError, parse
from .own import HasPermission, Test, resolver
from .permission import And, Everyone, Nobody, Not, Or, Permission
from .quantifiers import All, Any
from .who import (
    Anonymous,
    Authenticated,
    Claim,
    Fresh,
    HasRole,
    HasScope,
    InGroup,
    Method,
    Mfa,
    TokenScope,
    User,
)

__all__ = [
    "ALLOWED",
    "All",
    "And",
    "Anonymous",
    "Any",
    "Authenticated",
    "Between",
    "Claim",
    "Context",
    "Decision",
    "EnvironKey",
    "Everyone",
    "Fresh",
    "FromIP",
    "HasPermission",
    "HasRole",
    "HasScope",
    "HttpMethod",
    "InGroup",
    "Method",
    "Mfa",
    "Nobody",
    "Not",
    "Or",
    "Permission",
    "RuleError",
    "Secure",
    "Test",
    "TokenScope",
    "User",
    "parse",
    "resolver",
]

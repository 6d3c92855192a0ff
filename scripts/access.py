"""Whether a request gets past the filters that ask who may: which rule decides, and what would help."""

from __future__ import annotations

import time
from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config.node import Node
from ..config.options import OptionError, parsed
from ..config.outline import own_factory, reading_of
from ..config.problems import ConfigError, Problem
from ..config.reader import Reading
from ..protocol.wsgi import Environ

if TYPE_CHECKING:
    from ..config.origin import Origin
    from ..middleware.auth.identity import Identity
    from ..middleware.auth.permissions import Decision
    from ..middleware.auth.rules import Rules

_AUTH = "wheatpaste.middleware.auth.auth_filter"
_REQUIRE = "wheatpaste.middleware.auth.require"
_VERIFY = "wheatpaste.middleware.auth.verify_app"
_AUTHKIT = "wheatpaste.middleware.auth.authkit_filter.filter"


class Access(NamedTuple):
    """What a filter says of a request.

    ``rule`` is the key of the rule that decides, ``text`` what it says and ``origin`` where it stands; without a key no
    rule is about the request, and the default holds. ``own`` is true for the pages that the filter answers itself.
    ``remark`` says what is not known of the user. Without a ``status`` it cannot be told: what keeps it from that is
    among the problems of the :class:`Asker`.
    """

    status: int | None
    rule: str | None
    text: str
    origin: Origin | None
    needs: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    refusal: str | None = None
    own: bool = False
    dry_run: bool = False
    remark: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether the request goes on."""
        return self.status == 200


class Asker:
    """Who makes the request that is explained: nobody, or the user of a name.

    ``mfa`` says that a second factor was shown, ``scopes`` are those of a token, None for a session. ``problems`` are
    the mistakes in the sections of the filters that were asked: none of them would start.
    """

    def __init__(self, name: str | None = None, *, mfa: bool = False, scopes: tuple[str, ...] | None = None) -> None:
        self.name = name
        self._mfa = mfa
        self._scopes = None if scopes is None else frozenset(scopes)
        self._known: tuple[Identity | None, str | None] = (None, None)
        self._rules: Rules | None = None
        self._knows_who_asks = False
        self.problems: list[Problem] = []

    def branch(self) -> Asker:
        """The same for one of several ways that the request goes: what filters there find out, others do not know."""
        return copy(self)

    def access(self, node: Node, environ: Environ | None) -> Access | None:
        """What a filter, or an app that answers other servers, says of the request that reaches it.

        None where none does, or it does not ask who may.
        """
        if environ is None:
            return None
        factory = own_factory(node)
        module = getattr(getattr(factory, "component", None), "__module__", None)
        if module in (_AUTH, _VERIFY):
            return self._by_rules(node, environ, is_last=module == _VERIFY)
        if module == _AUTHKIT:
            self._knows_who_asks = True
            self._known = (None if self.name is None else self._named(), None)
        if module == _REQUIRE:
            return self._by_require(node, environ)
        return None

    def _by_rules(self, node: Node, environ: Environ, *, is_last: bool) -> Access | None:
        from ..middleware.auth.permissions.context import Context
        from ..middleware.auth.rules import RuleOptions, Rules
        from ..middleware.auth.site import Site

        reading = reading_of(node, importing=self.name is not None)
        if reading is not None and _needs_code(reading):
            reading = reading_of(node, importing=True)
        if reading is None or reading.belongings is None:
            return None
        self.problems += reading.errors
        parts = reading.belongings.made
        self._knows_who_asks = True
        self._known = self._user(reading, parts)
        if not _says_who_may(reading):
            return _UNTOLD
        # Mistakes elsewhere in the section, such as a key that is not there yet, change nothing here.
        site = parts.get("") or parsed(Site, reading.parts[""].reading.values)
        options = parts.get("rules") or RuleOptions()
        # Where there is no app behind it that could answer 401, whoever is signed in may.
        default = "authenticated" if is_last and site.default == "app" else site.default
        rules = self._rules = Rules(options, default)
        path = environ.get("PATH_INFO", "")
        if path == site.mount or path.startswith(f"{site.mount}/"):
            return Access(200, None, "", None, own=True)
        verdict = rules.judge(Context(self._known[0], environ, is_secure=_is_public_secure(site)))
        decision = verdict.decision if verdict.would is None else verdict.would
        rule = verdict.rule
        return self._told(decision, verdict.refusal, dry_run=verdict.would is not None)._replace(
            rule=None if rule is None else rule.key,
            text=f"default = {default}" if rule is None else str(rule.permission),
            origin=None if rule is None else rule.origin,
        )

    def _by_require(self, node: Node, environ: Environ) -> Access | None:
        from ..middleware.auth.permissions import Context, Decision, parse

        reading = reading_of(node)
        if reading is None:
            return None
        self.problems += reading.errors
        if "rule" not in reading.values:
            return _UNTOLD
        permission = parse(reading.values["rule"])
        value = node.values.get("rule")
        ctx = Context(self._known[0], environ)
        remark = None
        if not self._knows_who_asks and permission.asks_who:
            decision = Decision(False, reasons=(str(permission),))
            remark = "no filter in front says who asks"
        else:
            decision = permission.decide(ctx) if self._rules is None else self._rules.limited(permission, ctx)
        return self._told(decision)._replace(
            rule="rule", text=str(permission), origin=None if value is None else value.origin, remark=remark
        )

    def _told(self, decision: Decision, refusal: str | None = None, *, dry_run: bool = False) -> Access:
        identity, remark = self._known
        status = 200
        if refusal is not None:
            status = 400
        elif not decision.allowed:
            status = 401 if decision.remedies and (identity is None or not decision.scopes) else 403
        remedies = tuple(_SAYS[each] for each in ("login", "mfa", "fresh") if each in decision.remedies)
        remedies += tuple(f"a token with the scope {each}" for each in decision.scopes)
        return Access(status, None, "", None, decision.reasons, remedies, refusal, False, dry_run, remark)

    def _user(self, reading: Reading, parts: Mapping[str, Any]) -> tuple[Identity | None, str | None]:
        """The user, as far as it is known, and what is not."""
        if self.name is None:
            return None, None
        from ..middleware.auth.identity import Identity
        from ..middleware.auth.setup import Assembly
        from ..middleware.storage.store import StoreError

        stranger = self._named()
        if reading.errors:
            return stranger, f"of {self.name} nothing but the name is known: the sections have mistakes"
        assembly = Assembly(parts)
        try:
            account = assembly.directory.find(self.name)
        except (ConfigError, OptionError, StoreError, OSError) as error:
            return stranger, f"of {self.name} nothing but the name is known: {error}"
        finally:
            if "tables" in vars(assembly):
                assembly.tables.close()
        if account is None:
            return stranger, f"no source knows a user {self.name}: nothing but the name counts"
        if account.disabled:
            return None, f"{account.name} is disabled and cannot sign in"
        if account.must_change_password and self._scopes is None:
            return None, f"{account.name} has to choose a new password before anything else"
        return Identity.of(account, **self._how()), None

    def _named(self) -> Identity:
        """A user of whom nothing but the name is known."""
        from ..middleware.auth.identity import Identity

        return Identity(id="", name=self.name or "", **self._how())

    def _how(self) -> dict[str, Any]:
        """How the user is known."""
        from ..middleware.auth.identity import MFA

        return {
            "method": "session" if self._scopes is None else "bearer",
            "scopes": self._scopes,
            "amr": ("pwd", MFA) if self._mfa else (),
            "auth_time": time.time() if self._scopes is None else None,
        }


_SAYS = {
    "login": "a login",
    "mfa": "a second factor",
    "fresh": "to show once more who it is",
}


_UNTOLD = Access(None, None, "", None)
_DECISIVE = frozenset({"default", "mount", "public_url"})


def _says_who_may(reading: Reading) -> bool:
    """Whether all is right in the sections that the answer depends on."""
    site, rules = reading.parts.get(""), reading.parts.get("rules")
    if site is None or (rules is not None and rules.made is None):
        return False
    return all(name in site.reading.values for name in site.reading.said if name in _DECISIVE)


def _needs_code(reading: Reading) -> bool:
    """Whether there are rules that could not be made, because they ask functions of Python."""
    rules = reading.parts.get("rules")
    return rules is not None and bool(rules.reading.values.get("rules")) and not getattr(rules.made, "table", True)


def _is_public_secure(site: Any) -> bool:
    return (site.public_url or "").startswith("https:")

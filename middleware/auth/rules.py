"""``[auth:main:rules]``: who may have which paths, in front of any app.

::

    [auth:main:rules]
    /static/*   = everyone
    POST /api/* = scope api:write
    /admin/*    = role admin and mfa and fresh 10m
    /*          = authenticated

The first rule that is about a request decides. Paths are compared decoded, below the filter's ``SCRIPT_NAME``, as the
app will see them. What apps could read in two ways (``readings.py``) has to be allowed in both.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

from ...config.mounts import KeyProblem
from ...config.options import OptionError, component, option, readable
from ...config.origin import building
from ...config.reader import Family, Reader
from ...protocol.hosts import read_host
from ...protocol.paths import Refusal, refusal, text_path
from .patterns import Pattern, read_pattern
from .permissions.context import Context
from .permissions.decision import ALLOWED, NONE, Decision
from .permissions.language import RuleError, objects_in, parse, rule_complaint
from .permissions.permission import Nobody, Permission
from .permissions.who import Authenticated
from .readings import is_unusual, loose_paths, other_methods, other_paths
from .rule_table import Rule, RuleTable, asks_for_scopes

if TYPE_CHECKING:
    from .identity import Identity
    from .visit import Visit

log = logging.getLogger(__name__)

Default = Literal["app", "authenticated", "deny"]


@component
class RuleOptions:
    """Who may have which paths: ``PATTERN = RULE`` or ``METHODS PATTERN = RULE``, the first that fits decides."""

    rules: Mapping[str, str | Permission] = field(default_factory=dict, repr=False)
    dry_run: bool = option(
        default=False, doc="Only log what the rules would refuse, and let the app decide as if there were none."
    )
    double_slashes: Literal["reject", "allow"] = option(
        default="reject", doc="What becomes of paths with empty segments, such as /a//b, which apps read in two ways."
    )
    tokens: Literal["scoped", "any"] = option(
        default="scoped",
        doc="Where rules name scopes: whether an API token counts only under those, or everywhere like its user.",
    )
    table: tuple[Rule, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        site = building.get()
        made = []
        for index, (key, rule) in enumerate(self.rules.items()):
            try:
                pattern = read_pattern(key)
                permission = rule if isinstance(rule, Permission) else parse(rule, imports=True)
            except ValueError as error:
                what = str(error) if isinstance(error, RuleError) else f"this key {error}"
                raise OptionError("RuleOptions", key, what) from error
            made.append(Rule(key, pattern, permission, index, None if site is None else site.origins.get(key)))
        object.__setattr__(self, "table", tuple(made))


def _read_rule(text: str, folder: str | None) -> str:
    complaint = rule_complaint(text, imports=True)
    if complaint is not None:
        raise ValueError(complaint)
    return text


def _advice(values: Mapping[str, Any]) -> Iterable[KeyProblem]:
    """Rules that never decide anything, because others before them take all of their requests."""
    seen: list[tuple[str, Pattern]] = []
    for key in values.get("rules", ()):
        pattern = read_pattern(key)
        for other, earlier in seen:
            if earlier.covers(pattern):
                what = f"never decides anything: {other!r} stands before it and takes all of its requests"
                yield KeyProblem(key, what, "put it first, or remove it", severity="warning")
                break
        seen.append((key, pattern))


RULES = Family(
    name="rules",
    takes=lambda key: "/" in key or "*" in key,
    parse=_read_rule,
    key="/path/*, POST /path, //host/*, …",
    kind="rule",
    doc="Who may: everyone, authenticated, role NAME, user NAME, scope NAME, from NETWORK, mfa, fresh 10m, and more.",
    sample=("/*", "authenticated"),
    objects=objects_in,
    complaint=readable(read_pattern),
)

RULES_READER = Reader(component=RuleOptions, family=RULES, advice=_advice)
"""How ``[auth:main:rules]`` is read."""


class Verdict(NamedTuple):
    """What the rules say of a request.

    ``rule`` is the one that decides, None where none is about the request and the site's default holds. ``refusal``
    says why the request is answered with 400, because no rule can be compared with it. ``would`` is what a dry run has
    not done.
    """

    decision: Decision
    rule: Rule | None = None
    refusal: str | None = None
    would: Decision | None = None

    @property
    def allowed(self) -> bool:
        """Whether the request goes on to the app."""
        return self.decision.allowed and self.refusal is None

    @property
    def remedies(self) -> frozenset[str]:
        """What would help, see :class:`Decision`."""
        return self.decision.remedies

    @property
    def max_age(self) -> float | None:
        """How long ago the user may have shown who it is, where ``fresh`` would help."""
        return self.decision.max_age

    @property
    def reason(self) -> str:
        """Which rule says what, for logs."""
        if self.refusal is not None:
            return self.refusal
        decision = self.decision if self.would is None else self.would
        named = "no rule is about it" if self.rule is None else f"rule {self.rule}"
        return f"{named}: {decision.reason}" if decision.reason else named

    def __bool__(self) -> NoReturn:
        raise TypeError("ask whether a verdict is .allowed: as a tuple it would always be true")


class Rules:
    """The rules of a site. ``default`` is what holds where none is about a request."""

    def __init__(self, options: RuleOptions, default: Default = "app") -> None:
        self.table = options.table
        self._dry_run = options.dry_run
        self._slashes = options.double_slashes
        self._plain = RuleTable(options.table)
        self._loose = RuleTable(options.table, loose=True)
        # A rule for /Admin is one for /admin, too, in an app that sees no difference.
        self._always_loose = any(is_unusual("/" + "/".join(each.pattern.segments)) for each in options.table)
        self._default = {"app": None, "authenticated": Authenticated(), "deny": Nobody()}[default]
        self.says_something = bool(self.table) or self._default is not None
        self._passed = [Verdict(ALLOWED, rule) for rule in options.table]
        scoped = frozenset(rule.index for rule in options.table if asks_for_scopes(rule.permission))
        self._scoped = scoped if options.tokens == "scoped" else frozenset()

    def decide(self, visit: Visit) -> Verdict:
        """What the rules say of a request that came through the Auth filter."""
        verdict = self.judge(Context.of(visit))
        if verdict.would is not None:
            log.warning("dry run: %s %s is let through: %s", visit.method, ascii(visit.path), verdict.reason)
        return verdict

    def judge(self, ctx: Context) -> Verdict:
        """What the rules say of a request. Nothing is logged."""
        if not self.table:
            return self._by(None, ctx)
        verdict = self._judged(ctx)
        if self._dry_run and not verdict.allowed:
            would = Decision(False, NONE, (verdict.refusal,)) if verdict.refusal is not None else verdict.decision
            return Verdict(ALLOWED, verdict.rule, None, would)
        return verdict

    def limited(self, permission: Permission, ctx: Context) -> Decision:
        """What a permission decides that stands in no rule, for a request that may carry a token with few scopes."""
        return self._limited(permission, ctx, not self._scoped or asks_for_scopes(permission))

    def takes_token(self, verdict: Verdict, identity: Identity) -> bool:
        """Whether a token that is limited to scopes says who asks to the app, too: not where anybody may come, but
        under the rules that name scopes, if there are any. The scopes of a JWT are its issuer's words.
        """
        if not self._scoped or self._dry_run or identity.method == "jwt":
            return True
        return verdict.rule is not None and verdict.rule.index in self._scoped

    def _judged(self, ctx: Context) -> Verdict:
        environ = ctx.environ
        refused = refusal(environ)
        path = text_path(environ.get("PATH_INFO", ""))
        if refused is not None or path is None:
            return Verdict(_BAD, None, refused or Refusal.NOT_BYTES)
        if "//" in path and self._slashes == "reject":
            return Verdict(_BAD, None, "The path holds an empty segment.")
        host = ""
        if self._plain.has_hosts:
            named = read_host(environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""))
            if named is None:
                return Verdict(_BAD, None, "The request names no host.")
            host = named.host
        readings = [path] if self._always_loose or is_unusual(path) else []
        if "HTTP_X_SCRIPT_NAME" in environ:
            readings += other_paths(environ, path)
        loose: list[str] = []
        for each in readings:
            found = loose_paths(each)
            if found is None:
                return Verdict(_BAD, None, Refusal.DOT_SEGMENT)
            loose += found
        verdict = self._of(ctx, path, loose, host)
        if self._plain.has_methods and verdict.decision.allowed:
            for method in other_methods(environ):
                other = Context(ctx.identity, {**environ, "REQUEST_METHOD": method}, ctx.clock, is_secure=ctx.is_secure)
                verdict = self._of(other, path, loose, host)
                if not verdict.decision.allowed:
                    break
        return verdict

    def _of(self, ctx: Context, path: str, loose: list[str], host: str) -> Verdict:
        method = ctx.method
        rule = self._plain.find(path, method, host)
        verdict = self._by(rule, ctx)
        for each in loose:
            other = self._loose.find(each, method, host)
            if other is not None and other is not rule and verdict.decision.allowed:
                strict = self._by(other, ctx)
                if not strict.decision.allowed:
                    return strict
        return verdict

    def _by(self, rule: Rule | None, ctx: Context) -> Verdict:
        if rule is None:
            return Verdict(ALLOWED if self._default is None else self._limited(self._default, ctx, not self._scoped))
        decision = self._limited(rule.permission, ctx, not self._scoped or rule.index in self._scoped)
        return self._passed[rule.index] if decision is ALLOWED else Verdict(decision, rule)

    def _limited(self, permission: Permission, ctx: Context, is_scoped: bool) -> Decision:
        decision = permission.decide(ctx)
        if is_scoped:
            return decision
        who = ctx.identity
        # The scopes of a JWT are its issuer's words; those of a token of ours are all that its user wanted to lend.
        if who is None or who.scopes is None or who.method == "jwt" or not decision.allowed:
            return decision
        if permission.decide(Context(None, ctx.environ, ctx.clock, is_secure=ctx.is_secure)).allowed:
            return decision
        return Decision(False, NONE, ("no token that is limited to scopes",))


_BAD = Decision(False)


def rules_of(rules: Mapping[str, str | Permission], **options: Any) -> Rules:
    """Rules from Python: ``rules_of({"/admin/*": HasRole("admin")})``."""
    default = options.pop("default", "app")
    return Rules(RuleOptions(rules=rules, **options), default)

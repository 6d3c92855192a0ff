"""The language of rules: ``authenticated and (role editor or from 10.0.0.0/8)``.

Terms are joined by ``and``, ``or``, ``not`` and parentheses; ``and`` binds tighter than ``or``. A word that takes names
takes all that follow, up to the next of these, and one of them is enough: ``role editor admin``. Names with blanks,
parentheses, commas, ``=`` or a word of the language in them stand in quotes.

Distributions add words by entry points in the group ``wheatpaste.auth.permission``: ``word = module:factory``, where
the factory is called with the names that follow and returns a permission.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from ....config.problems import did_you_mean
from ....config.references import installed, load_object
from . import circumstances, who
from .own import HasPermission, Test
from .permission import And, Everyone, Nobody, Not, Or, Permission
from .words import BARE, RESERVED

GROUP = "wheatpaste.auth.permission"
"""The group of entry points that add words."""

_LONGEST = 4000
_DEEPEST = 50
_TOKEN = re.compile(
    rf"""\s*(?:(?P<sign>[()=,])|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<bare>{BARE}))""",
    re.DOTALL,
)
_JOINS = frozenset({"and", "or"})


class RuleError(ValueError):
    """A text that is no rule. ``position`` is where, counted from 0; the message names it counted from 1."""

    def __init__(self, what: str, text: str, position: int) -> None:
        self.what, self.text, self.position = what, text, position
        super().__init__(f"{what} (at character {position + 1})")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.what, self.text, self.position)


class _Token(NamedTuple):
    text: str
    position: int
    kind: str

    @property
    def word(self) -> str:
        """The word of the language that it may be: never what stands in quotes."""
        return self.text.lower() if self.kind == "bare" else ""

    @property
    def ends_names(self) -> bool:
        return self.kind == "end" or (self.kind == "sign" and self.text in "()") or self.word in _JOINS


def parse(text: str, names: Sequence[str] = (), *, imports: bool = False) -> Permission:
    """The permission that a rule means.

    With ``names`` each word ``?`` of the rule stands for one of them, whatever is in it: ``parse("role ?", [name])``.
    ``imports`` allows ``test module:function``, which imports the module: for what a deployer wrote, never for what
    may have come with a request. Raises ``RuleError``, which says where and what to write instead.
    """
    return _Parser(text, names, imports=imports).parse()


def rule_complaint(text: str, *, imports: bool = False) -> str | None:
    """What is wrong with a rule, or None. Runs no code: neither functions nor words of others are loaded."""
    try:
        _Parser(text, checks_alone=True, imports=imports).parse()
    except RuleError as error:
        return str(error)
    return None


def objects_in(text: str) -> list[str]:
    """What reading a deployer's rule imports: its functions, and words of other distributions, as ``module:object``."""
    try:
        parser = _Parser(text, checks_alone=True, imports=True)
        parser.parse()
    except RuleError:
        return []
    return parser.objects


@lru_cache(maxsize=256)
def parsed(text: str) -> Permission:
    """The same without ``imports``, remembered: for rules that an app asks about again and again."""
    return parse(text)


class _Parser:
    def __init__(self, text: str, names: Sequence[str] = (), *, imports: bool, checks_alone: bool = False) -> None:
        self._text = text
        self._imports = imports
        self._checks_alone = checks_alone
        self.objects: list[str] = []
        self._tokens = _tokens(text)
        if names:
            self._fill_in(names)
        self._next = 0
        self._depth = 0

    def parse(self) -> Permission:
        found = self._any()
        rest = self._peek()
        if rest.kind != "end":
            if rest.text == ")" and rest.kind == "sign":
                raise self._error("')' closes nothing", rest)
            raise self._error(f"'and' or 'or' must stand before {rest.text!r}", rest)
        return found

    def _fill_in(self, names: Sequence[str]) -> None:
        """Put names in the places that are kept for them."""
        places = [index for index, each in enumerate(self._tokens) if each.kind == "bare" and each.text == "?"]
        if len(places) != len(names):
            raise self._error(f"there are {len(places)} words '?' for {len(names)} names", self._tokens[0])
        for index, name in zip(places, names, strict=True):
            self._tokens[index] = _Token(name, self._tokens[index].position, "quoted")

    def _any(self) -> Permission:
        terms = [self._all()]
        while self._peek().word == "or":
            self._take()
            terms.append(self._all())
        return Or(*terms) if len(terms) > 1 else terms[0]

    def _all(self) -> Permission:
        terms = [self._term()]
        while self._peek().word == "and":
            self._take()
            terms.append(self._term())
        return And(*terms) if len(terms) > 1 else terms[0]

    def _term(self) -> Permission:
        token = self._take()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(f"a rule is nested at most {_DEEPEST} deep", token)
        try:
            if token.kind == "sign" and token.text == "(":
                found = self._any()
                closing = self._take()
                if closing.text != ")" or closing.kind != "sign":
                    raise self._error("the parenthesis that opens here is never closed", token)
                return found
            if token.word == "not":
                return Not(self._term())
            return self._word(token)
        finally:
            self._depth -= 1

    def _word(self, token: _Token) -> Permission:
        if token.kind == "end":
            raise self._error("a rule must say who may; write everyone, authenticated, role NAME, …", token)
        if token.kind != "bare":
            raise self._error(f"a term begins with a word such as role, not with {token.text!r}", token)
        if token.word in _JOINS:
            raise self._error(f"nothing stands before {token.text!r}", token)
        build = WORDS.get(token.word)
        try:
            if build is not None:
                return build(self, token)
            return self._foreign(token)
        except RuleError:
            raise
        except (ValueError, TypeError) as error:
            raise self._error(f"{token.text}: {error}", token) from error

    def _foreign(self, token: _Token) -> Permission:
        factory = _further_words().get(token.word)
        if factory is None:
            raise self._unknown(token)
        names = self.names(token, at_least=0)
        self.objects.append(":".join(factory))
        if self._checks_alone:
            return Nobody()  # any permission stands for it
        found = load_object(*factory)(*names)
        if not isinstance(found, Permission):
            raise self._error(f"{token.text} is registered as a word of rules, but makes {found!r}", token)
        return found

    def _unknown(self, token: _Token) -> RuleError:
        hint = did_you_mean(token.word, [*WORDS, "not", *_further_words()])
        if not hint.startswith("did"):
            hint = f"write role {token.text}, user {token.text} or group {token.text}, if it is the name of one"
        return self._error(f"{token.text!r} is no word of rules; {hint}", token)

    # What the words take.

    def names(self, word: _Token, *, at_least: int = 1, what: str = "a name") -> list[str]:
        """The names that follow a word."""
        found: list[str] = []
        while not self._peek().ends_names and not (self._peek().kind == "sign" and self._peek().text == "="):
            token = self._take()
            if token.kind == "sign":  # a comma between two names says nothing new
                if not found or self._peek().ends_names:
                    raise self._error(f"there is no name beside this {token.text!r}", token)
                continue
            if found and token.word in RESERVED:
                raise self._error(
                    f"'and' or 'or' must stand before {token.text!r}; if it is a name, put it in quotes", token
                )
            found.append(token.text)
        if len(found) < at_least:
            raise self._error(f"{word.text} needs {what}", word)
        return found

    def value_of(self, word: _Token) -> list[str]:
        """``name``, or ``name = value``."""
        name = self.names(word)
        if len(name) > 1:
            raise self._error(f"write {word.text} {name[0]} = {name[1]}", word)
        if self._peek().kind != "sign" or self._peek().text != "=":
            return name
        self._take()
        return [*name, *self.names(word, what="a value behind '='")]

    def one(self, word: _Token, what: str) -> str:
        """The one name that has to follow."""
        token = self._take()
        if token.kind not in ("bare", "quoted") or token.word in _JOINS:
            raise self._error(f"{word.text} needs {what}", word)
        return token.text

    def expect(self, wanted: str, word: _Token, what: str) -> None:
        """Take a word that has to follow."""
        token = self._take()
        if token.word != wanted:
            raise self._error(f"{word.text} needs {what}", word)

    def name_follows(self) -> bool:
        """Whether a name stands here."""
        token = self._peek()
        return token.kind in ("bare", "quoted") and not token.ends_names

    def function(self, word: _Token) -> Callable[..., object]:
        """The function that ``module:function`` names."""
        name = self.one(word, "module:function")
        if not self._imports:
            raise self._error("test imports code, which nothing may but a rule in [auth:main:rules]", word)
        module, colon, attribute = name.partition(":")
        if not colon or not module or not attribute:
            raise self._error(f"{name!r} is not module:function", word)
        self.objects.append(name)
        if self._checks_alone:
            return bool  # any function stands for it
        try:
            found: Callable[..., object] = load_object(module, attribute)
        except (ImportError, AttributeError) as error:
            raise self._error(f"{name!r} cannot be imported ({error})", word) from error
        return found

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _error(self, what: str, token: _Token) -> RuleError:
        return RuleError(what, self._text, token.position)


def _tokens(text: str) -> list[_Token]:
    if len(text) > _LONGEST:
        raise RuleError(f"a rule has at most {_LONGEST} characters", text[:100], 0)
    found = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise RuleError("the quotes that open here are never closed", text, start)
        kind = match.lastgroup or ""
        word: str = match[kind]
        start = match.start(kind)
        if kind in ("double", "single"):
            # Before anything else a backslash is itself: "CORP\bob" is a user.
            found.append(_Token(re.sub(r"\\([\"'\\])", r"\1", word), start - 1, "quoted"))
        else:
            found.append(_Token(word, start, kind))
        position = match.end()
    found.append(_Token("", end, "end"))
    return found


def _further_words() -> Mapping[str, tuple[str, str]]:
    """The words that distributions add: module and attribute of their factories."""
    return _words_on(tuple(sys.path))


@lru_cache(maxsize=4)
def _words_on(path: tuple[str, ...]) -> Mapping[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for distribution in installed(path):
        for each in distribution.entry_points([GROUP]):
            found.setdefault(each.name.lower(), (each.reference.module, each.reference.object))
    return found


_Build = Callable[[_Parser, _Token], Permission]


def _alone(kind: Callable[[], Permission]) -> _Build:
    return lambda parser, word: kind()


def _named(kind: Callable[..., Permission], what: str = "a name") -> _Build:
    return lambda parser, word: kind(*parser.names(word, what=what))


def _fresh(parser: _Parser, word: _Token) -> Permission:
    return who.Fresh(parser.one(word, "a duration")) if parser.name_follows() else who.Fresh()


def _between(parser: _Parser, word: _Token) -> Permission:
    form = "two times, such as between 08:00 and 18:00 Europe/Berlin"
    start = parser.one(word, form)
    parser.expect("and", word, form)
    end = parser.one(word, form)
    return circumstances.Between(start, end, parser.one(word, "a zone") if parser.name_follows() else None)


def _token(parser: _Parser, word: _Token) -> Permission:
    form = "a scope: token scope NAME (via bearer is any token)"
    parser.expect("scope", word, form)
    return who.TokenScope(*parser.names(word, what=form))


WORDS: Mapping[str, _Build] = {
    "anonymous": _alone(who.Anonymous),
    "authenticated": _alone(who.Authenticated),
    "between": _between,
    "claim": lambda parser, word: who.Claim(*parser.value_of(word)),
    "environ": lambda parser, word: circumstances.EnvironKey(*parser.value_of(word)),
    "everyone": _alone(Everyone),
    "fresh": _fresh,
    "from": _named(circumstances.FromIP, "a network such as 10.0.0.0/8"),
    "group": _named(who.InGroup),
    "method": _named(circumstances.HttpMethod, "a request method such as GET"),
    "mfa": _alone(who.Mfa),
    "nobody": _alone(Nobody),
    "permission": _named(HasPermission),
    "role": _named(who.HasRole),
    "scope": _named(who.HasScope),
    "secure": _alone(circumstances.Secure),
    "test": lambda parser, word: Test(parser.function(word)),
    "token": _token,
    "user": _named(who.User),
    "via": _named(who.Method, "a method such as session or bearer"),
}
"""The words that begin a term, and what makes a permission of each."""

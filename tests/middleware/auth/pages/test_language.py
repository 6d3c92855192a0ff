"""The pages in English and German."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from string import ascii_uppercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.pages import language
from wheatpaste.middleware.auth.pages.language import ENGLISH, catalogue_for, catalogues
from wheatpaste.middleware.auth.pages.moments import Moments
from wheatpaste.middleware.auth.passwords import checker, policy

PAGES = Path(language.__file__).parent
GERMAN = json.loads((PAGES / "locale" / "de.json").read_text("utf-8"))
SPEAKERS = ("factors/passkeys.py", "mail/notices.py", "oidc/pages.py", "tokens/api_tokens.py")
"""Modules besides the pages whose sentences users read."""
_CALL = re.compile(r"""\b(?:_|good|trouble)\(\s*(?:"([^"]+)"|'([^']+)')""")


def sentences_of_templates() -> set[str]:
    """What templates of pages and mails hand to the catalogue."""
    found = set()
    for path in [*(PAGES / "templates").glob("*.html"), *(PAGES.parent / "mail" / "templates").glob("*.txt")]:
        for match in _CALL.finditer(path.read_text("utf-8")):
            found.add(match[1] or match[2])
    return found


def sentences_of_code() -> set[str]:
    """What the modules say: every text that reads like a sentence, but for docstrings."""
    found = set()
    for path in [*PAGES.glob("*.py"), *(PAGES.parent / each for each in SPEAKERS)]:
        tree = ast.parse(path.read_text("utf-8"))
        docs = {
            node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "problem":
                # Problem documents are for programs, and English.
                docs |= {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docs:
                text = node.value
                if text.startswith(("SELECT ", "DELETE ", "UPDATE ", "INSERT ")):
                    continue
                if (
                    text.startswith(("%(", *ascii_uppercase)) and text.endswith((".", "?")) and " " in text
                ) or "%(number)d " in text:
                    found.add(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                if name in ("words", "_month") and node.args and isinstance(node.args[0], ast.Constant):
                    found.add(node.args[0].value)
    return found


def sentences_from_elsewhere() -> set[str]:
    """What other parts say and pages show."""
    from wheatpaste.middleware.auth.pages.messages import HEADINGS
    from wheatpaste.middleware.auth.pages.moments import _MONTHS

    ours = {policy.TOO_SHORT, policy.TOO_LONG, policy.COMMON, policy.PREDICTABLE, policy.PERSONAL}
    return {*ours, checker.NOT_KEPT, checker.NOT_WHOLE, *HEADINGS.values(), *_MONTHS}


EVERYTHING = sentences_of_templates() | sentences_of_code() | sentences_from_elsewhere()


def test_there_is_something_to_translate() -> None:
    assert {"Sign in", "You are signed out.", "%(number)d of 10 are left."} <= EVERYTHING


def test_it_lacks_no_sentence_in_german() -> None:
    assert sorted(EVERYTHING - set(GERMAN)) == []


def test_it_keeps_no_german_sentence_that_nobody_says() -> None:
    code = "".join(path.read_text("utf-8") for path in PAGES.parent.rglob("*.py"))
    left = {each for each in set(GERMAN) - EVERYTHING if each not in code}
    assert sorted(left) == []


@pytest.mark.parametrize("english", sorted(GERMAN))
def test_a_translation_has_the_same_blanks_to_fill_in(english: str) -> None:
    blanks = re.compile(r"%\(\w+\)[sd]")
    assert sorted(blanks.findall(english)) == sorted(blanks.findall(GERMAN[english]))
    assert GERMAN[english].strip() == GERMAN[english] != ""


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr,de;q=0.3", "de"),
        ("fr, it", "en"),
        ("de;q=0, en", "en"),
        ("*", "en"),
    ],
)
def test_it_speaks_what_the_browser_likes_best(header: str, tag: str) -> None:
    assert catalogue_for(header).language == tag


@given(st.text(max_size=600))
def test_no_header_makes_it_fail(header: str) -> None:
    assert catalogue_for(header).language in ("en", "de")


def test_a_folder_adds_a_language_and_replaces_sentences(tmp_path: Path) -> None:
    (tmp_path / "fr.json").write_text('{"Sign in": "Se connecter"}')
    (tmp_path / "de.json").write_text('{"Sign in": "Einloggen"}')
    assert catalogue_for("fr-CA", tmp_path)("Sign in") == "Se connecter"
    assert catalogue_for("fr", tmp_path)("Password") == "Password"
    assert catalogue_for("de", tmp_path)("Sign in") == "Einloggen"
    assert catalogue_for("de", tmp_path)("Password") == "Passwort"


def test_what_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fr.json").write_text('["Sign in"]')
    with pytest.raises(ValueError, match="object of sentences"):
        catalogues(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (5, "just now", "gerade eben"),
        (300, "5 minutes ago", "vor 5 Minuten"),
        (7200, "2 hours ago", "vor 2 Stunden"),
        (3 * 86400, "3 days ago", "vor 3 Tagen"),
        (60 * 86400, "16 Nov 2026", "16. Nov. 2026"),
    ],
)
def test_times_are_told_as_people_say_them(seconds: int, english: str, german: str) -> None:
    now = 1_800_000_000.0
    assert Moments(ENGLISH, now).ago(now - seconds) == english
    assert Moments(catalogue_for("de"), now).ago(now - seconds) == german

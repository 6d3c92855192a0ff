"""Problems in the forms that machines read: JSON of our own, and what CI systems show beside the line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ..config.problems import Problem
from .terminal import short_path


def written(form: str, problems: Sequence[Problem], files: Sequence[str]) -> str:
    """The problems as ``json``, ``github`` (workflow commands), ``gitlab`` (Code Quality) or ``sarif`` (2.1.0)."""
    if form == "github":
        return "\n".join(_github(problem) for problem in problems)
    if form == "gitlab":
        return _dumped([_gitlab(problem) for problem in problems])
    if form == "sarif":
        return _dumped(_sarif(problems))
    return _dumped({"version": 1, "files": list(files), "problems": [as_data(problem) for problem in problems]})


def as_data(problem: Problem) -> dict[str, Any]:
    """A problem as JSON has it. Names are only added to this, never changed."""
    return {
        "file": None if problem.file is None else short_path(problem.file),
        "line": problem.line,
        "section": problem.section,
        "key": problem.key,
        "message": problem.what,
        "fix": problem.fix,
        "severity": problem.severity,
        "code": problem.code,
    }


def _dumped(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def _github(problem: Problem) -> str:
    """``::error file=site.ini,line=3,title=unknown-option::message`` of GitHub's workflow commands."""
    fields = {"title": problem.code}
    if problem.file is not None:
        fields = {"file": short_path(problem.file), **({"line": str(problem.line)} if problem.line else {}), **fields}
    properties = ",".join(f"{name}={_escaped(text, ':,')}" for name, text in fields.items())
    return f"::{problem.severity} {properties}::{_escaped(problem.message)}"


def _escaped(text: str, more: str = "") -> str:
    text = text.replace("%", "%25")
    for letter in f"\r\n{more}":
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text


def _gitlab(problem: Problem) -> dict[str, Any]:
    path = short_path(problem.file) if problem.file is not None else ""
    # Without the line: an edit above must not make it another problem.
    identity = "\0".join((path, problem.code, problem.section or "", problem.key or "", problem.what))
    return {
        "description": problem.message,
        "check_name": problem.code,
        "fingerprint": hashlib.sha256(identity.encode()).hexdigest(),
        "severity": "major" if problem.severity == "error" else "minor",
        "location": {"path": path, "lines": {"begin": problem.line or 1}},
    }


def _sarif(problems: Sequence[Problem]) -> dict[str, Any]:
    codes = sorted({problem.code for problem in problems})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "wheatpaste", "rules": [{"id": code} for code in codes]}},
                "results": [_sarif_result(problem) for problem in problems],
            }
        ],
    }


def _sarif_result(problem: Problem) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": problem.code,
        "level": problem.severity,
        "message": {"text": problem.message},
    }
    if problem.file is not None:
        from urllib.parse import quote

        place: dict[str, Any] = {"artifactLocation": {"uri": quote(short_path(problem.file))}}
        if problem.line:
            place["region"] = {"startLine": problem.line}
        result["locations"] = [{"physicalLocation": place}]
    return result

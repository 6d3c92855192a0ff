"""The list of rules is whole: each has a line in a table or a test, and each test that it names is there."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import Any

import pytest
from conformance_tables import ROOM, answers, inputs, readings

CASES: dict[int, dict[str, Any]] = {
    int(number): case
    for group in tomllib.loads((ROOM / "cases.toml").read_text(encoding="utf-8")).values()
    for number, case in group.items()
}
LINES = Counter(
    [case for row in [*inputs(), *answers()] for case in row.cases] + [int(row["case"]) for row in readings()]
)


def test_the_rules_are_numbered_without_a_gap() -> None:
    assert list(CASES) == list(range(1, 151))
    assert set(LINES) <= set(CASES)


@pytest.mark.parametrize("number", CASES, ids=lambda number: f"{number}: {CASES[number]['says']}")
def test_a_rule_is_held(number: int) -> None:
    tests = CASES[number]["tests"]
    assert LINES[number] or tests
    for name in tests:
        path, _, function = name.partition("::")
        text = (ROOM.parent / path).read_text(encoding="utf-8")
        assert re.search(rf"^ *def {function}\(", text, re.MULTILINE), f"{path} has no {function}"

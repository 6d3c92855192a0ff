"""A shop that fails, for pictures of the console."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def total(order: dict[str, Any]) -> int:
    """What an order costs."""
    prices = {"apples": 3, "bread": 4}
    return sum(prices[line] for line in order["lines"])


def shop(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Tell what the basket costs, which nobody knows."""
    cost = total({"id": 42, "lines": ["apples", "pears"]})
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{cost}".encode()]

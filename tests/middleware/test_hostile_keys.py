"""Keys of composites that are made to exhaust the stack or Python's own limits."""

from __future__ import annotations

import pytest

from wheatpaste.middleware.cascade import read_apps
from wheatpaste.middleware.mount_keys import normalise_key
from wheatpaste.middleware.urlmap import read_mounts


def test_a_mount_without_end_is_a_mistake_not_a_crash() -> None:
    with pytest.raises(ValueError, match="at most 100 segments"):
        normalise_key("/a" * 101)
    _, problems = read_mounts({"/a" * 10_000: "app"})
    assert ["at most 100 segments" in problem.what for problem in problems] == [True]
    mounts, problems = read_mounts({"/a" * 100: "app"})
    assert (len(mounts), problems) == (1, [])


def test_numbers_of_any_length_are_ordered_as_numbers() -> None:
    keys = ["app10", "app" + "9" * 5000, "app", "app0", "app" + "1" * 5001, "app007", "app2"]
    mounts, problems = read_apps(dict.fromkeys(keys, "x"))
    assert not problems
    ordered = ["app", "app0", "app2", "app007", "app10", "app" + "9" * 5000, "app" + "1" * 5001]
    assert [mount.key for mount in mounts] == ordered

"""What a request meets: filters, mounts, guesses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.composition import Composition
from wheatpaste.config.outline import Stack, outline

WriteIni = Callable[..., Path]


@pytest.fixture
def outlined(write_ini: WriteIni) -> Callable[[str], Stack]:
    return lambda text: outline(Composition.load(f"config:{write_ini(text)}", collect=True))


APPS = """
[app:one]
use = egg:wheatpaste#echo
[app:two]
use = egg:wheatpaste#echo
[filter:log]
use = egg:wheatpaste#translogger
[filter:cut]
use = egg:wheatpaste#prefix
prefix = /x
filter-with = log
"""


def names(stack: Stack) -> tuple[list[str], str]:
    return [each.name for each in stack.filters], stack.app.name


def test_filters_stand_in_the_order_in_which_a_request_meets_them(outlined: Callable[[str], Stack]) -> None:
    stack = outlined("[pipeline:main]\npipeline = cut one\nfilter-with = log\n" + APPS)
    assert names(stack) == (["log", "log", "cut"], "one")
    assert stack.name == "main"


def test_our_composites_say_what_they_mount(outlined: Callable[[str], Stack]) -> None:
    stack = outlined(
        "[composite:main]\nuse = egg:Paste#urlmap\n/ = one\n/b = two\nnot_found_app = two\n"
        "domain Example.com /c = egg:wheatpaste#health\n" + APPS
    )
    found = {mounted.mount.place: (mounted.stack.app.name, mounted.fallback) for mounted in stack.mounts}
    assert found == {
        "/": ("one", False),
        "/b": ("two", False),
        "example.com/c": ("health", False),
        "not_found_app": ("two", True),
    }
    assert [mounted.origin.line for mounted in stack.mounts if mounted.mount.place == "/b"] == [4]
    assert stack.size == 4


def test_what_anothers_composite_mounts_is_a_labelled_guess(outlined: Callable[[str], Stack]) -> None:
    stack = outlined(
        "[composite:main]\nuse = call:nowhere_to_be_found:factory\n/v2: one\nauth = log cut two\ntimeout = 30\n" + APPS
    )
    assert [(each.mount.key, each.guess, names(each.stack)) for each in stack.mounts] == [
        ("/v2", True, ([], "one")),
        ("auth", True, (["log", "log", "cut"], "two")),
    ]


def test_a_missing_app_stands_in_its_place(outlined: Callable[[str], Stack]) -> None:
    stack = outlined("[composite:main]\nuse = egg:wheatpaste#urlmap\n/ = onn\n" + APPS)
    assert [each.stack.app.shape for each in stack.mounts] == ["missing"]


def test_a_mount_that_leads_back_ends(outlined: Callable[[str], Stack]) -> None:
    stack = outlined("[composite:main]\nuse = egg:wheatpaste#urlmap\n/ = main\n")
    assert stack.mounts[0].stack.app.shape == "missing"


def test_what_anothers_composite_mounts_is_known_once_it_was_built(write_ini: WriteIni, tmp_path: Path) -> None:
    (tmp_path / "composite_for_outline.py").write_text(
        "def factory(loader, global_conf, **conf):\n"
        "    app = loader.get_app('two', global_conf=global_conf)\n"
        "    for name in ('log', 'cut'):\n"
        "        app = loader.get_filter(name, global_conf=global_conf)(app)\n"
        "    return app\n"
    )
    text = (
        "[wheatpaste]\npython_path = %(here)s\n[composite:main]\nuse = call:composite_for_outline:factory\n"
        "unused = one\nauth = log cut two\n"
    )
    composition = Composition.load(f"config:{write_ini(text + APPS)}")
    assert [each.guess for each in outline(composition).mounts] == [True, True]
    composition.build()
    (mounted,) = outline(composition).mounts
    assert (mounted.mount.key, mounted.guess, names(mounted.stack)) == ("auth", False, (["log", "log", "cut"], "two"))

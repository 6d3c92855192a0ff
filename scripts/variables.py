"""``key=value`` words of a command line: variables of the configuration, as ``serve`` takes them."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError


def variable_arguments(parser: ArgumentParser) -> None:
    """Declare the trailing ``key=value`` words and ``-n/--app-name``."""
    parser.add_argument(
        "variables", nargs="*", type=variable, metavar="key=value", help="variables of the configuration: %%(key)s"
    )
    parser.add_argument("-n", "--app-name", metavar="NAME", help="the app's section, instead of main")


def variable(word: str) -> tuple[str, str]:
    """The name and value of ``key=value``. Raises ``ArgumentTypeError``."""
    key, equals, value = word.partition("=")
    if not equals or not key.strip():
        raise ArgumentTypeError(f"{word!r} is no variable; write key=value")
    return key.strip(), value

"""What is asked on the terminal, or read from the standard input: never from the words of a command line.

Other users of a machine can see those, and shells keep them.
"""

from __future__ import annotations

import getpass
import sys

LONGEST = 4096


def ask_password(what: str = "New password", *, twice: bool = True) -> str:
    """A password: asked for on a terminal, or the first line of the standard input. Raises ``ValueError``."""
    if not sys.stdin.isatty():
        line = sys.stdin.buffer.readline(LONGEST + 2)
        try:
            password = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise ValueError("the password on the standard input is not UTF-8 text") from None
        if len(line) > LONGEST:
            raise ValueError(f"the password on the standard input is longer than {LONGEST} bytes")
        if not password:
            raise ValueError("there is no password on the standard input")
        return password
    while True:
        password = getpass.getpass(f"{what}: ")
        if not password:
            raise ValueError("no password was given")
        if not twice or getpass.getpass("The same again: ") == password:
            return password
        print("These two differ.", file=sys.stderr)


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether somebody on a terminal means it; who runs it from a program means it."""
    if yes or not sys.stdin.isatty():
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")

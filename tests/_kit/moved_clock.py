"""``python -m wheatpaste`` under a clock that a test moves: ``moved_clock.py FILE WORDS…``.

FILE says by how many seconds the server's clock is ahead; it is read each time that somebody asks for the time.
"""

from __future__ import annotations

import runpy
import sys
import time


def main(file: str, words: list[str]) -> None:
    real = time.time

    def moved() -> float:
        with open(file, encoding="ascii") as ahead:
            return real() + float(ahead.read() or 0)

    time.time = moved
    sys.argv = ["wheatpaste", *words]
    runpy.run_module("wheatpaste", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

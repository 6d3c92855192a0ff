"""docs/servers.md: that it names every option, and every keyword of the servers that people come from."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from paste import httpserver
from waitress.adjustments import Adjustments

from wheatpaste.config.options import options_of
from wheatpaste.server.http_server import HTTPServer
from wheatpaste.server.keywords import IGNORED, NAMES, TRANSLATIONS

TEXT = (Path(__file__).resolve().parent.parent / "docs/servers.md").read_text(encoding="utf-8")
OPTIONS = {option.name for option in options_of(HTTPServer)}


def rows(title: str) -> dict[str, str]:
    """The table below a heading: what each word of the first column is here."""
    section = TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    found = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            found.update(dict.fromkeys(re.findall(r"`(\w+)`", cells[0]), cells[1]))
    return found


PASTE, WAITRESS = rows("Coming from paste.httpserver"), rows("Coming from Waitress")


def test_every_option_is_told() -> None:
    guide = TEXT.partition("## Coming from")[0]
    assert OPTIONS - set(re.findall(r"`(\w+)(?: = [^`]*)?`", guide)) == set()


def test_every_keyword_of_paste_is_in_its_table() -> None:
    serve = inspect.signature(httpserver.serve).parameters.keys() - {"application"}
    pool = inspect.signature(httpserver.ThreadPool.__init__).parameters.keys() - {"self", "nworkers"}
    assert set(PASTE) == serve | {f"threadpool_{name}" for name in pool} | {"error_email"}


def test_every_keyword_of_waitress_is_in_its_table() -> None:
    assert set(WAITRESS) == set(Adjustments._param_map) | {"socket_options"}


@pytest.mark.parametrize("key", sorted({*NAMES, *TRANSLATIONS, *IGNORED}))
def test_a_row_says_what_the_server_does(key: str) -> None:
    told = {**PASTE, **WAITRESS}[key]
    if key in IGNORED:
        assert key == "start_loop" or re.search("do(es)? nothing", told)
    elif key in NAMES:
        assert f"`{NAMES[key]}`" in told
    else:
        said = {
            name
            for value in SAMPLES[key]
            for mapping in (TRANSLATIONS[key].says(value), TRANSLATIONS[key].supposes(value))
            for name in mapping
        }
        assert {name for name in said if not re.search(rf"`{name}\b", told)} == set()


SAMPLES = {
    "channel_timeout": [1],
    "daemon_threads": [True],
    "max_request_header_size": [1],
    "protocol_version": ["HTTP/1.0"],
    "socket_timeout": [1],
    "ssl_pem": [Path("*"), Path("x")],
    "threadpool_kill_thread_limit": [1],
    "threadpool_max_zombie_threads_before_die": [1],
    "trusted_proxy": ["10.0.0.1"],
    "use_threadpool": [True, False],
}
"""Values that make a translation say all that it can."""

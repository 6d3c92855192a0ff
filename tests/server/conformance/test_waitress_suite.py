"""Waitress's published functional tests, run against our server; the table says where ours answers otherwise, and why.

Fetched from the package index when the test runs. Our server stands in for Waitress's two classes of servers; the only
options are those that its tests set, ``require_host=False`` and ``ident="waitress"``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from published_source import unpacked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

VERSION = "3.0.2"

SHIM = """
    import waitress.server

    import wheatpaste.server.engine  # once, and not in each of the processes that are forked
    from wheatpaste import serve


    class Server:
        def __init__(self, app, **options):
            self.bound = serve(app, start_loop=False, require_host=False, ident="waitress", **options)
            self.socket = self.bound.sockets[0]

        def run(self):
            self.bound.serve_forever()


    waitress.server.TcpWSGIServer = waitress.server.UnixWSGIServer = Server
"""

SEVERAL = "the length of a list of several pieces is known, too, and sent"
TEXT = "text instead of bytes is a 500 before anything is sent, not the head of a reply that ends"
LONG = "what is longer than a request line may be is 414, whatever else may be wrong with it"
DEVIATIONS = {
    "ExpectContinueTests.test_expect_continue": "no 100 is sent when the body is here already (RFC 9110 10.1.1)",
    "NoContentLengthTests.test_http10_listlentwo": SEVERAL,
    "NoContentLengthTests.test_http11_listlentwo": SEVERAL,
    "InternalServerErrorTests.test_after_write_cb": TEXT,
    "InternalServerErrorTests.test_in_generator": TEXT,
    "TooLargeTests.test_request_body_too_large_with_no_cl_http10_keepalive": LONG,
    "TooLargeTests.test_request_body_too_large_with_no_cl_http11": LONG,
    "TooLargeTests.test_request_body_too_large_with_wrong_cl_http10_keepalive": LONG,
    "TooLargeTests.test_request_body_too_large_with_wrong_cl_http11": LONG,
    "TooLargeTests.test_request_headers_too_large_http11": "errors of a head are told in HTTP/1.1 (RFC 9110 6.2)",
    "TooLargeTests.test_request_body_too_large_chunked_encoding": (
        "a semicolon after a chunk's size wants an extension, so its 400 comes before the 413"
    ),
}
"""By class without its Tcp or Unix, and name."""

OPEN = "a chunked reply leaves the connection open, which the test waits for"
ENDLESS = {
    "NoContentLengthTests.test_http11_generator": OPEN,
    "FileWrapperTests.test_notfilelike_nocl_http11": OPEN,
}
"""Deviations that make a test wait for ever."""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = unpacked("waitress", VERSION, tmp_path_factory.mktemp("waitress"))
    (folder / "src").rename(folder / "unused")  # its tests shall find the package that is installed
    (folder / "conftest.py").write_text(textwrap.dedent(SHIM))
    return folder


def run(suite: Path, *arguments: str, patience: int) -> dict[str, bool]:
    """Run tests; which of them passed, by class and name."""
    report = suite / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-c", "/dev/null", "--rootdir", str(suite)]
    command += ["-p", "no:cacheprovider", "-n", "2", f"--timeout={patience}", f"--junit-xml={report}", *arguments]
    with (suite / "output.txt").open("w+") as output:
        tests = subprocess.Popen(
            command, cwd=suite, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            tests.wait(240)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(tests.pid, signal.SIGKILL)  # and the servers that it has forked
            tests.wait()
    assert report.exists(), (suite / "output.txt").read_text()
    cases = ElementTree.parse(report).iter("testcase")
    return {f"{case.attrib['classname'].rpartition('.')[2]}.{case.attrib['name']}": len(case) == 0 for case in cases}


def both(names: dict[str, str]) -> set[str]:
    return {f"{family}{name}" for name in names for family in ("Tcp", "Unix")}


def test_it_passes_but_for_the_deviations(suite: Path) -> None:
    endless = " and ".join(f"not {name.rpartition('.')[2]}" for name in ENDLESS)
    passed = run(suite, "tests/test_functional.py", "-k", endless, patience=40)
    assert len(passed) == 137 - len(both(ENDLESS))
    assert {name for name, well in passed.items() if not well} == both(DEVIATIONS)


def test_it_waits_for_an_end_that_does_not_come(suite: Path) -> None:
    endless = " or ".join(name.rpartition(".")[2] for name in ENDLESS)
    passed = run(suite, "tests/test_functional.py", "-k", endless, patience=5)
    assert passed == dict.fromkeys(both(ENDLESS), False)


def test_it_would_notice_if_the_suite_ran_against_something_else(suite: Path) -> None:
    probe = (
        "import conftest, waitress.server as server;"
        "from wheatpaste.server.serving import BoundServer;"
        "bound = server.TcpWSGIServer(lambda *_: [], host='127.0.0.1', port=0).bound;"
        "print(type(bound) is BoundServer); bound.server_close()"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=suite, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "True", done.stderr

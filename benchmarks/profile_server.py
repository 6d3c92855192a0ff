"""Where a request's time goes in our server: ``python benchmarks/profile_server.py [PATH] [--browser] [--peer NAME]``.

Prints processor time for a request, of ours and of the kernel's, and the functions and lines that hold the interpreter
while wrk asks for PATH (``/hello``; see ``server_apps.py``). Needs wrk, and for functions and lines py-spy
(``pip install py-spy``; as root, or with ptrace allowed). What the kernel does for it tell, beside a running wrk,
``perf stat -e 'syscalls:sys_enter_*' -p PID`` (calls) and ``perf record -e cpu-clock -g -p PID`` (functions).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from processes import family_of
from server_load import BROWSER, beside, wrk, wrk_command
from server_peers import BIN, OURS, PEERS, Server, Setup, running


def times(server: Server) -> tuple[float, float]:
    """Seconds of processor time of all its processes, in its own code and in the kernel."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in family_of(server.process.pid)]
    ticks = os.sysconf("SC_CLK_TCK")
    return sum(int(each[11]) for each in fields) / ticks, sum(int(each[12]) for each in fields) / ticks


def sampled(program: str, server: Server, seconds: int, file: Path) -> tuple[Counter[str], Counter[str]]:
    """How often each function and each line of it was found with the interpreter."""
    argv = [program, "record", "--pid", str(server.process.pid), "--gil", "--rate", "500", "--duration", str(seconds)]
    subprocess.run([*argv, "--format", "raw", "--output", str(file)], check=True, capture_output=True)
    functions: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for row in file.read_text(encoding="utf-8").splitlines():
        stack, _, count = row.rpartition(" ")
        line = stack.rpartition(";")[2]
        lines[line] += int(count)
        functions[re.sub(r":\d+\)$", ")", line)] += int(count)
    return functions, lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", default="/hello")
    parser.add_argument("--browser", action="store_true", help="with the headers of a browser")
    parser.add_argument("--peer", choices=[each.name for each in PEERS], default=OURS, help="another server")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    headers = BROWSER if options.browser else {}
    (peer,) = (each for each in PEERS if each.name == options.peer)
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(threads=options.threads, folder=Path(folder))
        with running([peer], setup, core=0, environment=os.environ) as servers:
            if not servers:
                return 1
            (server,) = servers.values()
            own, kernel = times(server)
            load = wrk(server, options.path, options.connections, seconds=options.seconds, headers=headers)
            own_after, kernel_after = times(server)
            print(f"{load.rate:,.0f} requests/s, p50 {load.p50 * 1e3:.2f} ms, p99 {load.p99 * 1e3:.2f} ms")
            for name, used in (("its own code", own_after - own), ("the kernel", kernel_after - kernel)):
                print(f"{used / load.requests * 1e6:7.1f} µs of a request in {name}")
            program = shutil.which("py-spy", path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
            if program is None:
                print("py-spy is not installed: no functions and lines")
                return 0
            argv = wrk_command(server, options.path, options.connections, options.seconds + 2, headers)
            with beside(argv):
                found = sampled(program, server, options.seconds, Path(folder) / "samples")
    for title, counts in zip(("functions", "lines"), found, strict=True):
        print(f"\n% of the samples with the interpreter, by {title}")
        for name, count in counts.most_common(30):
            print(f"{100 * count / counts.total():6.1f}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

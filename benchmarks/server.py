"""Servers beside each other: ``python benchmarks/server.py [--json] [--rounds N] [--scenario NAME] [--peer NAME]``.

Each server has the same app, and 16 threads where it has threads, else its defaults; limits on connections are raised
where they are below what a scenario needs. With one process a server has one core and its client the other, so that a
client does not take from a server; run by root, both go before other programs. Processor time is that of all processes
of the server. In each round the servers are measured one after another, in turns forth and back; those that are nearest
to ours take part in all rounds, the others in fewer. The median of the rounds counts, and where ours is compared with a
peer's, the median of the rounds' own ratios. A request/s is a good answer per second; errors are other answers, broken
connections and answers that came after more than five seconds. A client asks again as soon as it has its answer: p99 is
what the last hundredth waited under that load. Asked by wrk, or by clients of our own where wrk cannot
(``server_clients.py``).
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from findings import Findings, arguments, progress, table
from server_apps import compute
from server_peers import CHEROOT, GRANIAN, GTHREAD, OURS, PEERS, UWSGI, WAITRESS, Peer, Server, Setup, running
from server_scenarios import SCENARIOS, Column, Extent, Results, Sample, Scenario

NEAREST = (OURS, GRANIAN, UWSGI, WAITRESS)
"""Those that take part in every round."""
BESIDE = (GRANIAN, UWSGI, WAITRESS, GTHREAD, CHEROOT)
"""Those that the README names."""
QUICK = Extent(idle=300, slow=20)
LARGE = 100 * 1000 * 1000


def loops_for(seconds: float) -> int:
    """How many turns of the app's loop take so long here."""
    loops = 20_000
    best = min(_timed(loops) for _ in range(20))
    return max(1, int(loops * seconds / best))


def _timed(loops: int) -> float:
    begun = time.perf_counter()
    compute(loops)
    return time.perf_counter() - begun


def make_certificate(folder: Path) -> tuple[str, str]:
    """A certificate for this run; empty names where there is no openssl to make one."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    program = shutil.which("openssl")
    if program is None:
        return "", ""
    argv = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    argv += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return str(certificate), str(key)


class Course:
    """A run through scenarios: where its files are, how much is done, and by whom."""

    def __init__(self, folder: Path, extent: Extent, rounds: int, peers: Sequence[Peer]) -> None:
        self.folder, self.extent, self.rounds, self.peers = folder, extent, rounds, peers
        self.certificate, self.key = make_certificate(folder)
        large = folder / "large.bin"
        large.write_bytes(os.urandom(1_000_000) * (LARGE // 1_000_000))
        loops = str(loops_for(0.001))
        self.environment = {**os.environ, "BENCHMARK_FILE": str(large), "BENCHMARK_LOOPS": loops}

    def run(self, scenario: Scenario) -> Results:
        setups = [self._setup(scenario, workers) for workers in scenario.workers]
        found: dict[str, dict[int, Sample]] = {}
        taking_part = [
            peer
            for peer in self.peers
            if peer.name not in scenario.without and all(peer.fits(setup) for setup in setups)
        ]
        with ExitStack() as stack:
            started = {} if scenario.fresh else self._start(stack, scenario, taking_part, setups)
            for round_ in range(0, self.rounds, scenario.every):
                progress(f"{scenario.name}: round {round_ + 1} of {self.rounds}")
                for peer in taking_part if round_ % 2 == 0 else reversed(taking_part):
                    if round_ % 3 and peer.name not in (scenario.throughout or NEAREST):
                        continue
                    with ExitStack() as own:
                        servers = (self._start(own, scenario, [peer], setups) if scenario.fresh else started)[peer.name]
                        if servers:
                            found.setdefault(peer.name, {})[round_] = self._measure(scenario, servers)
        return Results(found)

    def _setup(self, scenario: Scenario, workers: int) -> Setup:
        setup = Setup(threads=scenario.threads, workers=workers, once=scenario.once, folder=self.folder)
        return setup._replace(certificate=self.certificate, key=self.key) if scenario.tls else setup

    def _start(
        self, stack: ExitStack, scenario: Scenario, peers: Sequence[Peer], setups: Sequence[Setup]
    ) -> dict[str, list[Server]]:
        """The servers of each peer, warmed up; none where one of them does not start."""
        core = 0 if scenario.pinned else None
        sets = [stack.enter_context(running(peers, setup, core=core, environment=self.environment)) for setup in setups]
        for servers in sets:
            # A peer may be left out; without ours there is nothing to compare.
            assert OURS in servers or OURS not in {peer.name for peer in peers}, "ours does not start"
            for server in servers.values():
                for _ in range(20):
                    server.answers()
        return {
            peer.name: [servers[peer.name] for servers in sets] if all(peer.name in each for each in sets) else []
            for peer in peers
        }

    def _measure(self, scenario: Scenario, servers: Sequence[Server]) -> Sample:
        try:
            return scenario.measure(servers, self.extent)
        except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
            progress(f"{scenario.name}: {servers[0].peer.name}: {error}")
            return {}


def written(column: Column, value: float) -> str:
    return "–" if math.isnan(value) else format(value * column.factor, column.form)


def section(scenario: Scenario, results: Results) -> str:
    rows = [
        [name, *(written(column, results.median(name, column.key)) for column in scenario.columns)]
        for name in results.rounds
    ]
    head = ["server", *(column.heading for column in scenario.columns)]
    return f"### {scenario.title}\n\n{scenario.how}\n\n{table(head, rows)}"


def short_row(scenario: Scenario, results: Results) -> tuple[str, str, str]:
    column = next(each for each in scenario.columns if each.key == scenario.short)
    others = [f"{name} {written(column, each)}" for name, each in results.others(column.key).items() if name in BESIDE]
    first, second = scenario.title[:2]
    title = f"{first if second.isupper() else first.lower()}{scenario.title[1:]}"  # TLS stays TLS
    return f"{title}: {column.heading}", written(column, results.median(OURS, column.key)), ", ".join(others)


def main() -> int:
    parser = arguments(__doc__, 3)
    names = [each.name for each in SCENARIOS]
    parser.add_argument("--scenario", action="append", choices=names, help="this one alone")
    parser.add_argument("--peer", action="append", choices=[each.name for each in PEERS], help="these servers alone")
    parser.add_argument("--quick", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is missing; on Debian: apt install wrk", file=sys.stderr)
        return 1
    wanted = [peer for peer in PEERS if not options.peer or peer.name in options.peer]
    peers = [peer for peer in wanted if peer.version()]
    absent = [peer.name for peer in wanted if not peer.version()]
    if options.quick:
        peers = [peer for peer in peers if peer.name in NEAREST]
    chosen = [each for each in SCENARIOS if not options.scenario or each.name in options.scenario]
    with tempfile.TemporaryDirectory(prefix="server-bench-") as folder:
        course = Course(Path(folder), QUICK if options.quick else Extent(), options.rounds, peers)
        found = {each: course.run(each) for each in chosen if not each.tls or course.certificate}
    texts = [section(scenario, results) for scenario, results in found.items()]
    if absent:
        texts.insert(0, f"Not installed here, and therefore not measured: {', '.join(absent)}.")
    Findings(
        text="\n\n".join(texts),
        rows=[short_row(scenario, results) for scenario, results in found.items() if scenario.short],
        aims=[aim for scenario, results in found.items() for aim in scenario.judge(results)],
        figures={
            scenario.name: {name: dict(rounds) for name, rounds in results.rounds.items()}
            for scenario, results in found.items()
        },
    ).print(as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

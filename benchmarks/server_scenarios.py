"""What servers are put through: each scenario says how a server is measured, what is shown, and what is aimed at."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from findings import Aim
from server_load import BROWSER, Load, beside, client, client_command, wrk, wrk_command
from server_peers import BJOERN, CHEROOT, GEVENT, GRANIAN, GTHREAD, OURS, PASTE, SYNC, UWSGI, WAITRESS, Server

Sample = dict[str, float]
"""The figures of one measuring."""
SETTLE = 0.5
"""Seconds after which those beside are at it."""
Rounds = Mapping[str, Mapping[int, Sample]]
"""By server, by round: not every server takes part in every round."""


class Extent(NamedTuple):
    """How much is done; a quick run does less."""

    seconds: int = 1
    idle: int = 10_000
    slow: int = 100


class Column(NamedTuple):
    """A figure: its heading, its key in a sample, what it is multiplied by, and how it is written."""

    heading: str
    key: str
    factor: float = 1.0
    form: str = ",.0f"


RATE = Column("requests/s", "rate")
EACH = Column("CPU µs/request", "each", 1e6, ",.1f")
P50 = Column("p50, ms", "p50", 1e3, ",.2f")
P99 = Column("p99, ms", "p99", 1e3, ",.2f")
PSS = Column("PSS, MB", "pss", 1e-6, ",.1f")
RSS = Column("RSS, MB", "rss", 1e-6, ",.1f")
ERRORS = Column("errors", "errors")
USUAL = (RATE, EACH, P50, P99, ERRORS)


class Results:
    """The samples of one scenario, and what is read from them."""

    def __init__(self, rounds: Rounds) -> None:
        self.rounds = rounds

    def median(self, name: str, key: str) -> float:
        """NaN where that was not measured."""
        values = [sample[key] for sample in self.rounds.get(name, {}).values() if key in sample]
        values = [value for value in values if not math.isnan(value)]
        return statistics.median(values) if values else math.nan

    def to(self, peer: str, key: str) -> float:
        """Ours to a peer's: the median of the ratios of the rounds that both were in."""
        ours, theirs = self.rounds.get(OURS, {}), self.rounds.get(peer, {})
        ratios = [
            ours[number][key] / theirs[number][key]
            for number in ours.keys() & theirs.keys()
            if ours[number].get(key) and theirs[number].get(key)
        ]
        return statistics.median(ratios) if ratios else math.nan

    def others(self, key: str) -> dict[str, float]:
        """The peers' medians of that figure, where they have one."""
        found = {name: self.median(name, key) for name in self.rounds if name != OURS}
        return {name: value for name, value in found.items() if not math.isnan(value)}


Measure = Callable[[Sequence[Server], Extent], Sample]
Judge = Callable[[Results], list[Aim]]


@dataclass(frozen=True)
class Scenario:
    """``measure`` gets one running server for each of ``workers``; ``short`` makes the rows of the README."""

    name: str
    title: str
    how: str
    measure: Measure
    columns: Sequence[Column] = USUAL
    judge: Judge = lambda results: []
    short: str = ""
    """The column for the README; empty for none."""
    threads: int = 16
    workers: tuple[int, ...] = (1,)
    pinned: bool = True
    tls: bool = False
    once: bool = False
    """Each connection is for one request."""
    every: int = 1
    """It is done in each so-many-th round."""
    throughout: tuple[str, ...] = ()
    """Who takes part in every round, where these are not the nearest ones."""
    fresh: bool = False
    """Each measuring gets a server of its own: what is done to it leaves traces."""
    without: frozenset[str] = field(default_factory=frozenset)


# --- how it is measured ----------------------------------------------------------------------------------------------


def sample(load: Load, **more: float) -> Sample:
    errors = load.refused + load.broken + load.late
    return {"rate": load.rate, "each": load.each, "p50": load.p50, "p99": load.p99, "errors": errors, **more}


def asked(
    path: str, connections: int, headers: Mapping[str, str] | None = None, core: int | None = 1, times: int = 1
) -> Measure:
    def measure(servers: Sequence[Server], extent: Extent) -> Sample:
        (server,) = servers
        load = wrk(server, path, connections, seconds=times * extent.seconds, headers=dict(headers or {}), core=core)
        usage = server.usage()
        return sample(load, pss=usage.pss, rss=usage.rss)

    return measure


def exchanged(method: str, path: str, size: int, connections: int) -> Measure:
    def measure(servers: Sequence[Server], extent: Extent) -> Sample:
        return sample(client(servers[0], "exchange", method, path, size, connections, extent.seconds * 0.7))

    return measure


def compared(load: Load, *normal: Load) -> Sample:
    """The rate beside something to the normal one. Where nothing came after it, that is no normal one."""
    rates = [each.rate for each in normal if each.rate]
    usual = sum(rates) / len(rates) if rates else math.nan
    return {"normal": usual, "ratio": load.rate / usual}


def mixed(servers: Sequence[Server], extent: Extent) -> Sample:
    (server,) = servers
    with beside(wrk_command(server, "/50ms", 16, extent.seconds + 1, {})):
        time.sleep(SETTLE)
        return sample(wrk(server, "/hello", 8, seconds=extent.seconds))


def disturbed(task: str) -> Measure:
    def measure(servers: Sequence[Server], extent: Extent) -> Sample:
        (server,) = servers
        before = wrk(server, "/hello", 8, seconds=extent.seconds)
        with beside(client_command(server, task, extent.slow)) as told:
            told.readline()
            time.sleep(SETTLE)
            load = wrk(server, "/hello", 8, seconds=extent.seconds)
        after = wrk(server, "/hello", 8, seconds=extent.seconds)
        return sample(load, **compared(load, before, after))

    return measure


def idling(servers: Sequence[Server], extent: Extent) -> Sample:
    (server,) = servers
    undisturbed = wrk(server, "/hello", 8, seconds=extent.seconds)
    before = server.usage()
    with beside(client_command(server, "idle", extent.idle)) as told:
        held = float(told.readline() or 0)
        usage = server.usage()
        load = wrk(server, "/hello", 8, seconds=extent.seconds)
    time.sleep(2 * SETTLE)  # till it has closed them
    afterwards = wrk(server, "/hello", 8, seconds=extent.seconds)
    return sample(
        load,
        held=held,
        pss=usage.pss,
        rss=usage.rss,
        # What a part of them takes would look like thrift.
        grown=usage.pss - before.pss if held >= 0.99 * extent.idle else math.nan,
        **compared(load, undisturbed, afterwards),
    )


def scaled(servers: Sequence[Server], extent: Extent) -> Sample:
    one, two = (wrk(server, "/computed", 16, seconds=extent.seconds, core=None) for server in servers)
    return sample(two, one=one.rate, ratio=two.rate / one.rate if one.rate else math.nan)


# --- what is aimed at ------------------------------------------------------------------------------------------------


def all_of(*judges: Judge) -> Judge:
    return lambda results: [aim for judge in judges for aim in judge(results)]


def cheaper(what: str, peer: str, limit: float, said: str) -> Judge:
    """Our processor time for a request is at most ``limit`` of a peer's."""

    def judge(results: Results) -> list[Aim]:
        ratio = results.to(peer, "each")
        found = f"{ratio:.2f} ({results.median(OURS, 'each') * 1e6:.1f} to {results.median(peer, 'each') * 1e6:.1f} µs)"
        return [Aim(f"{what}: processor time of a request {said}", found, ratio <= limit)]

    return judge


def ahead(what: str, *peers: str, limit: float = 1.0, key: str = "rate") -> Judge:
    """Our rate is at least ``limit`` of each of these peers'."""

    def judge(results: Results) -> list[Aim]:
        ratios = {peer: results.to(peer, key) for peer in peers if not math.isnan(results.median(peer, key))}
        found = ", ".join(f"{ratio:.2f} of {peer}'s" for peer, ratio in ratios.items())
        said = "ahead of" if limit == 1 else f"at least {limit:.2f} of the rate of"
        names = " and ".join(filter(None, [", ".join(peers[:-1]), peers[-1]]))
        met = bool(ratios) and all(ratio >= limit for ratio in ratios.values())
        return [Aim(f"{what}: {said} {names}", found or "not measured", met)]

    return judge


def amid(what: str) -> Judge:
    """Ahead of the threaded servers, and near the compiled ones."""
    threaded = [WAITRESS, CHEROOT, GTHREAD, GEVENT, SYNC]
    return all_of(ahead(what, *threaded), ahead(what, UWSGI, GRANIAN, limit=0.8))


def ideal(threads: int, seconds: float, connections: int) -> Judge:
    best = threads / seconds

    def judge(results: Results) -> list[Aim]:
        ours = results.median(OURS, "rate")
        others = {name: rate for name, rate in results.others("rate").items() if name != GEVENT}
        leader = max(others, key=others.__getitem__, default="")
        what = f"an app of {seconds * 1e3:.0f} ms, {connections:,} connections"
        found = f"{ours / best:.3f}; best peer {leader} {others[leader] / best:.3f}" if leader else f"{ours / best:.3f}"
        return [
            Aim(f"{what}: 0.97 of threads ÷ latency", found, ours >= 0.97 * best),
            Aim(
                f"{what}: ahead of all that have those threads", found, all(ours >= other for other in others.values())
            ),
        ]

    return judge


def best_tail(results: Results) -> list[Aim]:
    ours, others = results.median(OURS, "p99"), results.others("p99")
    # Who answers next to nothing has no tail to speak of.
    rates = results.others("rate")
    others = {name: value for name, value in others.items() if rates.get(name, 0) >= 100}
    leader = min(others, key=others.__getitem__, default="")
    found = f"{ours * 1e3:.2f} ms" + (f"; best peer {leader} {others[leader] * 1e3:.2f} ms" if leader else "")
    return [Aim("fast requests beside slow ones: p99 the best of all", found, not leader or ours <= others[leader])]


def undisturbed(what: str, limit: float) -> Judge:
    def judge(results: Results) -> list[Aim]:
        ratio, others = results.median(OURS, "ratio"), results.others("ratio")
        leader = max(others, key=others.__getitem__, default="")
        found = f"{ratio:.2f}" + (f"; best peer {leader} {others[leader]:.2f}" if leader else "")
        return [Aim(f"{what}: {limit:.2f} of the normal rate", found, ratio >= limit)]

    return judge


def light(results: Results) -> list[Aim]:
    grown, pss = results.median(OURS, "grown") / 1e6, results.median(OURS, "pss") / 1e6
    held = results.median(OURS, "held")
    found = f"{grown:.1f} MB more with {held:,.0f}, {pss:.1f} MB in all"
    return [Aim("10,000 idle connections: at most 30 MB", found, grown <= 30)]


def twice(results: Results) -> list[Aim]:
    ratio, others = results.median(OURS, "ratio"), results.others("ratio")
    leader = max(others, key=others.__getitem__, default="")
    found = f"{ratio:.2f}" + (f"; best peer {leader} {others[leader]:.2f}" if leader else "")
    return [Aim("two workers at 1 ms of processor time: 1.8 times the rate of one", found, ratio >= 1.8)]


# --- the scenarios ---------------------------------------------------------------------------------------------------

ONE_AT_A_TIME = frozenset({BJOERN, SYNC})
FOR_ONE_REQUEST = frozenset({SYNC, PASTE})
"""Those that close a connection after each answer."""
SCENARIOS = (
    Scenario(
        "hello",
        "A small answer",
        "32 connections, with no headers but Host.",
        asked("/hello", 32),
        (*USUAL, PSS, RSS),
        all_of(
            cheaper("a small answer", GRANIAN, 1.0, "at most granian's"),
            cheaper("a small answer", WAITRESS, 0.2, "at most a fifth of Waitress's"),
        ),
        short="each",
    ),
    Scenario(
        "browser",
        "A small answer for a browser",
        "32 connections, with the 13 headers of a browser.",
        asked("/hello", 32, BROWSER),
        judge=all_of(
            cheaper("a small answer for a browser", GRANIAN, 1.0, "at most granian's"),
            cheaper("a small answer for a browser", WAITRESS, 0.2, "at most a fifth of Waitress's"),
        ),
        short="each",
    ),
    Scenario(
        "hello2",
        "A small answer, two processes",
        "32 connections; servers and client share both cores.",
        asked("/hello", 32, core=None),
        (*USUAL, PSS, RSS),
        every=3,
        workers=(2,),
        pinned=False,
    ),
    *(
        Scenario(
            f"blocking{connections}",
            f"An app that waits 10 ms, {connections:,} connections",
            "16 threads, so that 1,600 requests/s are the most that they can do; gevent has no threads to run out of.",
            # A short time would be that of connecting, too.
            asked("/10ms", connections, times=4 if connections == 1000 else 2),
            judge=ideal(16, 0.010, connections),
            short="rate" if connections == 100 else "",
            # One after another they come to 100 a second, which need not be shown three times.
            without=frozenset() if connections == 32 else ONE_AT_A_TIME,
            every=3,
        )
        for connections in (32, 100, 1000)
    ),
    Scenario(
        "mixed",
        "Fast requests beside slow ones",
        "32 threads. 16 connections ask for what takes 50 ms; the figures are those of 8 others with the small answer.",
        mixed,
        judge=best_tail,
        short="p99",
        threads=32,
    ),
    Scenario("computed", "An app that computes 1 ms", "16 connections.", asked("/computed", 16), every=3),
    Scenario(
        "workers",
        "An app that computes 1 ms, two workers to one",
        "16 connections; servers and client share both cores.",
        scaled,
        (RATE, Column("with one", "one"), Column("ratio", "ratio", 1, ".2f"), P50, P99, ERRORS),
        twice,
        short="ratio",
        every=2,
        workers=(1, 2),
        pinned=False,
    ),
    Scenario(
        "large",
        "An answer of 1 MiB",
        "4 connections.",
        exchanged("GET", "/large", 0, 4),
        judge=amid("an answer of 1 MiB"),
        every=2,
        short="rate",
    ),
    Scenario(
        "upload",
        "An upload of 1 MiB",
        "4 connections; the app reads it.",
        exchanged("POST", "/upload", 1024 * 1024, 4),
        judge=amid("an upload of 1 MiB"),
        every=2,
        short="rate",
    ),
    Scenario(
        "file",
        "A file of 100 MB",
        "One connection; the app hands it to wsgi.file_wrapper.",
        exchanged("GET", "/file", 0, 1),
        (Column("ms", "p50", 1e3, ",.0f"), Column("CPU ms/request", "each", 1e3, ",.1f"), ERRORS),
        amid("a file of 100 MB"),
        short="p50",
        every=2,
    ),
    Scenario(
        "idle",
        "10,000 idle connections",
        "Each asked once and stays; then 8 others ask for the small answer, as they do before and after.",
        idling,
        (
            Column("held", "held"),
            Column("MB more", "grown", 1e-6, ",.1f"),
            PSS,
            Column("normal requests/s", "normal"),
            RATE,
            Column("ratio", "ratio", 1, ".2f"),
            P99,
        ),
        all_of(light, undisturbed("a request beside 10,000 idle connections", 0.95)),
        short="grown",
        throughout=(OURS,),  # a ratio of its own is compared with no peer's
        without=FOR_ONE_REQUEST,
        fresh=True,
    ),
    Scenario(
        "close",
        "A connection for each request",
        "16 connections at a time.",
        asked("/hello", 16, {"Connection": "close"}),
        judge=amid("a connection for each request"),
        once=True,
        every=2,
        short="rate",
    ),
    Scenario(
        "tls",
        "TLS",
        "32 connections that stay, TLS 1.3.",
        asked("/hello", 32),
        judge=amid("TLS"),
        every=2,
        short="rate",
        tls=True,
    ),
    Scenario(
        "handshakes",
        "TLS handshakes",
        "A connection for each request, 16 at a time, TLS 1.3 with a P-256 key. Closing unannounced is an error.",
        asked("/hello", 16, {"Connection": "close"}),
        judge=amid("TLS handshakes"),
        once=True,
        every=2,
        short="rate",
        tls=True,
    ),
    *(
        Scenario(
            name,
            title,
            how,
            disturbed(name),
            (Column("normal requests/s", "normal"), RATE, Column("ratio", "ratio", 1, ".2f"), P99, ERRORS),
            undisturbed(f"beside {title.removeprefix('Beside ')}", 0.95),
            short="ratio",
            every=2,
            throughout=(OURS,),
            fresh=True,
            without=frozenset({SYNC}),
        )
        for name, title, how in (
            ("slow_senders", "Beside 100 slow senders", "A byte each 100 ms: half of them of a head, half of a body."),
            ("slow_readers", "Beside 100 slow readers", "Each takes a kibibyte of 1 MiB each 100 ms."),
        )
    ),
)

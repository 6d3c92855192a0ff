"""Tell a load balancer or an orchestrator whether this process lives, and whether it is ready for requests.

``/livez`` says that requests are answered at all; ``/readyz`` runs the checks. A failing check must take a process out
of rotation, not restart it, so ``/livez`` runs none. Reads ``wheatpaste.peer`` and ``paste.httpserver.thread_pool``;
writes no environ keys.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from ..config.factories import make_app_factory
from ..config.options import above, at_least, component, each, option
from ..config.records import field, record
from ..config.values import Imported, Seconds
from ..protocol.negotiate import wanted_form
from ..protocol.peers import Networks, is_direct, network_complaint
from ..protocol.wsgi import Body, Environ, StartResponse
from .answers import TEXT, answer, method_not_allowed, not_found

Clock = Callable[[], float]

_HEADERS = [("Cache-Control", "no-store"), ("Vary", "Accept")]


def _checks_complaint(checks: tuple[Any, ...]) -> str | None:
    for check in checks:
        if not callable(check):
            return f"takes functions, and {check!r} is none"
    return None


@record
class Verdict:
    """What a check said: ``reason`` is None where all is well."""

    reason: str | None
    seconds: float


class Probe:
    """Runs one check, at most once at a time, on a thread of its own that is made when it is needed.

    A check that hangs keeps its one thread; nothing piles up behind it.
    """

    def __init__(self, name: str, check: Callable[[], object], clock: Clock) -> None:
        self.name = name
        self._check = check
        self._clock = clock
        self._lock = threading.Lock()
        self._running: threading.Event | None = None
        self._verdict: Verdict | None = None
        self._at = 0.0
        self._process = 0

    def begin(self, cache: float) -> Verdict | threading.Event:
        """The last verdict if it is younger than ``cache`` seconds; else what is set when the next one is known."""
        with self._lock:
            if self._process != os.getpid():
                # Threads do not survive a fork, and what was known about the parent's connections says nothing here.
                self._process, self._running, self._verdict = os.getpid(), None, None
            if self._running is not None:
                return self._running
            if self._verdict is not None and self._clock() - self._at < cache:
                return self._verdict
            done = self._running = threading.Event()
        try:
            threading.Thread(target=self._run, args=(done,), name=f"health {self.name}", daemon=True).start()
        except RuntimeError as error:  # there are too many; the next request tries again
            with self._lock:
                self._running = None
            done.set()
            return Verdict(f"cannot be run ({error})", 0.0)
        return done

    def finish(self, begun: Verdict | threading.Event, seconds: float) -> Verdict:
        """The verdict of what :meth:`begin` returned, awaited for at most ``seconds``."""
        if isinstance(begun, Verdict):
            return begun
        done = begun.wait(max(0.0, seconds))
        with self._lock:
            if done and self._verdict is not None:
                return self._verdict
        return Verdict("gave no answer in time", max(0.0, seconds))

    def _run(self, done: threading.Event) -> None:
        begun = self._clock()
        try:
            reason = "returned False" if self._check() is False else None
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a check raises is its way to say that it fails
            from ..protocol.secret_texts import (
                redact_text,  # its patterns take four milliseconds, and checks rarely fail
            )

            reason = redact_text(f"{type(error).__name__}: {error}")
        with self._lock:
            before = self._verdict.reason if self._verdict is not None else None
            self._at = self._clock()
            self._verdict = Verdict(reason, self._at - begun)
            self._running = None
        if reason != before:
            _tell(self.name, reason)
        done.set()


def _tell(name: str, reason: str | None) -> None:
    import logging  # five milliseconds, which only a check that changed its mind is worth

    log = logging.getLogger("wheatpaste.health")
    if reason is None:
        log.info("check %s passes again", name)
    else:
        log.warning("check %s fails: %s", name, reason)


@component
class Health:
    """Answer ``/livez`` and ``/readyz`` below the mount with 200, or 503 when this process should get no requests.

    A check is a function without arguments; it fails when it raises or returns ``False``. All checks run at the same
    time. The answer is ``ok`` or ``unavailable``, or JSON for clients that ask for it. Which check failed and why is
    told only to the peers named in ``details``, and to the log.
    """

    checks: tuple[Imported, ...] = option(
        default=(),
        doc="Functions that say whether this process is ready.",
        check=_checks_complaint,
        sample="myapp:check_db",
    )
    timeout: Seconds = option(
        default=5.0, doc="How long all checks together may take before they fail.", check=above(0)
    )
    cache: Seconds = option(
        default=1.0, doc="How long an answer counts before the checks run again.", check=at_least(0)
    )
    details: tuple[str, ...] = option(
        default=(),
        doc="Addresses and networks of the peers that are told which checks fail; nobody who comes through a proxy is.",
        check=each(network_complaint),
    )
    disable_by_file: Path | None = option(
        default=None,
        doc="While this file exists the process is not ready, so that it can be emptied before it is stopped.",
    )
    max_hung: int | None = option(
        default=None,
        doc="With so many hung threads this process is not ready; known under our own server and Paste's.",
        check=at_least(1),
    )
    root: Literal["ready", "live"] = option(
        default="ready", doc="What the mount itself answers: as /readyz or as /livez."
    )
    clock: Clock = field(default=time.monotonic, repr=False)
    _probes: tuple[Probe, ...] = field(init=False, repr=False, default=())
    _told: Networks = field(init=False, repr=False, default=Networks(()))

    def __post_init__(self) -> None:
        probes: dict[str, Probe] = {}
        for check in self.checks:
            name = _name_of(check)
            if name in probes:
                name = f"{name} ({len(probes) + 1})"
            probes[name] = Probe(name, check, self.clock)
        object.__setattr__(self, "_probes", tuple(probes.values()))
        object.__setattr__(self, "_told", Networks(self.details))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer GET and HEAD for ``/livez``, ``/readyz`` and the mount itself."""
        path: str = environ.get("PATH_INFO", "")
        if path == "/livez" or (path in ("", "/") and self.root == "live"):
            ready = False
        elif path == "/readyz" or path in ("", "/"):
            ready = True
        else:
            return not_found(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return method_not_allowed(environ, start_response, "GET", "HEAD")
        return self._report(environ, start_response, *(self._ready(environ) if ready else (False, {})))

    def _ready(self, environ: Environ) -> tuple[bool, dict[str, Verdict]]:
        if self.disable_by_file is not None and self.disable_by_file.exists():
            return True, {}
        deadline = time.monotonic() + self.timeout
        # All of them are started before the first is waited for.
        begun = [(probe, probe.begin(self.cache)) for probe in self._probes]
        hung = self._hung(environ)
        return False, {
            **({} if hung is None else {"threads": hung}),
            **{probe.name: probe.finish(each, deadline - time.monotonic()) for probe, each in begun},
        }

    def _hung(self, environ: Environ) -> Verdict | None:
        """Whether the threads of this process go on, where that is asked for and the server tells."""
        pool = environ.get("paste.httpserver.thread_pool")
        if self.max_hung is None or pool is None:
            return None
        count = len(pool.track_threads()["hung"])
        return Verdict(f"{count} of {pool.nworkers} hang" if count >= self.max_hung else None, 0.0)

    def _report(
        self, environ: Environ, start_response: StartResponse, draining: bool, verdicts: dict[str, Verdict]
    ) -> Body:
        failing = draining or any(verdict.reason is not None for verdict in verdicts.values())
        status = "503 Service Unavailable" if failing else "200 OK"
        detailed = self._may_know(environ)
        if wanted_form(environ, ("text", "json")) == "json" or "application/health+json" in environ.get(
            "HTTP_ACCEPT", ""
        ):
            report: dict[str, Any] = {"status": "fail" if failing else "pass"}
            if detailed:
                if draining:
                    report["output"] = "draining"
                report["checks"] = {name: _as_json(verdict) for name, verdict in verdicts.items()}
            import json  # for those who are told what failed

            body = json.dumps(report).encode() + b"\n"
            return answer(environ, start_response, status, body, "application/health+json", _HEADERS)
        lines = ["unavailable" if failing else "ok"]
        if detailed:
            if draining:
                lines.append("draining")
            lines += [f"{name}: {verdict.reason or 'ok'}" for name, verdict in verdicts.items()]
        text = "".join(f"{line}\n" for line in lines)
        return answer(environ, start_response, status, text.encode("utf-8", "replace"), TEXT, _HEADERS)

    def _may_know(self, environ: Environ) -> bool:
        # Behind a proxy every visitor of the world has the proxy's address: those are told nothing.
        return self._told.holds_peer(environ) and is_direct(environ)


def _as_json(verdict: Verdict) -> dict[str, Any]:
    result: dict[str, Any] = {
        "status": "pass" if verdict.reason is None else "fail",
        "seconds": round(verdict.seconds, 3),
    }
    if verdict.reason is not None:
        result["output"] = verdict.reason
    return result


def _name_of(check: Callable[[], object]) -> str:
    module, name = getattr(check, "__module__", None), getattr(check, "__qualname__", None)
    return f"{module}:{name}" if module and name else type(check).__qualname__


app_factory = make_app_factory(Health)

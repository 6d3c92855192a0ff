"""Options of the server that may stand, and will surprise whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..config.mounts import KeyProblem
from .settings import Settings


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        pass  # another user may see it
    return False


def advice(values: Mapping[str, Any]) -> Iterable[KeyProblem]:
    """What will surprise the deployer about options that may stand: warnings."""
    if values.get("expose_tracebacks"):
        yield KeyProblem("expose_tracebacks", "shows the source and the values of the app to every client", "remove it")
    if "*" in values.get("trusted_proxies", ()):
        yield KeyProblem(
            "trusted_proxies", "lets every client choose its address and scheme", "name the addresses of your proxies"
        )
    if values.get("underscore_headers") == "keep":
        yield KeyProblem(
            "underscore_headers", "lets clients write headers that only a proxy should", "remove it, or make it refuse"
        )
    for name in ("tls_certificate", "tls_key", "tls_client_ca", "tls_client_crl"):
        said = values.get(name) or ()
        for path in said if isinstance(said, tuple) else (said,):
            if _is_missing(path):
                yield KeyProblem(name, f"there is no file {path}", "name one that is there when the server starts")
    most, threads = values.get("max_hung"), values.get("threads", Settings().threads)
    if most is not None and most > threads:
        yield KeyProblem("max_hung", f"is never reached with {threads} threads", f"make it {threads} or less")
    if values.get("health_paths") and threads == 1:
        yield KeyProblem("health_paths", "wait like all others where there is one thread", "make threads 2 or more")

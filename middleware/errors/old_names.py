"""The error filters of Paste and WebError under their old names, in options of ours.

Old keys mean what they meant; what was a hole has a safe default and a warning that names the key which widens it.
What an old page could do and ours does otherwise is told in a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ...config.factories import FilterFactory, make_filter_factory
from ...config.mounts import KeyProblem
from ...config.options import OptionError
from ...config.problems import ConfigError
from ...config.reader import Reader, Reading
from ...config.translation import Translation
from ...config.values import module_object
from .catch_errors import CatchErrors

_ADMINISTRATORS = ("admin_email", "webmaster_email", "sysadmin_email")
_LOG = "errors.jsonl"
_INHERITED = {"error_email": _ADMINISTRATORS, "from_address": ("error_from_address",)}
_FROM_WEBERROR = {**_INHERITED, "reporters": ("error_reporters",)}
_OWN_PAGE = "the page for developers is one of our own"


def _advice(values: Mapping[str, Any]) -> Iterable[KeyProblem]:
    if values.get("debug") and not values.get("allow_peers"):
        yield KeyProblem(
            "debug",
            "details are shown to browsers at this machine alone, not to everybody",
            "others are named by `allow_peers = 192.168.1.0/24` and `allow_hosts = dev.example.com` (* for any)",
        )
    message = values.get("error_message") or ""
    if "<" in message and ">" in message:
        yield KeyProblem(
            "error_message",
            "is shown as plain text, its markup too",
            "write the sentence alone, or a page of your own as `template = error.html`",
        )
    if values.get("error_log") is not None:
        yield KeyProblem(
            "error_log", "holds one line of JSON for each error, not text", "`jq -r .line` prints what happened"
        )
    if values.get("smtp_password") and not values.get("smtp_use_tls"):
        yield KeyProblem(
            "smtp_use_tls", "is off, so the password goes to the mail server in clear", "write `smtp_use_tls = true`"
        )


def _eval_advice(values: Mapping[str, Any]) -> Iterable[KeyProblem]:
    yield from _advice(values)
    if values.get("debug") and not values.get("console"):
        yield KeyProblem(
            "console",
            "is off, so the page has no prompt",
            "`console = true` opens one to whoever can read the terminal",
        )


def _of_cgitb(values: Mapping[str, Any]) -> Iterable[KeyProblem]:
    return (each for each in _advice(values) if each.key != "error_log")  # which logdir has told of


# --- keys of WebError -------------------------------------------------------------------------------------------------


def _reporter_complaint(words: tuple[str, ...]) -> str | None:
    for word in words:
        try:
            module_object(word)
        except ValueError as error:
            return f"{word!r} {error}"
    return None


_REPORTERS = Translation(
    kind=tuple[str, ...],
    doc="Objects with report(record), as shop.alerts.Pager or shop.alerts:Pager; classes are called.",
    says=lambda words: {"reporters": tuple(map(module_object, words))},
    check=_reporter_complaint,
    remark=lambda words: "are given our records, not WebError's exc_data" if words else None,
)
_PREFIX = Translation(
    kind=str,
    doc="Where the kept errors are shown, without slashes at its ends.",
    says=lambda prefix: {"path": f"/{prefix.strip('/')}"},
    check=lambda prefix: None if prefix.strip("/") else "must not be empty",
    remark=lambda prefix: f"is `path = /{prefix.strip('/')}` now",
)
_INTERACTIVE = Translation(
    kind=bool,
    doc="Whether the page for developers is shown.",
    says=lambda interactive: {"debug": True} if interactive else {},
    remark=lambda interactive: (
        "is `debug = true` now, for browsers at this machine; `console = true` adds the prompt" if interactive else None
    ),
)
_NO_REASON = "the reason is for developers: `debug = true` shows it to those whom allow_peers names"
_EVAL_IGNORED = {
    "error_template_filename": f"{_OWN_PAGE}; `template` is for the one that users see",
    "media_paths": _OWN_PAGE,
    "templating_formatters": "lines of Mako, Jinja2 and Chameleon templates are shown by themselves",
    "head_html": _OWN_PAGE,
    "footer_html": _OWN_PAGE,
    "libraries": "the versions of all distributions in a traceback are shown",
}


class _WebErrorFactory(FilterFactory):
    """Takes WebError's default for the sender, too: the first of those who get mail."""

    def _read(
        self, global_conf: Mapping[str, str] | None, texts: Mapping[str, str]
    ) -> tuple[Reading, Callable[[OptionError | ConfigError], ConfigError]]:
        reading, refuse = super()._read(global_conf, texts)
        if reading.values.get("error_email"):
            reading.values.setdefault("from_address", reading.values["error_email"][0])
        return reading, refuse


# --- keys of Paste's cgitb --------------------------------------------------------------------------------------------

_CGITB: dict[str, Translation] = {
    "display": Translation(
        kind=bool, doc="Whether the page for developers is shown.", says=lambda shown: {"debug": shown}
    ),
    "logdir": Translation(
        kind=Path,
        doc="The folder of a file for reports.",
        says=lambda folder: {"error_log": folder / _LOG},
        remark=lambda folder: f"gets one file for all errors, {_LOG}, with one line of JSON for each",
    ),
    "context": Translation(
        kind=int,
        doc="Lines of source around the one that failed, counted together.",
        says=lambda lines: {"context": min(max(lines // 2, 0), 100)},
    ),
}


# --- the factories ----------------------------------------------------------------------------------------------------

# What everybody swallowed is a warning: unknown keys were never named.
paste_error_catcher = make_filter_factory(
    CatchErrors, defaults={"xmlhttp_key": "_"}, inherited=_INHERITED, unknown="warning", advice=_advice
)
paste_evalerror = make_filter_factory(
    CatchErrors,
    defaults={"xmlhttp_key": "_", "debug": True},
    inherited=_INHERITED,
    unknown="warning",
    advice=_eval_advice,
)
paste_cgitb = make_filter_factory(
    CatchErrors,
    translations=_CGITB,
    ignored={"format": "each client gets the form that it asks for"},
    unknown="warning",
    advice=_of_cgitb,
)
weberror_error_catcher = _WebErrorFactory(
    Reader(
        component=CatchErrors,
        defaults={"xmlhttp_key": "_"},
        translations={"reporters": _REPORTERS},
        ignored={"show_error_reason": _NO_REASON},
        inherited=_FROM_WEBERROR,
        unknown="warning",
        advice=_advice,
    )
)
weberror_evalerror = _WebErrorFactory(
    Reader(
        component=CatchErrors,
        defaults={"xmlhttp_key": "_", "debug": True},
        translations={"reporters": _REPORTERS, "debug_url_prefix": _PREFIX},
        ignored=_EVAL_IGNORED,
        inherited=_FROM_WEBERROR,
        unknown="warning",
        advice=_eval_advice,
    )
)
weberror_main = _WebErrorFactory(
    Reader(
        component=CatchErrors,
        defaults={"xmlhttp_key": "_"},
        translations={"reporters": _REPORTERS, "debug_url_prefix": _PREFIX, "interactive": _INTERACTIVE},
        ignored={"show_error_reason": _NO_REASON, **_EVAL_IGNORED},
        inherited=_FROM_WEBERROR,
        unknown="warning",
        advice=_advice,
    )
)

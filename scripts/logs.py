"""Logging, as the INI file says it in ``[loggers]`` and its companions, or plainly on stderr."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..config.problems import ConfigError, Problem

if TYPE_CHECKING:
    from ..config.composition import Composition
    from ..config.ini import Option, Section

_ENVIRONMENT = r"%\(ENV_(?P<name>[^):]+)(?::-(?P<default>[^)]*))?\)s"
_PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up_logging(composition: Composition | None, variables: Mapping[str, str], verbosity: int = 0) -> None:
    """Configure logging. Loggers that exist stay enabled. Raises ``ConfigError`` when the sections are wrong.

    ``variables``, ``here`` and ``__file__`` can be interpolated. Without ``[loggers]`` warnings go to stderr; each
    step of ``verbosity`` shows one level more, or less.
    """
    file = None if composition is None else composition.file
    if file is None or "loggers" not in file.sections:
        levels = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
        logging.basicConfig(level=levels[max(0, min(4, 2 + verbosity))], format=_PLAIN)
        return
    import configparser
    from logging.config import fileConfig  # 20 ms, which sites without [loggers] need not pay

    parser = configparser.ConfigParser(strict=False)
    here = {"__file__": file.path, "here": os.path.dirname(file.path)}
    parser.read_dict(
        {
            "DEFAULT": {**_escaped(here), **_texts(file.defaults), **_escaped(variables)},
            **{header: _texts(section) for header, section in file.sections.items() if _is_about_logging(section)},
        }
    )
    try:
        fileConfig(parser, disable_existing_loggers=False)
    except Exception as error:
        # Handlers are classes of anybody's and may fail in any way; which key is to blame they do not say.
        what = f"logging cannot be set up ({type(error).__name__}: {error})"
        section = file.sections["loggers"]
        raise ConfigError(
            Problem(
                what=what,
                fix="correct this section, or those of the handlers and formatters that it names",
                file=section.file,
                line=section.line,
                section="loggers",
                code="logging",
            )
        ) from error


def leave_out(told: Iterable[Problem]) -> None:
    """Keep warnings that were shown before the start out of the log, where factories would write them once more."""
    known = {(each.line, each.key, each.code) for each in told}  # not the text: paths in it may be absolute

    def is_new(record: logging.LogRecord) -> bool:
        problem = record.args[0] if isinstance(record.args, tuple) and record.args else None
        return not isinstance(problem, Problem) or (problem.line, problem.key, problem.code) not in known

    logging.getLogger("wheatpaste.config.factories").addFilter(is_new)


def _is_about_logging(section: Section) -> bool:
    return section.header.startswith(("logger", "handler", "formatter"))


def _texts(section: Section) -> dict[str, str]:
    """The section's texts with the environment's values in them. Raises ``ConfigError`` for a variable that is not set.

    The format of a formatter is not interpolated.
    """
    if section.header.startswith("formatter"):
        return {option.key: option.text for option in section.options.values()}
    return {option.key: _with_environment(option) for option in section.options.values()}


def _with_environment(option: Option) -> str:
    return re.sub(_ENVIRONMENT, lambda found: _from_environment(found, option), option.text)


def _from_environment(found: re.Match[str], option: Option) -> str:
    value = os.environ.get(found["name"], found["default"])
    if value is None:
        raise ConfigError(
            Problem(
                what=f"the environment variable {found['name']} is not set",
                fix=f"set it, or give a default: %(ENV_{found['name']}:-default)s",
                file=option.file,
                line=option.line,
                key=option.key,
                code="environment",
            )
        )
    return value.replace("%", "%%")


def _escaped(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value.replace("%", "%%") for key, value in values.items()}

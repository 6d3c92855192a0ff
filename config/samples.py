"""Sections that load, made from what components declare: for ``describe`` and the reference pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from .options import Option, OptionError
from .reader import Reader
from .records import fields_of
from .values import is_import, parse


def sample_lines(reader: Reader) -> Iterator[str]:
    """The keys that a section needs so that it loads, with values."""
    for key, text in sample_values(reader).items():
        yield f"{key} = {text}".rstrip()
    if reader.mounts is not None:
        yield from sample_mounts(reader)
    if reader.family is not None:
        yield from map(" = ".join, (reader.family.sample, *reader.family.beside))


def sample_choices(reader: Reader) -> list[str]:
    """Keys that a section may have, where it needs none: those for which there is an example to give."""
    return [f"{each.name} = {each.sample}" for each in reader.options if each.sample and not each.secret]


def sample_values(reader: Reader) -> Mapping[str, str]:
    """The texts of the options among them."""
    options = {option.name: option for option in reader.options}
    shown = {
        option.name: option.sample or _first_choice(option) or option.name.upper()
        for option in options.values()
        if option.required and option.name not in reader.defaults
    }
    if reader.mounts is not None or reader.parts is not None:
        return shown  # it needs more than options to be made
    # A rule that joins several options may want one that is not required by itself: the component says which.
    for _ in options:
        wanted = _complaint_about(reader.component, shown, options)
        sample = options[wanted].sample if wanted in options else None
        if wanted is None or wanted in shown or not sample:
            break
        shown[wanted] = sample
    return shown


def sample_value(text: str, option: Option) -> Any:
    """The value that a sample's text means; an object that would have to be imported stays text."""
    return option.parse(text) if option.parse is not None else parse(text, option.kind, importing=False)


def sample_mounts(reader: Reader) -> tuple[str, ...]:
    """The keys of a composite that name apps: by path where it knows paths, otherwise one after the other."""
    if reader.mounts is None:
        return ()
    by_path = {"/": "egg:wheatpaste#echo", "/health": "egg:wheatpaste#health"}
    _, wrong = reader.mounts(by_path)
    shown = by_path if not wrong else {"app1": "egg:wheatpaste#health", "app2": "egg:wheatpaste#echo"}
    return tuple(f"{key} = {app}" for key, app in shown.items())


def _first_choice(option: Option) -> str | None:
    return str(get_args(option.kind)[0]) if get_origin(option.kind) is Literal else None


def _complaint_about(component: type, texts: Mapping[str, str], options: Mapping[str, Option]) -> str | None:
    """The option that the component wants otherwise when made with these values, or None."""
    if any(is_import(options[name].kind) for name in texts):
        return None
    try:
        values = {name: sample_value(text, options[name]) for name, text in texts.items()}
    except ValueError:
        return None  # an option that has no sample, and whose name is none
    try:
        if any(each.name == "app" for each in fields_of(component)) and "app" not in options:
            component(lambda environ, start_response: [], **values)
        else:
            component(**values)
    except OptionError as error:
        return error.option
    return None

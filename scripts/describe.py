"""``wheatpaste describe``: what is installed that an INI file can name, and what each takes."""

from __future__ import annotations

import shutil
import sys
import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from ..config.describe import KINDS, Described, DescribedPart, Key, catalogue, look_up, suggestion
from .terminal import Terminal, printable

_TITLES = {"app": "apps", "composite": "composites", "filter": "filters", "server": "servers"}
_NARROWEST, _WIDEST = 60, 110


def arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a name such as static, egg:Paste#static, a distribution, or filters"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="write a reference page for each component of ours")
    parser.add_argument("--into", metavar="FOLDER", help="where --markdown writes its pages")
    parser.add_argument(
        "--check", action="store_true", help="with --markdown: write nothing, say which pages are stale"
    )


def run(options: Namespace) -> int:
    """Describe. Returns 1 for a name that nothing has and for stale pages, 2 when an option lacks its companion."""
    terminal = Terminal()
    known = catalogue()
    if options.markdown:
        if options.into is None or options.names:
            terminal.error("--markdown takes --into FOLDER, and no names")
            return 2
        return _pages(known, Path(options.into), terminal, check=options.check)
    if options.into is not None or options.check:
        terminal.error("--into and --check belong to --markdown")
        return 2
    chosen: list[Described] = []
    for name in options.names:
        found = look_up(name, known)
        if not found:
            hint = suggestion(name, known) or "`wheatpaste describe` lists what is"
            terminal.error(f"nothing that is installed is called {name!r}; {hint}")
            return 1
        chosen += [each for each in found if each not in chosen]
    if options.json:
        import json

        print(json.dumps([each.as_data() for each in chosen or known], indent=2))
        return 0
    out = Terminal(sys.stdout)
    if not chosen or (len(chosen) > 1 and _is_overview(options.names, chosen)):
        for line in _table(chosen or known, out):
            out.line(line)
    else:
        for number, each in enumerate(chosen):
            if number:
                out.line()
            for line in detail(each, known, out):
                out.line(line)
    return 0


def _is_overview(names: list[str], chosen: list[Described]) -> bool:
    """Whether names stand for groups, a kind or a distribution, rather than for components."""
    return any(name not in (each.name, each.use) for name in names for each in chosen) and len(names) == 1


def _width(out: Terminal) -> int | None:
    """How wide to print; None for files, which have no edge."""
    if not out.stream.isatty():
        return None
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def _table(chosen: list[Described], out: Terminal) -> Iterator[str]:
    column = max(len(each.use) for each in chosen)
    width = _width(out)
    for number, kind in enumerate(kind for kind in KINDS if any(each.kind == kind for each in chosen)):
        if number:
            yield ""
        yield out.paint(_TITLES[kind].upper(), "bold")
        for each in chosen:
            if each.kind != kind:
                continue
            summary = _plain(f"the old name of {each.stands_for}" if each.stands_for else each.summary or each.note)
            if width is not None and len(summary) > width - column - 4:
                summary = summary[: width - column - 5].rstrip() + "…"
            name = out.paint(each.use, "cyan") if each.ours else each.use
            text = summary if each.ours else out.paint(summary, "dim")
            yield f"  {name}{' ' * (column - len(each.use))}  {text}".rstrip()
    if len(chosen) > 1:
        yield ""
        yield out.paint("wheatpaste describe NAME tells what one of them takes.", "dim")


def detail(each: Described, known: list[Described], out: Terminal) -> Iterator[str]:
    """The lines about one component; ``known`` are all, for its namesakes."""
    width = min(_width(out) or _WIDEST, _WIDEST)
    yield f"{out.paint(each.use, 'bold', 'cyan')}  {out.paint(f'{each.kind}, {each.target}', 'dim')}"
    if each.stands_for:
        yield from textwrap.wrap(f"An old name. A new section says use = {each.stands_for}", width)
    if each.doc:
        yield ""
        yield from _wrapped(each.doc, width)
    if each.note:
        yield ""
        yield from textwrap.wrap(each.note, width)
    yield from _keys(each, "options", width, out)
    if each.any_key:
        yield ""
        other = (
            "Any other key is accepted, too." if each.keys else "Any key is accepted; it does not say which it knows."
        )
        yield "  Every other key mounts an app." if each.mounts else f"  {other}"
    elif not each.keys and not each.note:
        yield ""
        yield "  It takes no options."
    for part in each.parts:
        yield ""
        header = out.paint(f"[{part.header}]", "bold", "cyan")
        yield f"{header}  {out.paint('required', 'dim')}" if part.required else header
        yield from _wrapped(part.doc, width)
        yield from _keys(part, "", width, out)
    yield ""
    yield out.paint("SAMPLE", "bold")
    yield from (f"  {line}".rstrip() for line in each.sample.splitlines())
    same = [other.use for other in known if other.name == each.name and other.use != each.use]
    if each.ours and same:
        yield ""
        yield from textwrap.wrap(f"Also installed: {', '.join(same)}", width, break_on_hyphens=False)


def _keys(each: Described | DescribedPart, title: str, width: int, out: Terminal) -> Iterator[str]:
    for heading, keys in (
        (title, [key for key in each.keys if not (key.ignored or key.translated)]),
        ("keys of other programs", [key for key in each.keys if key.translated]),
        ("ignored", [key for key in each.keys if key.ignored]),
    ):
        if keys:
            yield ""
            if heading:
                yield out.paint(heading.upper(), "bold")
            for key in keys:
                yield from _key(key, width, out)


def _key(key: Key, width: int, out: Terminal) -> Iterator[str]:
    facts = [key.kind] if key.kind else []
    if key.required:
        facts.append("required")
    elif key.default and not key.secret:
        facts.append(f"default {key.default}")
    if key.secret:
        facts.append("secret")
    if key.inherits:
        facts.append("also from [DEFAULT]")
    if key.also:
        facts.append(f"also {', '.join(key.also)}")
    yield f"  {out.paint(key.name, 'cyan')}  {out.paint('; '.join(_one_line(fact) for fact in facts), 'dim')}".rstrip()
    text = _plain(key.doc) if not key.ignored else f"Does nothing: {_plain(key.ignored)}"
    yield from textwrap.wrap(text, width, initial_indent="      ", subsequent_indent="      ", break_on_hyphens=False)


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 70 else f"{flat[:69]}…"


def _wrapped(text: str, width: int) -> Iterator[str]:
    """A docstring's paragraphs; what is indented, or a list, keeps its lines."""
    for number, paragraph in enumerate(_plain(text).split("\n\n")):
        if number:
            yield ""
        lines = paragraph.splitlines()
        if any(line[:1] in (" ", "*", "-", "=") for line in lines):
            yield from lines
        else:
            yield from textwrap.wrap(" ".join(lines), width, break_on_hyphens=False)


def _plain(text: str) -> str:
    """Docstrings mark code with two backquotes; a terminal needs none, and obeys no control characters of others."""
    return printable(text.replace("``", "`"))


def _pages(known: list[Described], folder: Path, terminal: Terminal, *, check: bool) -> int:
    from .reference_pages import pages, stale, write

    wanted = pages(known)
    if check:
        old = stale(wanted, folder)
        for name in old:
            terminal.line(f"{folder / name}: this page is stale")
        if old:
            terminal.line(f"write them with: wheatpaste describe --markdown --into {folder}")
        return 1 if old else 0
    try:
        changed = write(wanted, folder)
    except OSError as error:
        terminal.error(f"{folder} cannot be written: {error.strerror}")
        return 1
    for name in changed:
        print(folder / name)
    return 0

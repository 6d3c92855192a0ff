"""Read INI text into sections and options that know their lines.

The syntax is that of :mod:`configparser` as PasteDeploy uses it: keys keep their case, ``=`` and ``:`` both
delimit, indented lines continue a value, whole-line ``#`` and ``;`` comments, nothing stripped after a value. It
differs where that helps and cannot hurt: all mistakes are reported at once, a byte order mark is ignored, the text is
UTF-8 whatever the locale, and a key that is a URL (``http://host/path = app``) is cut at its ``=``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator

from .problems import Problem

MAX_BYTES = 16 * 1024 * 1024
"""A larger file is refused unread: nobody writes one by hand, and a mistyped path may name anything."""

DEFAULT = "DEFAULT"

# Keys whose first colon belongs to them. Cut at it, they would be the key "http" or "domain [".
_URL_KEY = r"(?i:https?://|domain\s+\[)[^=]*="


class Option:
    """One ``key = value``: the raw text, not interpolated, and where it stands.

    ``lines`` is the line number of each part of ``text.split("\\n")``. ``over`` is the option of an extended file that
    this one replaced, if any.
    """

    __slots__ = ("_lines", "file", "key", "line", "over", "text")

    def __init__(
        self, key: str, text: str, line: int, file: str, lines: list[int] | None = None, over: Option | None = None
    ) -> None:
        self.key = key
        self.text = text
        self.line = line
        self.file = file
        self._lines = lines
        self.over = over

    @property
    def lines(self) -> list[int]:
        """The line number of each physical line of the value."""
        return [self.line] if self._lines is None else self._lines

    def words(self) -> Iterator[tuple[str, int]]:
        """The whitespace-separated words of the raw text, each with its line."""
        for part, line in zip(self.text.split("\n"), self.lines, strict=False):
            for word in part.split():
                yield word, line

    def __repr__(self) -> str:
        return f"<Option {self.key} at {self.file}:{self.line}>"


class Section:
    """A ``[header]`` and its options, in order.

    ``prefix`` is what stands before the first colon, ``name`` what stands after it without the spaces around, or None
    where there is no colon. ``parts`` holds (file, line) of each header that contributed: several when files extend
    each other.
    """

    __slots__ = ("file", "header", "line", "name", "options", "parts", "prefix")

    def __init__(self, header: str, line: int, file: str) -> None:
        self.header = header
        prefix, colon, name = header.partition(":")
        self.prefix = prefix
        self.name = name.strip() if colon else None
        self.line = line
        self.file = file
        self.options: dict[str, Option] = {}
        self.parts: tuple[tuple[str, int], ...] = ((file, line),)

    def __repr__(self) -> str:
        return f"<Section [{self.header}] at {self.file}:{self.line}>"


class IniFile:
    """What stands in a file: ``sections`` by header, ``defaults`` (``[DEFAULT]``) and the ``problems`` of its syntax.

    ``path`` is absolute. Iterate ``sections.values()``: ``[DEFAULT]`` is not among them.
    """

    __slots__ = ("_index", "_named", "defaults", "path", "problems", "sections", "text")

    def __init__(self, path: str, text: str = "") -> None:
        self.path = path
        self.text = text
        self.sections: dict[str, Section] = {}
        self.defaults = Section(DEFAULT, 0, path)
        self.problems: list[Problem] = []
        self._index: dict[tuple[str, str | None], list[Section]] = {}
        self._named: dict[str | None, list[Section]] = {}

    def add(self, section: Section) -> None:
        """Add a section whose header is new to the file."""
        self.sections[section.header] = section
        self._index.setdefault((section.prefix, section.name), []).append(section)
        self._named.setdefault(section.name, []).append(section)

    def find(self, prefix: str, name: str | None) -> list[Section]:
        """The sections ``[prefix:name]``, however spaced; with ``name`` None the bare ``[prefix]``."""
        return self._index.get((prefix, name), [])

    def named(self, name: str | None) -> list[Section]:
        """The sections of this name, whatever their prefix."""
        return self._named.get(name, [])

    def names(self, prefixes: Iterable[str]) -> list[str]:
        """The names of all sections with one of these prefixes, in file order."""
        wanted = set(prefixes)
        return [each.name or "main" for each in self.sections.values() if each.prefix in wanted]

    def __repr__(self) -> str:
        return f"<IniFile {self.path}, {len(self.sections)} sections>"


def read(text: str, path: str) -> IniFile:
    """Parse ``text``; ``path`` is only for messages and origins. Never raises: mistakes are in ``.problems``."""
    file = IniFile(path, text)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        file.problems.append(_binary(path, line))
        return file
    if text.startswith("\ufeff"):
        text = text[1:]
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    _parse(text, file)
    return file


def _parse(text: str, file: IniFile) -> None:
    path = file.path
    sections = file.sections
    problems = file.problems
    section: Section | None = None
    options: dict[str, Option] = {}
    option: Option | None = None
    indent = 0
    headless = False
    texts: list[str] | None = None
    numbers: list[int] = []
    continued: list[tuple[Option, list[str], list[int]]] = []
    blank: list[int] = []  # blank lines that belong to the value if more of it follows

    def complain(line: int, what: str, fix: str, code: str, key: str | None = None) -> None:
        header = None if section is None else section.header
        problems.append(Problem(what=what, fix=fix, file=path, line=line, section=header, key=key, code=code))

    for number, line in enumerate(text.split("\n"), 1):
        value = line.strip()
        if not value:
            if option is not None:
                blank.append(number)
            continue
        first = value[0]
        if first == "#" or first == ";":
            continue
        depth = 0 if line[0] == first else len(line) - len(line.lstrip())
        if depth > indent and option is not None:
            if texts is None:
                texts, numbers = [option.text], [option.line]
                continued.append((option, texts, numbers))
            texts += [*[""] * len(blank), value]
            numbers += [*blank, number]
            if blank:
                blank = []
            continue
        texts = None
        if blank:
            blank = []
        indent = depth
        if first == "[" and (end := value.rfind("]")) > 1:
            header = value[1:end]
            option = None
            known = sections.get(header)
            if header == DEFAULT:
                section = file.defaults
                section.line = section.line or number
                section.parts = ((path, section.line),)
            elif known is None:
                section = Section(header, number, path)
                file.add(section)
            else:
                # Its options are read apart, so that their own mistakes show as well.
                section = Section(header, number, path)
                complain(
                    number,
                    f"this section stands twice, first at line {known.line}",
                    "join the two",
                    "duplicate-section",
                )
            options = section.options
            continue
        if section is None:
            if not headless:
                what, fix = "this line stands before the first [section]", "write a header such as [DEFAULT] above it"
                if first == "[":
                    what, fix = "this section header has no ']'", f"write {value.rstrip()}]"
                complain(number, what, fix, "no-section")
                headless = True
            continue
        cut, colon = value.find("="), value.find(":")
        if cut < 0 or 0 <= colon < cut:
            cut = colon
        if cut < 0:
            fix = "write 'key = value', or indent the line if it continues the value above"
            complain(number, "there is no '=' or ':' in this line", fix, "no-delimiter")
            continue
        if value[cut] == ":" and cut < 12 and (url := re.match(_URL_KEY, value)):
            cut = url.end() - 1
        key = value[:cut].rstrip()
        if not key:
            complain(number, "there is no key before the delimiter", "write 'key = value'", "no-key")
            option = None
            continue
        option = Option(key, value[cut + 1 :].lstrip(), number, path)
        if key in options:
            fix = "remove one of them"
            complain(number, f"this key stands twice, first at line {options[key].line}", fix, "duplicate-key", key)
        else:
            options[key] = option
    for each, texts, numbers in continued:
        each.text = "\n".join(texts)
        each._lines = numbers


def _binary(path: str, line: int | None = None) -> Problem:
    return Problem(what="this is not a text file", fix="name an INI file", file=path, line=line, code="not-text")


def read_path(path: str, on_file: Callable[[str], object] | None = None) -> IniFile:
    """Read the file at ``path`` (made absolute). ``on_file(path)`` is called before it is opened.

    Never raises for what the path may be: a missing file, a directory, one that may not be read, is too large or is not
    UTF-8 text comes back empty, with the problem.
    """
    path = os.path.abspath(path)
    if on_file is not None:
        on_file(path)
    file = IniFile(path)

    def refuse(what: str, fix: str, code: str, line: int | None = None) -> IniFile:
        file.problems.append(Problem(what=what, fix=fix, file=path, line=line, code=code))
        return file

    try:
        # A shell's <(…) is a pipe of the system's; any other would be waited for without end.
        if stat.S_ISFIFO(os.stat(path).st_mode) and not path.startswith(("/dev/", "/proc/")):
            return refuse("this is a pipe, not a file", "name an INI file", "not-a-file")
        with open(path, "rb") as stream:
            found = os.fstat(stream.fileno())
            size = found.st_size if stat.S_ISREG(found.st_mode) else 0
            data = b"" if size > MAX_BYTES else stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return refuse("there is no such file", _neighbour(path), "missing-file")
    except IsADirectoryError:
        return refuse("this is a directory", "name an INI file in it", "not-a-file")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return refuse(f"the file cannot be read ({reason})", "", "unreadable-file")
    if max(size, len(data)) > MAX_BYTES:
        return refuse(f"the file is larger than {MAX_BYTES >> 20} MB", "this can hardly be an INI file", "too-large")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return refuse("the file is UTF-16", "save it as UTF-8", "not-utf-8")
    data = data.removeprefix(b"\xef\xbb\xbf")  # the mark that some editors begin UTF-8 with
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if b"\0" in data:
            file.problems.append(_binary(path))
            return file
        line = data.count(b"\n", 0, error.start) + 1
        return refuse(f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8", "not-utf-8", line)
    return read(text, path)


def _neighbour(path: str) -> str:
    """Name the file that was most likely meant, from those beside it."""
    from .problems import nearest

    folder, name = os.path.split(path)
    try:
        with os.scandir(folder) as entries:
            beside = [
                entry.name
                for entry, _ in zip(entries, range(2000), strict=False)
                if entry.name.endswith((".ini", ".conf"))
            ]
    except OSError:
        return f"nor is there a directory {folder}"
    near = nearest(name, beside)
    return f"did you mean {near!r}?" if near else "check the path"

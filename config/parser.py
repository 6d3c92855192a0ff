"""The ConfigParser that PasteDeploy's loaders carry, for software that reads sections through it."""

from __future__ import annotations

from collections.abc import Mapping
from configparser import ConfigParser, Error
from typing import Any

from .ini import DEFAULT, IniFile, Option, Section


class NicerConfigParser(ConfigParser):
    """A ConfigParser that knows its file: it names it in errors, and its ``defaults()`` are interpolated."""

    def __init__(self, filename: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.filename = filename

    @classmethod
    def of(cls, filename: str, file: IniFile | None, defaults: Mapping[str, Option]) -> NicerConfigParser:
        """A parser that holds a file already read, keys in their own case, with the given ``[DEFAULT]``."""
        parser = cls(filename)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        raw: Any = parser
        for key, option in defaults.items():
            raw._defaults[key] = option.text
        for section in file.sections.values() if file is not None else ():
            # Past set() and add_section(), which refuse what a file may hold ("%" alone, a section called default).
            parser.add_section(section.header)
            for key, option in section.options.items():
                raw._sections[section.header][key] = option.text
        return parser

    def defaults(self) -> dict[str, str]:
        """``[DEFAULT]``, interpolated; what becomes empty stays as written."""
        return {key: self.get(DEFAULT, key) or value for key, value in super().defaults().items()}

    def get(self, section: str, option: str, **options: Any) -> Any:  # type: ignore[override]
        """As ConfigParser's, with the file's name in the errors of interpolation."""
        try:
            return super().get(section, option, **options)
        except Error as error:
            note = f"Error in file {self.filename}: "
            if not str(error).startswith(note):
                error.args = (f"{note}{error}", *error.args[1:])
                error.message = error.args[0]
            raise


def ini_file(parser: ConfigParser, path: str) -> IniFile:
    """What a parser holds, as an :class:`IniFile` without line numbers."""
    raw: Any = parser
    file = IniFile(path)
    for key, text in raw._defaults.items():
        file.defaults.options[key] = Option(key, text, 0, path)
    for header, options in raw._sections.items():
        section = Section(header, 0, path)
        for key, text in options.items():
            section.options[key] = Option(key, text or "", 0, path)
        file.add(section)
    return file

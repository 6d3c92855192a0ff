"""Find the section that a factory is being called for, when the loader that calls it does not say.

Plain PasteDeploy hands over ``__file__`` and the text of the keys, nothing else. When something is wrong, and only
then, the file is read again: if exactly one section holds the keys, messages can name its lines.
"""

from __future__ import annotations

from collections.abc import Mapping

from .ini import Section, read_path
from .origin import BuildSite, Origin


def site_of(global_conf: Mapping[str, str], texts: Mapping[str, str]) -> BuildSite | None:
    """The place of the section that holds the keys ``texts``, or None when it cannot be told."""
    path = global_conf.get("__file__")
    if not path or not texts:
        return None
    file = read_path(path)
    holders = [section for section in file.sections.values() if all(key in section.options for key in texts)]
    if len(holders) > 1:
        # Interpolated values differ from the raw text, so equal text can only choose, not exclude.
        same = [each for each in holders if all(each.options[key].text == text for key, text in texts.items())]
        holders = same or holders
    if len(holders) != 1:
        return None
    (section,) = holders
    return BuildSite(_origin(section), {key: _origin(section, section.options[key].line) for key in texts})


def _origin(section: Section, line: int | None = None) -> Origin:
    return Origin(file=section.file, line=line or section.line, section=section.header)

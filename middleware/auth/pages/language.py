"""The languages of the pages: one catalogue each, whose keys are the English sentences.

A folder of templates may hold further ones, ``fr.json``: they add a language or replace sentences of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from ....protocol.headers import parse_qualities
from ..sentence import Sentence

_OURS = ("de",)
_LONGEST_HEADER = 500


class Catalogue(NamedTuple):
    """Sentences in one language; one that is not in it stays English. ``language`` is its tag (RFC 5646)."""

    language: str
    sentences: Mapping[str, str]

    def __call__(self, sentence: str, **values: object) -> str:
        """The sentence in this language, with ``%(name)s`` filled in. A ``Sentence`` brings its values along."""
        if isinstance(sentence, Sentence):
            values = {**sentence.values, **values}
            sentence = sentence.template
        found = self.sentences.get(sentence, sentence)
        return found % values if values else found


ENGLISH = Catalogue("en", {})


def catalogue_for(accept_language: str, folder: Path | None = None) -> Catalogue:
    """The catalogue that a browser likes best (``Accept-Language``, RFC 9110 section 12.5.4), English if none."""
    known = catalogues(folder)
    best, best_quality = ENGLISH, 0.0
    for tag, quality in parse_qualities(accept_language[:_LONGEST_HEADER]).items():
        found = known.get(tag.lower().partition("-")[0])
        if found is not None and quality > best_quality:
            best, best_quality = found, quality
    return best


@lru_cache(maxsize=8)
def catalogues(folder: Path | None = None) -> dict[str, Catalogue]:
    """All catalogues by their languages. Raises ``ValueError`` for a file of the folder that is none."""
    here = files(__package__).joinpath("locale")
    found = {name: _read(here.joinpath(f"{name}.json").read_text("utf-8")) for name in _OURS}
    if folder is not None:
        for path in sorted(folder.glob("*.json")):
            found[path.stem.lower()] = {**found.get(path.stem.lower(), {}), **_read(path.read_text("utf-8"))}
    return {"en": ENGLISH, **{name: Catalogue(name, sentences) for name, sentences in found.items()}}


def _read(text: str) -> dict[str, str]:
    read = json.loads(text)
    if not isinstance(read, dict) or not all(isinstance(value, str) for value in read.values()):
        raise ValueError("a catalogue is an object of sentences")
    return read

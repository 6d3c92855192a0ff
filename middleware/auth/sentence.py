"""A sentence for a user, which can be said in another language."""

from __future__ import annotations

from collections.abc import Mapping


class Sentence(str):
    """A sentence in English, for whoever reads it as text.

    ``template`` is the same sentence as catalogues of translations know it, with ``%(name)s`` or ``%(name)d`` for each
    of ``values``.
    """

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Sentence:
        """The sentence with its values."""
        made = super().__new__(cls, template % values if values else template)
        made.template, made.values = template, values
        return made

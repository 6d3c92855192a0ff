"""All users of a site, from all the sources that its configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack

from .account import Account, Closing, Source
from .names import composed


class Directory:
    """The sources in the order in which they are asked; the first that knows a name has it.

    ``complete`` adds to an account what is known of it elsewhere, whatever its source: roles that were granted here,
    a second factor. It is called for each account that is found, so it has to be quick. ``lent`` is a source that a
    module of the site's own holds, which is not ours to close.

    Every method raises ``StoreError`` when a source cannot be read: a user of a source behind it could otherwise be
    taken for another of the same name.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        complete: Callable[[Account], Account] | None = None,
        *,
        lent: object = None,
    ) -> None:
        self.sources = tuple(sources)
        self._by_name = {each.name: each for each in self.sources}
        if len(self._by_name) != len(self.sources):
            raise ValueError("two sources have one name")
        self._complete = complete
        self._lent = lent

    def find(self, name: str) -> Account | None:
        """The account that logs in under this name, whatever letters of it are capitals."""
        wanted = composed(name)
        if wanted is None:
            return None
        for source in self.sources:
            account = source.find(wanted)
            if account is not None:
                return self._completed(account)
        return None

    def get(self, account_id: str) -> Account | None:
        """The account with this id, or None if it, or its source, is gone."""
        source = self._by_name.get(account_id.partition(":")[0])
        account = None if source is None else source.get(account_id)
        return None if account is None else self._completed(account)

    def source_of(self, account: Account) -> Source | None:
        """Where the account is kept; None if its source is not among these."""
        return self._by_name.get(account.source)

    def source(self, name: str) -> Source | None:
        """The source of this name, such as ``local``."""
        return self._by_name.get(name)

    def close(self) -> None:
        """Let go of the sources' connections. They are opened again by the next question."""
        with ExitStack() as ending:
            for each in self.sources:
                if isinstance(each, Closing) and each is not self._lent:
                    ending.callback(each.close)

    def _completed(self, account: Account) -> Account:
        return account if self._complete is None else self._complete(account)

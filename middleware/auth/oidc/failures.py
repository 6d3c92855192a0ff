"""What can go wrong between us and a provider. None of these texts holds a secret, and none is shown to visitors."""

from __future__ import annotations


class Unreachable(Exception):
    """The provider cannot be asked just now, or answers with nonsense: nothing is known, and it may be tried again."""


class Untrue(Exception):
    """What was presented is not what it should be. The text is a few words for the audit log."""


class Refused(Exception):
    """The provider says no: to a code, to a refresh token, to an access token."""

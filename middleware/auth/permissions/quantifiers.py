"""``All`` and ``Any`` of a list of permissions, however long it is."""

from __future__ import annotations

from .permission import And, Everyone, Nobody, Or, Permission


def All(*permissions: Permission) -> Permission:
    """All of them together; of one that one, of none everyone may."""
    return And(*permissions) if len(permissions) > 1 else permissions[0] if permissions else Everyone()


def Any(*permissions: Permission) -> Permission:
    """Any of them; of one that one, of none nobody may."""
    return Or(*permissions) if len(permissions) > 1 else permissions[0] if permissions else Nobody()

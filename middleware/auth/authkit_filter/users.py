"""``environ['authkit.users']``: AuthKit's object to ask who there is, and to change it, over the site's own users.

All names are in lower case, as AuthKit had them. No password is ever told. Changing needs users that the site keeps
itself; the others are changed where they are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ..account import Account

if TYPE_CHECKING:
    from ..accounts.local_users import LocalUsers
    from ..directory import Directory


class AuthKitError(Exception):
    """What AuthKit's users raise."""


class AuthKitNoSuchUserError(AuthKitError):
    """There is no such user."""


class AuthKitNoSuchRoleError(AuthKitError):
    """There is no such role."""


class AuthKitNoSuchGroupError(AuthKitError):
    """There is no such group."""


class AuthKitNotSupportedError(AuthKitError):
    """The users are kept where this cannot be done."""


Check = Callable[[Account, str], bool]
Change = Callable[[Account, str], "str | None"]


class Users:
    """The users of a site in the words of AuthKit.

    ``check`` says whether a password is right and ``change`` sets one, or says as a sentence why not. ``local`` are the
    users that the site keeps itself, if there are such.
    """

    def __init__(
        self, directory: Directory, check: Check, change: Change | None = None, local: LocalUsers | None = None
    ) -> None:
        self._directory = directory
        self._check = check
        self._change = change
        self._local = local
        self._made_roles: set[str] = set()

    # --- who there is -------------------------------------------------------------------------------------------------

    def user_exists(self, username: str) -> bool:
        """Whether there is such a user."""
        return self._directory.find(username) is not None

    def role_exists(self, role: str) -> bool:
        """Whether anybody has the role, or it was made."""
        return role.lower() in self.list_roles()

    def group_exists(self, group: str | None) -> bool:
        """Whether there is such a group; None, no group, always is."""
        return group is None or group.lower() in self.list_groups()

    def list_users(self) -> list[str]:
        """The names of all users, sorted."""
        return sorted({each.name.lower() for each in self._all()})

    def list_roles(self) -> list[str]:
        """All roles that anybody has, sorted."""
        granted = {each.role.lower() for each in self._local.grants()} if self._local is not None else set()
        return sorted(granted | self._made_roles | {role.lower() for each in self._all() for role in each.roles})

    def list_groups(self) -> list[str]:
        """All groups, sorted."""
        own = {each.name.lower() for each in self._local.groups()} if self._local is not None else set()
        return sorted(own | {group.lower() for each in self._all() for group in each.groups})

    def user(self, username: str) -> dict[str, Any]:
        """``username``, ``group``, ``password`` (never told: None) and ``roles`` of a user."""
        account = self._account(username)
        return {
            "username": account.name.lower(),
            "group": _group(account),
            "password": None,
            "roles": _roles(account),
        }

    def user_roles(self, username: str) -> list[str]:
        """The roles of a user, sorted."""
        return _roles(self._account(username))

    def user_group(self, username: str) -> str | None:
        """The group of a user, the first by name where there are several; None for none."""
        return _group(self._account(username))

    def user_password(self, username: str) -> str:
        """Raises: passwords are not told."""
        raise AuthKitNotSupportedError("passwords are not told; ask user_has_password(username, password)")

    def user_has_role(self, username: str, role: str) -> bool:
        """Whether a user has a role."""
        return role.lower() in _roles(self._account(username))

    def user_has_group(self, username: str, group: str | None) -> bool:
        """Whether a user is in a group; None: in no group at all."""
        groups = {each.lower() for each in self._account(username).groups}
        return not groups if group is None else group.lower() in groups

    def user_has_password(self, username: str, password: str) -> bool:
        """Whether this is the password of a user who may sign in."""
        account = self._account(username)
        return not account.disabled and self._check(account, password)

    # --- changing -----------------------------------------------------------------------------------------------------

    def user_create(self, username: str, password: str, group: str | None = None) -> None:
        """Make a user with a password, perhaps in a group."""
        local = self._own()
        if self.user_exists(username):
            raise AuthKitError(f"there is a user {username!r} already")
        if group is not None:
            self._require_group(group)
        account = _told(lambda: local.create(username.lower()))
        try:
            self._set_password(account, password)
        except AuthKitError:
            local.delete(account.id)
            raise
        if group is not None:
            _told(lambda: local.add_member(group, f"user:{account.name}"))

    def user_delete(self, username: str) -> None:
        """Delete a user."""
        self._own().delete(self._own_account(username).id)

    def user_set_username(self, username: str, new_username: str) -> None:
        """Give a user another name."""
        account = self._own_account(username)
        _told(lambda: self._own().rename(account.id, new_username.lower()))

    def user_set_password(self, username: str, new_password: str) -> None:
        """Give a user another password, by the rules that the site has for them."""
        self._set_password(self._own_account(username), new_password)

    def user_set_group(
        self, username: str, group: str | None, auto_add_group: bool = False, *, add_if_necessary: bool = False
    ) -> None:
        """Put a user into this group and out of all others; None for none."""
        local, account = self._own(), self._own_account(username)
        if group is not None and not self.group_exists(group):
            if not (auto_add_group or add_if_necessary):
                raise AuthKitNoSuchGroupError(f"there is no group {group!r}")
            self.group_create(group)
        for each in account.groups:
            if group is None or each.lower() != group.lower():
                _told(partial(local.remove_member, each, f"user:{account.name}"))
        if group is not None:
            _told(lambda: local.add_member(group, f"user:{account.name}"))

    def user_remove_group(self, username: str) -> None:
        """Take a user out of all groups."""
        self.user_set_group(username, None)

    def user_add_role(
        self, username: str, role: str, auto_add_role: bool = False, *, add_if_necessary: bool = False
    ) -> None:
        """Give a user a role."""
        account = self._own_account(username)
        if not (auto_add_role or add_if_necessary or self.role_exists(role)):
            raise AuthKitNoSuchRoleError(f"there is no role {role!r}")
        _told(lambda: self._own().grant(f"user:{account.name}", role.lower()))

    def user_remove_role(self, username: str, role: str) -> None:
        """Take a role from a user."""
        account = self._own_account(username)
        if not _told(lambda: self._own().revoke(f"user:{account.name}", role.lower())):
            raise AuthKitError(f"the user {username!r} does not have the role {role!r}")

    def role_create(self, role: str) -> None:
        """Make a role. Roles are what users have, so nobody but this process knows of it until somebody has it."""
        self._own()
        if self.role_exists(role):
            raise AuthKitError(f"there is a role {role!r} already")
        self._made_roles.add(role.lower())

    def role_delete(self, role: str) -> None:
        """Remove a role that nobody has."""
        self._own()
        if not self.role_exists(role):
            raise AuthKitNoSuchRoleError(f"there is no role {role!r}")
        if any(role.lower() in _roles(each) for each in self._all()):
            raise AuthKitError(f"the role {role!r} is in use")
        self._made_roles.discard(role.lower())

    def role_delete_cascade(self, role: str) -> None:
        """Take a role from all who have it."""
        local = self._own()
        for each in local.grants():
            if each.role.lower() == role.lower():
                local.revoke(each.subject, each.role)
        self._made_roles.discard(role.lower())

    def group_create(self, group: str) -> None:
        """Make a group."""
        if self.group_exists(group):
            raise AuthKitError(f"there is a group {group!r} already")
        _told(lambda: self._own().create_group(group.lower()))

    def group_delete(self, group: str) -> None:
        """Remove a group without members."""
        self._require_group(group)
        if _told(lambda: self._own().members(group)):
            raise AuthKitError(f"the group {group!r} has members")
        _told(lambda: self._own().delete_group(group))

    def group_delete_cascade(self, group: str) -> None:
        """Remove a group; its members are in it no more, and stay."""
        self._require_group(group)
        _told(lambda: self._own().delete_group(group))

    # --- reading ------------------------------------------------------------------------------------------------------

    def _all(self) -> Iterator[Account]:
        for source in self._directory.sources:
            list_all = getattr(source, "all", None)
            if list_all is None:
                raise AuthKitNotSupportedError(f"the users of {source.name} cannot be listed")
            found = list_all()
            while found:
                yield from found
                # Sources in tables give so many at a time.
                found = list_all(after=found[-1].name) if source is self._local else []

    def _account(self, username: str) -> Account:
        account = self._directory.find(username)
        if account is None:
            raise AuthKitNoSuchUserError(f"there is no user {username!r}")
        return account

    def _own(self) -> LocalUsers:
        if self._local is None:
            raise AuthKitNotSupportedError("these users are only read; they are changed where they are kept")
        return self._local

    def _own_account(self, username: str) -> Account:
        local, account = self._own(), self._account(username)
        if account.source != local.name:
            raise AuthKitNotSupportedError(f"the user {username!r} is kept by {account.source} and changed there")
        return account

    def _require_group(self, group: str) -> None:
        if not self.group_exists(group):
            raise AuthKitNoSuchGroupError(f"there is no group {group!r}")

    def _set_password(self, account: Account, password: str) -> None:
        complaint = "Passwords cannot be changed here." if self._change is None else self._change(account, password)
        if complaint is not None:
            raise AuthKitError(complaint)


def _told(do: Callable[[], Any]) -> Any:
    """What ``do`` returns; what it complains of in the words of AuthKit."""
    try:
        return do()
    except LookupError as error:
        raise AuthKitError(str(error.args[0] if error.args else error)) from error
    except ValueError as error:
        raise AuthKitError(str(error)) from error


def _group(account: Account) -> str | None:
    return min((each.lower() for each in account.groups), default=None)


def _roles(account: Account) -> list[str]:
    return sorted(each.lower() for each in account.roles)

"""Where users, groups and what was granted to them stand."""

from __future__ import annotations

from ...storage.schema import Schema

SCHEMA = Schema(
    "auth.accounts",
    (
        (
            "CREATE TABLE account_users (id TEXT PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,"
            " look TEXT NOT NULL UNIQUE, display TEXT NOT NULL, email TEXT NOT NULL, email_folded TEXT NOT NULL,"
            " email_verified BIGINT NOT NULL, disabled BIGINT NOT NULL, epoch BIGINT NOT NULL,"
            " password TEXT, must_change BIGINT NOT NULL, password_changed DOUBLE PRECISION,"
            # What groups and grants come to, so that a request needs to read one row.
            " group_names TEXT NOT NULL DEFAULT '', roles TEXT NOT NULL DEFAULT '',"
            " second_factor BIGINT NOT NULL DEFAULT 0, created DOUBLE PRECISION NOT NULL)",
            "CREATE INDEX account_users_email ON account_users (email_folded)",
            "CREATE TABLE account_groups (id TEXT PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE)",
            # A member is an account of whichever source, or a group; who has put it there can take it away again.
            "CREATE TABLE account_members (group_id TEXT NOT NULL REFERENCES account_groups ON DELETE CASCADE,"
            " member TEXT NOT NULL, origin TEXT NOT NULL, PRIMARY KEY (group_id, member, origin))",
            "CREATE INDEX account_members_member ON account_members (member)",
            "CREATE TABLE account_grants (subject TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (subject, role))",
            # The same for accounts of other sources.
            "CREATE TABLE account_standings (account TEXT PRIMARY KEY, group_names TEXT NOT NULL DEFAULT '',"
            " roles TEXT NOT NULL DEFAULT '', second_factor BIGINT NOT NULL DEFAULT 0,"
            " epoch BIGINT NOT NULL DEFAULT 0)",
        ),
    ),
)

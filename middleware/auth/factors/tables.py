"""The tables of second factors and passkeys. What is sealed or binary is kept as text (base64url)."""

from __future__ import annotations

from ...storage.schema import Schema

SCHEMA = Schema(
    "auth.factors",
    (
        (
            "CREATE TABLE auth_totp (account TEXT PRIMARY KEY, seed TEXT NOT NULL, used_step BIGINT NOT NULL,"
            " created DOUBLE PRECISION NOT NULL, used DOUBLE PRECISION)",
            "CREATE TABLE auth_recovery (account TEXT NOT NULL, salt TEXT NOT NULL, digest TEXT NOT NULL,"
            " created DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, digest))",
            "CREATE TABLE auth_passkeys (id TEXT PRIMARY KEY, credential TEXT NOT NULL UNIQUE, account TEXT NOT NULL,"
            " attested TEXT NOT NULL, counter BIGINT NOT NULL, transports TEXT NOT NULL, is_synced BIGINT NOT NULL,"
            " is_backed_up BIGINT NOT NULL, label TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,"
            " used DOUBLE PRECISION)",
            "CREATE INDEX auth_passkeys_account ON auth_passkeys (account)",
            "CREATE TABLE auth_handles (account TEXT PRIMARY KEY, handle TEXT NOT NULL UNIQUE)",
        ),
    ),
)

"""What counts once counts once among several processes that share a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wheatpaste.middleware.auth.factors import totp
from wheatpaste.middleware.auth.factors.recovery import RecoveryCodes
from wheatpaste.middleware.auth.factors.tables import SCHEMA as FACTORS
from wheatpaste.middleware.auth.factors.totp_apps import TotpApps
from wheatpaste.middleware.auth.key_file import make_key_file
from wheatpaste.middleware.auth.links import SCHEMA as LINKS
from wheatpaste.middleware.auth.links import Links
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.database import Database

pytestmark = pytest.mark.slow

NOW = 1_800_000_000.0
SEED = b"12345678901234567890"
PROCESSES, TRIES = 3, 8

PROGRAM = """
import sys
from pathlib import Path
from wheatpaste.middleware.auth.factors.recovery import RecoveryCodes
from wheatpaste.middleware.auth.factors.tables import SCHEMA as FACTORS
from wheatpaste.middleware.auth.factors.totp_apps import TotpApps
from wheatpaste.middleware.auth.links import SCHEMA as LINKS, Links
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.database import Database

path, key, code, recovery, link, tries = sys.argv[1:]
tables = Database(path, FACTORS, LINKS)
apps = TotpApps(tables, Vault.read(Path(key)), lambda: {now})
codes = RecoveryCodes(tables, cost=2)
links = Links(tables, lambda: {now})
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(tries)):
    print(
        int(apps.use("local:1", code)),
        int(codes.use("local:1", recovery)),
        int(links.take("reset", link) is not None),
    )
"""


def test_of_several_processes_one_uses_a_code_and_a_link(tmp_path: Path) -> None:
    key = tmp_path / "auth.key"
    make_key_file(key)
    vault = Vault.read(key)
    path = tmp_path / "auth.db"
    tables = Database(path, FACTORS, LINKS)
    TotpApps(tables, vault, lambda: NOW).put("local:1", SEED)
    recovery = RecoveryCodes(tables, cost=2).renew("local:1")[0]
    link = Links(tables, lambda: NOW).create("reset", "local:1")
    code = totp.code_at(SEED, totp.step_at(NOW))
    told = (str(path), str(key), code, recovery, link, str(TRIES))
    command = [sys.executable, "-P", "-c", PROGRAM.format(now=NOW), *told]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    counts = [0, 0, 0]
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in started:
        said, _ = each.communicate(timeout=60)
        assert each.returncode == 0
        for line in said.splitlines():
            counts = [total + int(one) for total, one in zip(counts, line.split(), strict=True)]
    tables.close()
    assert counts == [1, 1, 1]

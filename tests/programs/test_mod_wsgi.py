"""Apache with mod_wsgi, with the file and the directives that ``wheatpaste generate wsgi`` writes for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hosted_site import visit, write_site
from prerequisites import lacking
from running_server import RunningServer

pytestmark = pytest.mark.slow

MODULES = Path("/usr/lib/apache2/modules")
APACHE = """
    ServerRoot {folder}
    ServerName localhost
    Listen 127.0.0.1:{{port}}
    PidFile {folder}/apache.pid
    ErrorLog /dev/stderr
    LogLevel warn
    User {user}
    Group {group}
    LoadModule mpm_event_module {modules}/mod_mpm_event.so
    LoadModule authz_core_module {modules}/mod_authz_core.so
    LoadModule alias_module {modules}/mod_alias.so
    LoadModule wsgi_module {modules}/{wsgi}
    WSGISocketPrefix {folder}/wsgi
    <Directory />
        Require all denied
    </Directory>
    Include {folder}/directives.conf
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that Apache's user can read; pytest's own are for one user alone."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
def start(folder: Path, running_server: Callable[..., RunningServer]) -> Callable[[Path], RunningServer]:
    """Writes what is generated for an INI file, as a deployer does, and starts Apache with it on a free port."""
    apache = shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin")
    wsgi = f"mod_wsgi.so-{sys.version_info.major}.{sys.version_info.minor}"
    if apache is None or not (MODULES / "mod_wsgi.so").exists():
        lacking("Apache with mod_wsgi")
    if not (MODULES / wsgi).exists():
        # Compiled into it; on Debian 12 it is 3.11.
        pytest.skip(f"the system's mod_wsgi runs another Python than {sys.version_info.major}.{sys.version_info.minor}")
    packages = Path(sysconfig.get_path("purelib"))
    if os.geteuid() == 0 and not all(each.stat().st_mode & 0o001 for each in (packages, *packages.parents)):
        pytest.skip(f"Apache's processes give up root, and then may not read this checkout ({packages})")

    def start(ini: Path) -> RunningServer:
        done = subprocess.run(
            [sys.executable, "-m", "wheatpaste", "generate", "wsgi", str(ini), "--for", "mod_wsgi"],
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=60,
            check=True,
        )
        directives = done.stdout[done.stdout.index("# For a <VirtualHost>") :]
        # Apache's interpreter is the system's, of the same version as this one: it gets the packages of this one.
        directives = re.sub(r'(python-home="[^"]*" )?display-name', f"python-path={packages} display-name", directives)
        (folder / "directives.conf").write_text(directives)
        user, group = ("www-data", "www-data") if os.geteuid() == 0 else (f"#{os.geteuid()}", f"#{os.getegid()}")
        settings = APACHE.format(folder=folder, modules=MODULES, wsgi=wsgi, user=user, group=group)
        (folder / "apache.conf").write_text(settings)
        # Apache has no variables for its command line but these.
        listen = settings[settings.index("Listen") :].splitlines()[0].strip()
        (folder / "apache.conf").write_text(settings.replace(listen, "Listen 127.0.0.1:${PORT}"))
        argv = ["/bin/sh", "-c", f"PORT={{port}} exec {apache} -f {folder}/apache.conf -D FOREGROUND"]
        return running_server(argv=argv)

    return start


def test_the_site_is_served_by_mod_wsgi(start: Callable[[Path], RunningServer], folder: Path) -> None:
    server = start(write_site(folder))
    visit(server)
    assert server.request("GET", "/site.ini").status == 404, "the folder of the file is not served"
    server.stop()

"""pypiserver, a package index, served from an INI file and used by pip."""

import base64
import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from running_server import RunningServer

pytestmark = pytest.mark.slow

INI = """
    [composite:main]
    use = egg:wheatpaste#urlmap
    / = front
    /index = packages

    [app:front]
    use = egg:wheatpaste#redirect
    to = index/
    code = 302

    [app:packages]
    use = egg:pypiserver#main
    roots = %(here)s/packages
    disable_fallback = true
    password_file = .
    authenticate =
"""


def wheel_of(name: str, version: str) -> bytes:
    """The smallest wheel that pip installs."""
    module, info = f"{name}.py", f"{name}-{version}.dist-info"
    files = {
        module: f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return packed.getvalue()


@pytest.fixture
def index(
    tmp_path: Path, write_ini: Callable[..., Path], running_server: Callable[..., RunningServer]
) -> RunningServer:
    (tmp_path / "packages").mkdir()
    return running_server(write_ini(INI))


def pip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", *words],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_package_is_uploaded_listed_and_installed_by_pip(index: RunningServer, tmp_path: Path) -> None:
    boundary = "flour-and-water"
    fields = {":action": "file_upload", "name": "pasted_leaf", "version": "1.2"}
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    )
    body += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="content"; '
        f'filename="pasted_leaf-1.2-py3-none-any.whl"\r\nContent-Type: application/octet-stream\r\n\r\n'
    ).encode()
    body += wheel_of("pasted_leaf", "1.2") + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    assert index.request("POST", "/index/", headers, body).status == 200

    page = index.request("GET", "/index/simple/pasted-leaf/")
    assert page.status == 200
    assert "/index/packages/pasted_leaf-1.2-py3-none-any.whl" in page.text, "links stay below the mount"

    target = tmp_path / "installed"
    done = pip(
        "install", "--no-deps", "--target", str(target), "--index-url", f"{index.url}/index/simple/", "pasted-leaf"
    )
    assert done.returncode == 0, done.stderr
    assert (target / "pasted_leaf.py").read_text() == "VERSION = '1.2'\n"


def test_its_own_redirects_stay_below_the_mount(index: RunningServer) -> None:
    answer = index.request("GET", "/index/simple/Pasted_Leaf/")
    assert answer.status in (301, 302, 303, 307, 308)
    assert answer.headers["Location"].endswith("/index/simple/pasted-leaf/")


def test_the_front_page_leads_to_the_index(index: RunningServer) -> None:
    answer = index.request("GET", "/")
    assert (answer.status, answer.headers["Location"]) == (302, "/index/")

"""No request decides to which host a redirect leads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wheatpaste.apps.redirect import Redirect


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("OPTIONS", "*"),
        ("GET", ""),
        ("GET", "//evil.example"),
        ("GET", "/@evil.example"),
        ("GET", "/.evil.example"),
        ("GET", "/:80@evil.example/"),
    ],
)
@pytest.mark.parametrize("to", ["https://new.example", "https://new.example/", "/new", "new"])
def test_the_host_of_the_target_stays(to: str, method: str, path: str) -> None:
    seen: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[..., object]:
        seen.extend(value for name, value in headers if name == "Location")
        return seen.append

    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": ""}
    list(Redirect(to=to, keep_path=True)(environ, start_response))
    (location,) = seen
    origin = "https://new.example" if to.startswith("https") else ""
    assert location.startswith(origin)
    rest = location.removeprefix(origin)
    assert rest == "" or (rest[0] == "/" and (origin or rest[:2] != "//"))

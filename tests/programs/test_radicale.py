"""Radicale, a calendar server without a paste.deploy factory, mounted from an INI file by its name in Python."""

from collections.abc import Callable
from pathlib import Path

import pytest
from running_server import Answer, RunningServer

pytestmark = pytest.mark.slow

INI = """
    [composite:main]
    use = egg:wheatpaste#urlmap
    /cal = calendar
    /healthz = health

    [app:calendar]
    use = egg:wheatpaste#wsgi
    app = radicale:application

    [app:health]
    use = egg:wheatpaste#health
"""

EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//wheatpaste//tests//EN\r\nBEGIN:VEVENT\r\n"
    "UID:harvest\r\nDTSTAMP:20260901T080000Z\r\nDTSTART:20260901T090000Z\r\nDTEND:20260901T100000Z\r\n"
    "SUMMARY:Harvest ü\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.fixture
def calendar(
    tmp_path: Path, write_ini: Callable[..., Path], running_server: Callable[..., RunningServer]
) -> RunningServer:
    config = tmp_path / "radicale.conf"
    config.write_text(
        f"[auth]\ntype = none\n[rights]\ntype = authenticated\n[storage]\nfilesystem_folder = {tmp_path}/store\n"
    )
    return running_server(write_ini(INI), env={"RADICALE_CONFIG": str(config)})


def test_a_calendar_is_made_filled_and_searched(calendar: RunningServer) -> None:
    user = {"Authorization": "Basic YmFrZXI6eA=="}  # "baker": no password is asked for

    def send(method: str, path: str, body: str = "", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return calendar.request(method, path, {**user, **named}, body.encode() or None)

    assert send("MKCALENDAR", "/cal/baker/work/").status == 201
    put = send("PUT", "/cal/baker/work/harvest.ics", EVENT, Content_Type="text/calendar")
    assert put.status == 201, put.text
    got = send("GET", "/cal/baker/work/harvest.ics")
    assert got.status == 200
    assert "SUMMARY:Harvest ü" in got.text

    found = send("PROPFIND", "/cal/baker/work/", Depth="1")
    assert found.status == 207
    assert "<href>/cal/baker/work/harvest.ics</href>" in found.text, "hrefs stay below the mount"

    report = send(
        "REPORT",
        "/cal/baker/work/",
        '<?xml version="1.0"?><C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:">'
        "<D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name='VCALENDAR'>"
        "<C:comp-filter name='VEVENT'/></C:comp-filter></C:filter></C:calendar-query>",
        Content_Type="application/xml",
        Depth="1",
    )
    assert report.status == 207
    assert "UID:harvest" in report.text

    assert send("DELETE", "/cal/baker/work/harvest.ics").status == 200
    assert send("GET", "/cal/baker/work/harvest.ics").status == 404


def test_its_web_pages_work_below_the_mount(calendar: RunningServer) -> None:
    page = calendar.request("GET", "/cal/.web/")
    assert page.status == 200
    assert "<html" in page.text.lower()
    assert calendar.request("GET", "/cal/").status in (301, 302)


def test_the_app_beside_it_answers_too(calendar: RunningServer) -> None:
    assert calendar.request("GET", "/healthz").status == 200

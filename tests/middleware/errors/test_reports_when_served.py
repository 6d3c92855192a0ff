"""Reports of a site that is served, by one process and by two: into one file, by mail, and the digest at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mail_server import MailServer
from running_server import RunningServer

pytestmark = pytest.mark.slow

SHOP = """
def app(environ, start_response):
    raise ValueError("boom")

def make(global_conf):
    return app
"""

SITE = """
    [app:main]
    use = call:failing_shop:make
    filter-with = errors

    [filter:errors]
    use = egg:wheatpaste#errors
    error_log = errors.jsonl
    error_email = ada@x.example
    smtp_server = 127.0.0.1:{port}

    [server:main]
    use = egg:wheatpaste#main
    workers = {workers}
"""


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_reported_arrives_and_what_was_held_back_comes_at_the_end(
    workers: int,
    mail: MailServer,
    write_ini: Callable[..., Path],
    running_server: Callable[..., RunningServer],
) -> None:
    path = write_ini(SITE.format(port=mail.port, workers=workers))
    (path.parent / "failing_shop.py").write_text(SHOP)
    server = running_server(path.name, cwd=path.parent)
    answers = [server.request("GET", "/shop") for _ in range(12)]
    assert [answer.status for answer in answers] == [500] * 12
    ids = Counter(answer.headers["X-Error-ID"] for answer in answers)
    mail.wait_for(1)
    server.stop()
    records = [json.loads(line) for line in (path.parent / "errors.jsonl").read_text().splitlines()]
    assert Counter(record["id"] for record in records) == ids
    assert all(id in server.log() for id in ids)
    # Each process mails its first, and tells of the others when it ends.
    processes = Counter(record["pid"] for record in records)
    digests = [message for message in mail.messages if message["X-Error-ID"] is None]
    assert len(mail.messages) - len(digests) == len(processes)
    counted = sorted(int(message["Subject"].split()[0]) for message in digests)
    assert counted == sorted(count - 1 for count in processes.values() if count > 1)

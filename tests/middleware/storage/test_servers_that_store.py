"""PostgreSQL and Redis as they are in real life: shared by processes, started anew, frozen, gone, and strict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator

import pytest
from stored_servers import SECRET, PostgresServer, RedisServer

from wheatpaste.middleware.storage.places import store_of, tables_of
from wheatpaste.middleware.storage.postgres import PostgresTables
from wheatpaste.middleware.storage.redis_store import RedisStore
from wheatpaste.middleware.storage.schema import Schema
from wheatpaste.middleware.storage.store import Store, StoreDamaged, StoreError
from wheatpaste.middleware.storage.table_store import SCHEMA, TableStore

pytestmark = pytest.mark.slow

Server = PostgresServer | RedisServer
NOTES = Schema("notes", (("CREATE TABLE notes (text TEXT NOT NULL UNIQUE)",),))


@pytest.fixture(params=["postgres_server", "redis_server"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def url(server: Server) -> str:
    return server.url()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    made = store_of(url)
    yield made
    made.close()


def patient(url: str, patience: float) -> Store:
    if url.startswith("redis"):
        return RedisStore(url, patience=patience)
    return TableStore(PostgresTables(url, SCHEMA, patience=patience))


def in_processes(code: str, *arguments: str, count: int = 1) -> list[str]:
    """What processes print that run the code, all from the same moment on."""
    script = textwrap.dedent(code)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, *arguments, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n", process.communicate(timeout=60)[1]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = []
    for process in processes:
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        said.append(out)
    return said


def test_of_processes_that_want_the_same_one_gets_it(url: str, store: Store):
    for number in range(50):
        store.put("taken", str(number), b"prize")
        store.put("swapped", str(number), b"before")
    code = """
        import sys, threading
        from wheatpaste.middleware.storage.places import store_of
        store = store_of(sys.argv[1])
        print("ready", flush=True)
        sys.stdin.readline()
        def all_of_it():
            for number in range(50):
                key = str(number)
                added.append(store.add("once", key, b""))
                taken.append(store.take("taken", key) is not None)
                swapped.append(store.swap("swapped", key, b"before", b"after"))
                store.count("a", "hits")
        added, taken, swapped = [], [], []
        threads = [threading.Thread(target=all_of_it) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(sum(added), sum(taken), sum(swapped))
        """
    said = [[int(word) for word in line.split()] for line in in_processes(code, url, count=3)]
    assert [sum(column) for column in zip(*said, strict=True)] == [50, 50, 50]
    assert store.count("a", "hits", 0).number == 3 * 4 * 50


def test_processes_that_begin_at_once_find_or_make_what_they_need(server: Server):
    code = """
        import sys
        from wheatpaste.middleware.storage.places import store_of
        print("ready", flush=True)
        sys.stdin.readline()
        print(store_of(sys.argv[1]).count("a", "k").number)
        """
    assert sorted(in_processes(code, server.url(), count=4)) == ["1\n", "2\n", "3\n", "4\n"]


def test_a_fork_takes_no_connection_along(url: str):
    code = """
        import os, sys
        from wheatpaste.middleware.storage.places import store_of
        print("ready", flush=True)
        sys.stdin.readline()
        store = store_of(sys.argv[1])
        store.put("a", "parent", b"1")
        for _ in range(3):
            child = os.fork()
            if child == 0:
                for number in range(50):
                    assert store.get("a", "parent") == b"1"
                    store.put("a", f"child {number}", b"1")
                store.close()
                os._exit(0)
            for number in range(50):
                assert store.get("a", f"parent {number}") is None
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert store.get("a", "child 49") == b"1"
        store.put("a", "parent", b"2")
        store.close()
        """
    in_processes(code, url)


def test_a_server_that_was_started_anew_is_used_without_an_error(server: Server, store: Store):
    together = threading.Barrier(4, timeout=30)

    def use() -> None:
        together.wait()
        store.get("a", "k")
        together.wait()

    threads = [threading.Thread(target=use) for _ in range(4)]  # so that several connections wait for their next use
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    server.restart()
    for number in range(20):
        store.put("a", str(number), b"1")
    assert len(store.keys("a")) == 20


def test_a_server_that_is_down_is_told_without_its_password_and_used_again_when_it_is_up(server: Server, url: str):
    store = patient(url, 2)
    store.put("a", "k", b"1")
    server.stop()
    try:
        for use in (
            lambda: store.get("a", "k"),
            lambda: store.put("a", "k", b"2"),
            lambda: store.add("a", "k", b"2"),
            lambda: store.swap("a", "k", b"1", b"2"),
            lambda: store.take("a", "k"),
            lambda: store.expire("a", "k", 1),
            lambda: store.delete("a", "k"),
            lambda: store.count("a", "k"),
            lambda: store.keys("a"),
            lambda: store.clear("a"),
            lambda: store.sweep(),
        ):
            with pytest.raises(StoreError, match=rf"127\.0\.0\.1:{server.port}.* cannot be used") as caught:
                use()
            assert SECRET not in "".join(traceback.format_exception(caught.value))
    finally:
        server.start()
    store.put("a", "after", b"1")
    assert store.get("a", "after") == b"1"
    store.close()


def test_wrong_credentials_are_told_without_them(server: Server):
    for wrong in ("wrong-password", ""):
        store = store_of(server.url(password=wrong))
        with pytest.raises(StoreError, match="user|password|AUTH|authentic") as caught:
            store.get("a", "k")
        assert "wrong-password" not in "".join(traceback.format_exception(caught.value))
        assert "wrong-password" not in repr(store)
        store.close()


def test_a_redis_that_stands_still_is_waited_for_no_longer_than_told(redis_server: RedisServer):
    store = patient(redis_server.url(), 0.3)
    store.put("a", "k", b"1")
    redis_server.signal(signal.SIGSTOP)
    try:
        with pytest.raises(StoreError, match="has not answered in time"):
            store.get("a", "k")
    finally:
        redis_server.signal(signal.SIGCONT)
    assert store.get("a", "k") == b"1"
    store.close()


def test_a_postgresql_that_stands_still_is_waited_for_no_longer_than_told(postgres_server: PostgresServer):
    tables = PostgresTables(postgres_server.url(), NOTES, patience=1.0)
    [(backend,)] = tables.query("SELECT pg_backend_pid()")
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(StoreError, match="no answer for 2 seconds"):
            tables.query("SELECT 1")
        assert tables.query("SELECT 1") == [(1,)]  # over another connection
    finally:
        os.kill(backend, signal.SIGCONT)
    tables.close()


def test_who_waits_for_anothers_lock_too_long_is_told_so(postgres_server: PostgresServer):
    url = postgres_server.url()
    ours, others = PostgresTables(url, NOTES, patience=1.0), PostgresTables(url, NOTES)
    ours.query("SELECT 1")
    with (
        others.writing(),
        pytest.raises(StoreError, match="was in use by others for more than 1 seconds"),
        ours.writing() as connection,
    ):
        connection.execute("INSERT INTO notes VALUES ('late')")
    with ours.writing() as connection:
        connection.execute("INSERT INTO notes VALUES ('in time')")
    assert others.query("SELECT text FROM notes") == [("in time",)]
    with pytest.raises(StoreError, match="was in use by others"):
        ours.query("SELECT pg_sleep(5)")
    ours.close()
    others.close()


def test_a_process_has_only_so_many_connections(postgres_server: PostgresServer):
    tables = PostgresTables(postgres_server.url(), NOTES, patience=1.0, most=2)
    with tables.reading(), tables.reading(), pytest.raises(StoreError, match="all 2 connections were in use"):
        tables.query("SELECT 1")
    assert tables.query("SELECT 1") == [(1,)]
    tables.close()


def test_a_process_that_dies_while_it_writes_stops_nobody(postgres_server: PostgresServer):
    url = postgres_server.url()
    code = """
        import os, sys
        from wheatpaste.middleware.storage.places import tables_of
        from wheatpaste.middleware.storage.schema import Schema
        tables = tables_of(sys.argv[1], Schema("notes", (("CREATE TABLE notes (text TEXT NOT NULL UNIQUE)",),)))
        with tables.writing() as connection:
            connection.execute("INSERT INTO notes VALUES ('half')")
            print("ready", flush=True)
            sys.stdin.readline()
            os._exit(0)
        """
    in_processes(code, url)
    tables = tables_of(url, NOTES)
    with tables.writing() as connection:
        connection.execute("INSERT INTO notes VALUES ('whole')")
    assert tables.query("SELECT text FROM notes") == [("whole",)]
    tables.close()


def test_tables_that_somebody_removed_are_made_anew(postgres_server: PostgresServer):
    tables = tables_of(postgres_server.url("removed"), NOTES)
    tables.query("INSERT INTO notes VALUES ('before')")
    postgres_server.execute("DROP SCHEMA removed CASCADE")
    with pytest.raises(StoreError):
        tables.query("SELECT * FROM notes")
    assert tables.query("SELECT * FROM notes") == []
    tables.close()


def test_tables_stand_beside_those_of_the_site(postgres_server: PostgresServer):
    postgres_server.execute("CREATE TABLE IF NOT EXISTS notes (another BIGINT)")
    tables = tables_of(postgres_server.dsn(), NOTES)
    tables.query("INSERT INTO notes VALUES ('ours')")
    assert postgres_server.execute("SELECT text FROM wheatpaste.notes") == [("ours",)]
    assert postgres_server.execute("SELECT * FROM public.notes") == []
    tables.close()
    postgres_server.execute("DROP TABLE notes; DROP SCHEMA wheatpaste CASCADE")


def test_a_user_without_the_right_to_make_tables_is_told_so_and_may_use_those_that_are_there(
    postgres_server: PostgresServer,
):
    postgres_server.execute(f"CREATE USER guest PASSWORD '{SECRET}'")
    guest = tables_of(postgres_server.url("shared", user="guest"), NOTES)
    with pytest.raises(StoreError, match="permission denied .*; give its user the right to make tables there"):
        guest.query("SELECT * FROM notes")
    owner = tables_of(postgres_server.url("shared"), NOTES)
    owner.query("SELECT * FROM notes")
    postgres_server.execute("GRANT USAGE ON SCHEMA shared TO guest; GRANT ALL ON ALL TABLES IN SCHEMA shared TO guest")
    guest.query("INSERT INTO notes VALUES ('a')")
    assert owner.query("SELECT * FROM notes") == [("a",)]
    guest.close()
    owner.close()


def test_connections_over_tls_are_verified_and_used_again(postgres_server: PostgresServer):
    url = postgres_server.url() + f"&sslmode=verify-full&sslrootcert={postgres_server.authority}"
    tables = tables_of(url, NOTES)
    backends = {
        tables.query("SELECT pg_backend_pid(), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0] for _ in range(5)
    }
    assert [encrypted for _, encrypted in backends] == [True]
    tables.close()
    unknown = tables_of(postgres_server.url() + "&sslmode=verify-full&sslrootcert=/dev/null", NOTES)
    with pytest.raises(StoreError, match="cannot be used"):
        unknown.query("SELECT 1")


def test_redis_over_tls_is_verified(redis_server: RedisServer):
    place = f"rediss://:{SECRET}@localhost:{redis_server.tls_port}/0"
    store = store_of(f"{place}?ssl_ca_certs={redis_server.authority}")
    store.put("a", "k", b"1")
    assert store.get("a", "k") == b"1"
    store.close()
    with pytest.raises(StoreError, match=r"rediss://localhost:\d+/0 cannot be used .*certificate"):
        store_of(place).get("a", "k")


def test_redis_forgets_what_has_ended_by_itself(redis_server: RedisServer):
    store = store_of(redis_server.url("forgetful"))
    client = redis_server.client()
    before = set(client.keys("forgetful:*"))
    store.put("a", "put", b"1", 100)
    store.add("a", "add", b"1", 200)
    store.count("a", "count", seconds=300)
    store.put("a", "swap", b"1", 5)
    store.swap("a", "swap", b"1", b"2", 400)
    store.put("a", "kept", b"1", 500)
    store.swap("a", "kept", b"1", b"2")
    store.put("a", "expire", b"1")
    store.expire("a", "expire", 600)
    store.put("a", "ever", b"1", 5)
    store.expire("a", "ever", None)
    lives = {name.decode(): client.ttl(name) for name in set(client.keys("forgetful:*")) - before}
    rounded = {name.rpartition(":")[2]: round(ttl, -2) for name, ttl in lives.items()}
    assert rounded == {"put": 100, "add": 200, "count": 300, "swap": 400, "kept": 500, "expire": 600, "ever": 0}
    assert client.ttl("forgetful:v:a:ever") == -1
    store.close()


def test_what_no_store_wrote_into_redis_is_told(redis_server: RedisServer):
    store = store_of(redis_server.url("mixed"))
    redis_server.client().set("mixed:v:a:short", b"x")
    redis_server.client().lpush("mixed:v:a:list", b"x")
    with pytest.raises(StoreDamaged, match="has a value that no store wrote"):
        store.get("a", "short")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        store.get("a", "list")
    assert store.add("a", "short", b"1")  # which is as good as absent
    store.close()


def test_redis_is_asked_once_for_each_step(redis_server: RedisServer):
    store = store_of(redis_server.url())
    client = redis_server.client()
    steps = [
        lambda: store.put("a", "k", b"1"),
        lambda: store.get("a", "k"),
        lambda: store.add("a", "k", b"1"),
        lambda: store.swap("a", "k", b"1", b"2"),
        lambda: store.swap("a", "k", b"2", b"3", 5),
        lambda: store.expire("a", "k", 5),
        lambda: store.count("a", "k"),
        lambda: store.count("a", "k", 0),
        lambda: store.take("a", "k"),
        lambda: store.swap("a", "k", b"1", None),
        lambda: store.delete("a", "k"),
    ]
    for step in steps:  # connected, and all scripts known
        step()

    def reads() -> int:
        return int(client.info("stats")["total_reads_processed"])

    alone = reads()
    own = reads() - alone  # what asking costs
    for step in steps:
        before = reads()
        step()
        assert reads() - before - own == 1
    store.close()


def test_redis_over_a_socket_and_under_other_names(redis_server: RedisServer):
    path = redis_server.folder / "redis.sock"
    over_socket = store_of(f"unix://:{SECRET}@{path}?db=0&namespace=one")
    over_socket.put("a", "k", b"1")
    for scheme in ("redis", "valkey"):
        place = f"{scheme}://:{SECRET}@127.0.0.1:{redis_server.port}/0?namespace="
        assert store_of(place + "one").get("a", "k") == b"1"
        assert store_of(place + "two").get("a", "k") is None
    with pytest.raises(StoreError, match=r"unix:///nowhere\?db=0 cannot be used"):
        store_of("unix:///nowhere").get("a", "k")
    over_socket.close()


def test_spaces_do_not_run_into_each_other_in_redis(redis_server: RedisServer):
    store = store_of(redis_server.url())
    store.put("a:b", "c", b"1")
    assert store.get("a", "b:c") is None
    assert store.clear("a") == 0
    store.put("a*", "k", b"1")
    store.put("ab", "k", b"1")
    assert store.clear("a*") == 1
    assert store.keys("a:b") == ["c"]
    store.close()


def test_listings_are_whole_however_much_there_is(redis_server: RedisServer):
    store = store_of(redis_server.url())
    for number in range(2500):
        store.put("many", f"{number:04}", b"")
    assert store.keys("many", limit=10000) == [f"{number:04}" for number in range(2500)]
    assert store.keys("many", "1", limit=3) == ["1000", "1001", "1002"]
    assert store.clear("many") == 2500
    store.close()

"""Connections: few, shared, opened again, never a parent's, and silent about secrets."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Iterator

import psycopg
import pytest

from codemation.core.errors import CodemationError, HostError, SchemaMismatch, StoreUnavailable
from codemation.host.postgres import connection
from codemation.host.postgres.connection import Connections, connection_string
from codemation.host.postgres.faults import translate
from codemation.host.postgres.link import Row
from codemation.host.postgres.migrate import upgrade
from codemation.host.postgres.statements import statement
from codemation.host.postgres.stores import open_stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import World
from tests.host.postgres.server import Server, running_server

ONE = statement("SELECT 1")
NAP = statement("SELECT pg_sleep(0.05)")


@pytest.fixture
def connections(url: str) -> Iterator[Connections]:
    with Connections(url, limit=2) as connections:
        yield connections


def sessions(database: psycopg.Connection[Row]) -> int:
    found = database.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'codemation'"
    ).fetchone()
    assert found is not None
    return int(found[0])


def test_many_threads_share_a_few_connections(connections: Connections, database: psycopg.Connection[Row]) -> None:
    def nap() -> int:
        with connections.lease() as link:
            link.all(NAP, {})
        return sessions(database)

    assert max(together(*[nap] * 12)) == 2


def test_what_goes_wrong_meanwhile_costs_the_connection_and_nothing_else(connections: Connections) -> None:
    """The answer was not read, so nobody else may be given the connection; the others and the next are as they were."""

    def stumble() -> None:
        raise ZeroDivisionError

    for _ in range(5):
        with pytest.raises(ZeroDivisionError), connections.lease() as link:
            link.gives(NAP, {}, stumble)
        with connections.lease() as link:
            assert link.one(ONE, {}) == (1,)
            assert link.gives(ONE, {}, lambda: None)


@pytest.mark.parametrize("known", [False, True], ids=["its first use", "a later one"])
def test_something_else_is_done_while_an_answer_is_on_its_way(connections: Connections, known: bool) -> None:
    """It may use another connection, and need not wait for the answer."""
    slow = statement("SELECT 'done' FROM pg_sleep(0.3)")
    at_work = statement("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    seen: set[object] = set()

    def meanwhile() -> None:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            with connections.lease() as other:
                seen.add(other.one(at_work, {}))

    with connections.lease() as link:
        if known:
            link.all(slow, {})
        assert link.all(slow, {}, meanwhile) == [("done",)]
        assert link.one(ONE, {}) == (1,)
    assert (1,) in seen


def test_a_lease_gives_back_what_it_took_when_its_block_fails(connections: Connections) -> None:
    def fail(number: int) -> None:
        with connections.lease() as link:
            link.one(ONE, {})
            raise ZeroDivisionError(number)

    for number in range(5):
        with pytest.raises(ZeroDivisionError):
            fail(number)
    with connections.lease() as link:
        assert link.one(ONE, {}) == (1,)


def test_a_connection_that_was_left_inside_a_transaction_is_not_lent_again(
    connections: Connections, database: psycopg.Connection[Row]
) -> None:
    def begin_and_fail() -> None:
        with connections.lease() as link:
            link.run(statement("BEGIN"), {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        begin_and_fail()
    with connections.lease() as link:
        assert link.usable
    assert sessions(database) == 1


def test_a_statement_is_prepared_and_executed_in_one_transaction(connections: Connections) -> None:
    own = statement("SELECT prepare_time = now() FROM pg_prepared_statements WHERE statement LIKE '%this one%'")
    with connections.lease() as link:
        assert [link.one(own, {}) for _ in range(3)] == [(True,), (False,), (False,)]


@pytest.mark.parametrize(
    ("bad", "values", "said"),
    [
        pytest.param("SELEC 1", {}, "syntax error", id="cannot be prepared"),
        pytest.param("SELECT 1 / :by::int4", {"by": 0}, "division by zero", id="fails"),
        pytest.param(
            "INSERT INTO leaf VALUES (3) RETURNING root", {}, "foreign key", id="gives rows, and fails at its commit"
        ),
    ],
)
def test_a_statement_that_fails_at_its_first_use_leaves_the_connection_as_it_was(
    connections: Connections, database: psycopg.Connection[Row], bad: str, values: dict[str, object], said: str
) -> None:
    database.execute("CREATE TABLE root (id int4 PRIMARY KEY)")
    database.execute("CREATE TABLE leaf (root int4 REFERENCES root DEFERRABLE INITIALLY DEFERRED)")
    tried = statement(bad)
    for _ in range(3):
        with pytest.raises(HostError, match=said), connections.lease() as link:
            link.one(tried, values)
        with connections.lease() as link:
            assert link.one(ONE, {}) == (1,)
    if values:
        with connections.lease() as link:
            assert link.one(tried, {"by": 1}) == (1,)
    assert sessions(database) == 1
    assert database.execute("SELECT count(*) FROM leaf").fetchone() == (0,)


@pytest.mark.parametrize("known", [False, True], ids=["its first use", "a later one"])
def test_a_connection_that_is_cut_during_a_statement_says_so(
    connections: Connections, database: psycopg.Connection[Row], known: bool
) -> None:
    cut = statement("SELECT CASE WHEN :cut THEN pg_terminate_backend(pg_backend_pid()) END")
    if known:
        with connections.lease() as link:
            link.one(cut, {"cut": False})
    with pytest.raises(StoreUnavailable, match="does not answer any more"), connections.lease() as link:
        link.one(cut, {"cut": True})
    with connections.lease() as link:
        assert link.one(cut, {"cut": False}) == (None,)
    assert sessions(database) == 1


def test_a_connection_that_was_cut_is_opened_again_and_others_with_it(
    connections: Connections, database: psycopg.Connection[Row]
) -> None:
    together(*[lambda: _nap(connections)] * 2)
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'codemation'")
    with pytest.raises(StoreUnavailable, match="does not answer any more"):
        _nap(connections)
    for _ in range(3):
        _nap(connections)


def test_the_server_is_looked_after_before_a_lost_connection_is_opened_again(server: Server, url: str) -> None:
    started: list[bool] = []

    def start_again() -> None:
        if not server.socket.exists():
            server.start()
            started.append(True)

    with Connections(url, on_lost=start_again) as connections:
        _nap(connections)
        server.stop("immediate")
        with pytest.raises(StoreUnavailable):
            _nap(connections)
        _nap(connections)
        server.stop("immediate")
        with Connections(url, on_lost=start_again) as others:
            _nap(others)
    assert started == [True, True]


def test_a_server_that_is_down_is_told_with_the_place_and_the_way_out(server: Server, url: str) -> None:
    with open_stores(url) as opened:
        server.stop("immediate")
        try:
            with pytest.raises(StoreUnavailable, match="does not answer any more"):
                opened.stores.workers.living()
            with pytest.raises(StoreUnavailable, match=r"(?s)cannot be reached: .*start the server") as caught:
                opened.stores.workers.living()
            assert str(server.folder) in str(caught.value)
            with pytest.raises(StoreUnavailable):
                open_stores(url)
        finally:
            server.start()
        assert opened.stores.workers.living() == ()


@pytest.mark.parametrize("ask", [open_stores, upgrade])
def test_a_wrong_password_is_told_without_saying_it(server: Server, url: str, ask: object) -> None:
    secret = "hunter2-secret"
    guarded = url.replace("postgres@", f"guarded:{secret}@")
    with pytest.raises(
        StoreUnavailable, match=r"(?s)password authentication failed.*check user and password"
    ) as caught:
        ask(guarded)
    told = "".join(traceback.format_exception(caught.value))
    assert secret not in told


def test_the_right_password_opens_and_shows_nowhere(url: str, database: psycopg.Connection[Row]) -> None:
    database.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO guarded")
    with open_stores(url.replace("postgres@", "guarded:open%20sesame@")) as opened:
        assert "sesame" not in repr(opened.connections) + opened.describes + repr(vars(opened))


@pytest.mark.parametrize("broken", ["postgresql://u:hunter2@h:port/x", "postgresql://u:hunter2@h/x?no such=1"])
def test_a_url_that_cannot_be_read_is_not_repeated(broken: str) -> None:
    with pytest.raises(HostError) as caught:
        open_stores(broken)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_database_that_does_not_exist_is_told(server: Server) -> None:
    with pytest.raises(StoreUnavailable, match=r"(?s)nowhere.*does not exist.*create the database"):
        open_stores(server.url("nowhere"))


def test_what_the_url_says_goes_before_our_settings() -> None:
    given = connection_string("postgresql+psycopg://h/x?connect_timeout=1&options=-c%20lock_timeout%3D1s")
    assert "connect_timeout=1" in given
    assert given.index("lock_timeout=10s") < given.index("lock_timeout=1s")
    assert "options" not in connection_string("postgresql://h/x", sets=False)


def test_a_forked_child_opens_its_own_and_leaves_its_parents_alone(connections: Connections) -> None:
    with connections.lease() as link:
        parent = link.connection.info.backend_pid
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        answer = b"0"
        try:
            with connections.lease() as link:
                answer = str(link.connection.info.backend_pid).encode()
            connections.close()
        finally:
            os.write(writer, answer)
            os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reader, 100)) not in (0, parent)
    with connections.lease() as link:
        assert link.connection.info.backend_pid == parent
        assert link.one(ONE, {}) == (1,)
    os.close(reader)
    os.close(writer)


def test_a_lease_that_a_fork_interrupted_is_given_back_in_the_parent_alone(connections: Connections) -> None:
    with connections.lease() as link:
        child = os.fork()
        if child:
            assert os.waitpid(child, 0)[1] == 0
            assert link.one(ONE, {}) == (1,)
    if not child:
        with connections.lease() as own:
            os._exit(own is link)
    with connections.lease() as again:
        assert again is link


def test_closed_stores_say_that_they_are_closed(url: str) -> None:
    opened = open_stores(url)
    opened.close()
    opened.close()
    with pytest.raises(HostError, match="were closed"):
        opened.stores.workers.living()


def test_nobody_waits_for_ever_behind_a_lock(url: str, database: psycopg.Connection[Row]) -> None:
    impatient = url + "&options=-c%20lock_timeout%3D50ms"
    with open_stores(impatient) as opened, database.transaction():
        claim = World(opened.stores).held("a/1")
        commit = World(opened.stores).commit(claim)
        database.execute("SELECT FROM runs FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="could not do it now"):
            opened.stores.journal.step(commit)


def test_connections_carry_limits_so_that_no_client_holds_up_another(connections: Connections) -> None:
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "TimeZone", "application_name")
    with connections.lease() as link:
        values = [link.connection.execute(f"SHOW {name}").fetchone() for name in names]
    assert values == [("10s",), ("30s",), ("10s",), ("UTC",), ("codemation",)]


@pytest.mark.parametrize(
    ("error", "ours", "told"),
    [
        (psycopg.errors.DiskFull("could not extend file"), HostError, "no space left"),
        (psycopg.errors.AdminShutdown("terminating"), StoreUnavailable, "does not answer"),
        (psycopg.errors.CrashShutdown("crash"), StoreUnavailable, "does not answer"),
        (psycopg.errors.ReadOnlySqlTransaction("read-only"), StoreUnavailable, "does not answer"),
        (psycopg.InterfaceError("the connection is closed"), StoreUnavailable, "does not answer"),
        (psycopg.errors.DeadlockDetected("deadlock"), StoreUnavailable, "could not do it now"),
        (psycopg.errors.TooManyConnections("too many"), StoreUnavailable, "could not do it now"),
        (psycopg.errors.UndefinedTable('relation "runs"'), SchemaMismatch, "codemation db migrate"),
        (psycopg.errors.CheckViolation("check"), HostError, "refused a statement"),
    ],
)
def test_each_error_of_the_database_becomes_one_of_ours(
    error: psycopg.Error, ours: type[CodemationError], told: str
) -> None:
    translated = translate(error, "database x")
    assert type(translated) is ours
    assert told in str(translated)


def test_stores_work_behind_a_pooler_that_forgets_prepared_statements(url: str) -> None:
    with open_stores(url, pooled=True) as opened:
        world = World(opened.stores)
        for _ in range(4):
            world.step(world.held("a/1"))
        with opened.connections.lease() as link:
            assert link.connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


def test_threads_that_wait_for_a_turn_are_woken_when_the_stores_are_closed(url: str) -> None:
    connections = Connections(url, limit=1)
    told: list[str] = []

    def wait() -> None:
        try:
            with connections.lease():
                told.append("lent")
        except HostError as error:
            told.append(error.message)

    with connections.lease():
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        connections.close()
    waiting.join(30)
    assert len(told) == 1
    assert "were closed" in told[0]


def _nap(connections: Connections) -> None:
    with connections.lease() as link:
        link.all(NAP, {})


@pytest.fixture
def crowded() -> Iterator[tuple[str, psycopg.Connection[Row]]]:
    """A server with five connections, of which somebody has one."""
    with (
        running_server(connections=5) as server,
        server.database("crowded") as url,
        psycopg.connect(url, autocommit=True) as database,
    ):
        yield url, database


def test_a_process_makes_do_with_the_connections_that_it_has_when_the_server_has_no_more(
    crowded: tuple[str, psycopg.Connection[Row]],
) -> None:
    url, database = crowded
    with Connections(url, limit=4) as many, Connections(url, limit=4) as few:
        together(*[lambda: _nap(few)] * 2)
        assert sessions(database) == 2
        together(*[lambda: _nap(many)] * 8)
        together(*[lambda: _nap(few)] * 8)
        assert sessions(database) == 4


def test_a_process_that_has_no_connection_is_told_what_to_do_and_gets_one_that_another_does_not_need(
    crowded: tuple[str, psycopg.Connection[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, database = crowded
    monkeypatch.setattr(connection, "REST", 0.05)
    with Connections(url, limit=4) as first, Connections(url, limit=4) as late:
        together(*[lambda: _nap(first)] * 4)
        assert sessions(database) == 4
        with pytest.raises(StoreUnavailable, match=r"(?s)too many clients.*raise max_connections"):
            _nap(late)
        for _ in range(4):
            _nap(first)  # takes long enough for the others to have rested
        assert sessions(database) == 1
        _nap(late)


def test_who_holds_all_that_there_is_does_not_wait_for_himself(
    crowded: tuple[str, psycopg.Connection[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = crowded
    monkeypatch.setattr(connection, "FULL", 0.1)
    with Connections(url, limit=4) as first, Connections(url, limit=4) as other:
        together(*[lambda: _nap(first)] * 3)
        with other.lease(), pytest.raises(StoreUnavailable, match="too many clients"):
            _nap(other)

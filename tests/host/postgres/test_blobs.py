"""Blobs by rows of PostgreSQL, with their bytes there or in a directory: found while they are used, and gone after."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

from codemation.core.errors import HostError, PayloadLost
from codemation.host.directory_blobs import DirectoryBlobs
from codemation.host.postgres.blobs import PostgresBlobs
from codemation.host.postgres.link import Row
from codemation.host.postgres.stores import PostgresStores, open_stores
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import World
from tests.host.postgres.clock import set_clock

CONTENT = b"the same content, " * 100_000
DAY = 24 * 3600.0


class Broken(io.BytesIO):
    """A stream that ends in an error."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data:
            raise ConnectionResetError("the sender went away")
        return data


@pytest.fixture(params=["in the database", "in a directory"])
def opened(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Iterator[PostgresStores]:
    directory = DirectoryBlobs(tmp_path / "blobs") if request.param == "in a directory" else None
    with open_stores(url, blobs=directory) as opened:
        yield opened


@pytest.fixture
def blobs(opened: PostgresStores) -> PostgresBlobs:
    return opened.blobs


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def kept(database: psycopg.Connection[Row], tmp_path: Path) -> tuple[int, int]:
    """How many rows there are, and how many uploads have bytes."""
    rows = database.execute("SELECT count(*), (SELECT count(DISTINCT blob) FROM blob_chunks) FROM blobs").fetchone()
    assert rows is not None
    return rows[0], rows[1] + len(files(tmp_path))


def read(blobs: PostgresBlobs, blob: str) -> bytes:
    with blobs.open(blob) as stream:
        return stream.read()


@pytest.mark.parametrize("content", [b"", b"x", CONTENT])
def test_a_stream_comes_back_as_it_was(blobs: PostgresBlobs, content: bytes) -> None:
    stored = blobs.put(io.BytesIO(content))
    assert (stored.size, stored.sha256) == (len(content), sha256(content).hexdigest())
    assert read(blobs, stored.id) == content
    with blobs.open(stored.id) as stream:
        assert stream.read(7) == content[:7]


def test_the_same_content_is_kept_once(blobs: PostgresBlobs, database: psycopg.Connection[Row], tmp_path: Path) -> None:
    ids = {blobs.put(io.BytesIO(CONTENT)).id for _ in range(3)}
    assert len(ids) == 1
    assert kept(database, tmp_path) == (1, 1)


def test_the_same_content_stored_at_once_is_kept_once(
    blobs: PostgresBlobs, database: psycopg.Connection[Row], tmp_path: Path
) -> None:
    for number in range(8):
        content = b"%d" % number
        ids = {stored.id for stored in together(*[lambda c=content: blobs.put(io.BytesIO(c))] * 4)}
        assert len(ids) == 1
        assert read(blobs, ids.pop()) == content
    assert kept(database, tmp_path) == (8, 8)


def test_a_stream_that_breaks_off_leaves_nothing(
    blobs: PostgresBlobs, database: psycopg.Connection[Row], tmp_path: Path
) -> None:
    with pytest.raises(ConnectionResetError):
        blobs.put(Broken(CONTENT))
    assert kept(database, tmp_path) == (0, 0)


def test_what_is_not_there_is_lost(blobs: PostgresBlobs) -> None:
    for blob in ("0" * 8, "../../etc/passwd", "01a20000-0000-7000-8000-000000000000"):
        with pytest.raises(PayloadLost):
            blobs.open(blob)


def test_what_nobody_uses_is_doomed_after_a_day_and_deleted_an_hour_later(
    opened: PostgresStores, blobs: PostgresBlobs, database: psycopg.Connection[Row], tmp_path: Path
) -> None:
    world = World(opened.stores)
    run = world.start("a/1")
    unused = blobs.keep(io.BytesIO(b"unused"), attached=False).id
    attached = blobs.put(io.BytesIO(b"attached")).id
    batch = opened.stores.payloads.put(run, CONTENT, 1, "items")
    assert blobs.doom() == 0
    set_clock(database, DAY + 60)
    assert blobs.doom() == 1
    assert blobs.delete_doomed() == 0, "somebody may still be reading it"
    assert read(blobs, unused) == b"unused"
    set_clock(database, DAY + 3700)
    assert blobs.delete_doomed() == 1
    with pytest.raises(PayloadLost):
        blobs.open(unused)
    assert read(blobs, attached) == b"attached"
    assert opened.stores.payloads.get(run, batch) == CONTENT
    assert kept(database, tmp_path) == (2, 2)


def test_doomed_content_is_stored_anew_and_survives_the_deletion(
    blobs: PostgresBlobs, database: psycopg.Connection[Row]
) -> None:
    first = blobs.keep(io.BytesIO(CONTENT), attached=False).id
    set_clock(database, DAY + 60)
    assert blobs.doom() == 1
    second = blobs.keep(io.BytesIO(CONTENT), attached=False).id
    assert first != second
    set_clock(database, DAY + 3700)
    assert blobs.delete_doomed() == 1
    assert read(blobs, second) == CONTENT


def test_storing_again_what_is_about_to_be_doomed_saves_it(
    blobs: PostgresBlobs, database: psycopg.Connection[Row], url: str
) -> None:
    first = blobs.keep(io.BytesIO(CONTENT), attached=False).id
    set_clock(database, DAY + 60)
    with psycopg.connect(url) as other:  # stands for an upload that has just found its twin
        other.execute("UPDATE blobs SET touched_at = now_() WHERE state = 1")
        doomed: list[int] = []
        collector = threading.Thread(target=lambda: doomed.append(blobs.doom()))
        collector.start()
        collector.join(0.3)
        assert collector.is_alive(), "the collector should wait for whoever touches the row"
    collector.join(30)
    assert doomed == [0]
    assert read(blobs, first) == CONTENT


def test_storing_against_dooming_never_leaves_a_batch_without_its_bytes(
    opened: PostgresStores, blobs: PostgresBlobs, database: psycopg.Connection[Row]
) -> None:
    run = World(opened.stores).start("a/1")
    for number in range(20):
        content = CONTENT + b"%d" % number
        blobs.keep(io.BytesIO(content), attached=False)
        database.execute("UPDATE blobs SET touched_at = now_() - interval '25 hours'")
        batch, _ = together(lambda c=content: opened.stores.payloads.put(run, c, 1, "items"), blobs.doom)
        database.execute("UPDATE blobs SET touched_at = now_() - interval '2 hours' WHERE state = 2")
        blobs.delete_doomed()
        assert opened.stores.payloads.get(run, batch) == content


def test_an_upload_that_nobody_goes_on_with_is_swept(
    blobs: PostgresBlobs, database: psycopg.Connection[Row], tmp_path: Path
) -> None:
    database.execute("INSERT INTO blobs (id) VALUES ('01a20000-0000-7000-8000-000000000000')")
    assert blobs.doom() == 0
    set_clock(database, DAY + 60)
    assert blobs.doom() == 1
    set_clock(database, DAY + 3700)
    assert blobs.delete_doomed() == 1
    assert kept(database, tmp_path) == (0, 0)


def test_an_upload_that_took_so_long_that_it_was_swept_says_so(
    blobs: PostgresBlobs, database: psycopg.Connection[Row], tmp_path: Path
) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            set_clock(database, DAY + 60)
            blobs.doom()
            set_clock(database, DAY + 3700)
            blobs.delete_doomed()
            return super().read(size)

    with pytest.raises(HostError):
        blobs.put(Slow(b"slow"))


def test_a_damaged_stream_says_so_at_its_end(
    blobs: PostgresBlobs, database: psycopg.Connection[Row], tmp_path: Path
) -> None:
    stored = blobs.put(io.BytesIO(CONTENT))
    database.execute("UPDATE blob_chunks SET data = set_byte(data, 0, 1) WHERE n = 0")
    for file in files(tmp_path):
        file.write_bytes(b"x" + file.read_bytes()[1:])
    with blobs.open(stored.id) as stream, pytest.raises(PayloadLost, match="damaged"):
        stream.read()


def test_stores_refuse_to_keep_bytes_where_they_cannot_name_them(url: str, opened: PostgresStores) -> None:
    class Elsewhere:
        put = open = None

    with pytest.raises(HostError, match="cannot keep the bytes"):
        open_stores(url, blobs=Elsewhere())

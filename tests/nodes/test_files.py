"""Files are read and written whole: bad rows are named by their line, and nobody ever sees a half."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codemation as cm
from codemation.core.errors import ContractError, NodeError, RunFailed
from codemation.host.handles import RunHandle

Run = Callable[..., RunHandle]
ORDERS = "id,name,total\n1,Ada,2.5\n2,Grace,3\n3,Alan,4\n"


def rows(table: Any) -> list[dict[str, Any]]:
    return pa.table(table).to_pylist()


def put(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def names(folder: Path | str) -> list[str]:
    return sorted(one.name for one in Path(folder).iterdir())


# --- reading ---------------------------------------------------------------------------------------------------------


def test_csv_files_are_read_by_path_pattern_folder_list_or_item(tmp_path: Path) -> None:
    first, second = put(tmp_path / "a" / "1.csv", "n\n1\n"), put(tmp_path / "a" / "b" / "2.csv", "n\n2\n")
    put(tmp_path / "a" / "_note.csv", "x\n")
    put(tmp_path / "a" / ".hidden.csv", "x\n")
    for path in (str(tmp_path / "a"), str(tmp_path / "a/**/*.csv"), [first, second]):
        assert rows(cm.nodes.read_csv([], path=path)) == [{"n": 1}, {"n": 2}]
    assert rows(cm.nodes.read_csv([{"path": first}, Path(second)])) == [{"n": 1}, {"n": 2}]
    assert rows(cm.nodes.read_csv([], path=[first, first])) == [{"n": 1}]


def test_a_file_that_is_not_there_is_an_error_that_says_where_it_looked(tmp_path: Path) -> None:
    put(tmp_path / "orders.csv", ORDERS)
    with pytest.raises(NodeError, match=f"no file {tmp_path}/order.csv; did you mean 'orders.csv'"):
        cm.nodes.read_csv([], path=str(tmp_path / "order.csv"))
    with pytest.raises(NodeError, match=rf"no file matches .*: looked in {tmp_path}; there are orders.csv"):
        cm.nodes.read_csv([], path=str(tmp_path / "*.xyz"))
    with pytest.raises(NodeError, match=r"the folder .* is not there"):
        cm.nodes.read_csv([], path=str(tmp_path / "gone" / "x.csv"))
    with pytest.raises(NodeError, match="holds no file that ends in"):
        cm.nodes.read_parquet([], path=str(tmp_path))
    with pytest.raises(ContractError, match="item 0 names no file"):
        cm.nodes.read_csv([{"file": "x"}])


def test_what_folders_say_becomes_columns(tmp_path: Path) -> None:
    put(tmp_path / "year=2025" / "land=NO%2FSE" / "a.csv", "n\n1\n")
    put(tmp_path / "year=2026" / "land=__HIVE_DEFAULT_PARTITION__" / "a.csv", "n\n2\n")
    found = rows(cm.nodes.read_csv([], path=str(tmp_path), source="file"))
    assert [(row["n"], row["year"], row["land"]) for row in found] == [(1, 2025, "NO/SE"), (2, 2026, None)]
    assert found[0]["file"].endswith("a.csv")
    put(tmp_path / "year=007" / "land=x" / "a.csv", "n\n3\n")
    assert {row["year"] for row in rows(cm.nodes.read_csv([], path=str(tmp_path)))} == {"007", "2025", "2026"}


def test_files_with_other_columns_are_refused_or_filled_up(tmp_path: Path) -> None:
    put(tmp_path / "1.csv", "n,m\n1,2\n")
    put(tmp_path / "2.csv", "n\n3\n")
    with pytest.raises(ContractError, match="has the column 'm'"):
        cm.nodes.read_csv([], path=str(tmp_path))
    found = rows(cm.nodes.read_csv([], path=str(tmp_path), missing="null"))
    assert found == [{"n": 1, "m": 2}, {"n": 3, "m": None}]
    put(tmp_path / "3.csv", "n\nx\n")
    with pytest.raises(ContractError, match="no one table"):
        cm.nodes.read_csv([], path=str(tmp_path), missing="null")
    assert len(rows(cm.nodes.read_csv([], path=str(tmp_path), missing="null", types={"n": "str"}))) == 3


def test_rows_that_cannot_be_read_are_named_by_their_line(tmp_path: Path) -> None:
    text = 'id,note,total\n1,"two\nlines",1\n\n2,x,many\n3,y\n4,z,4,5\n5,"w\nv",none\n6,u,6\n'
    path = put(tmp_path / "bad.csv", text)
    found = cm.nodes.read_csv([], path=path, types={"total": "int"})
    assert [row["id"] for row in rows(found)] == [1, 6]
    failures = found.failures  # type: ignore[attr-defined]
    assert [(one.item["line"], one.error.partition(": ")[2]) for one in failures] == [
        (5, "total is 'many', which is no int64"),
        (6, "2 fields instead of 3"),
        (7, "4 fields instead of 3"),
        (8, "total is 'none', which is no int64"),
    ]
    assert failures[0].item["text"] == "2,x,many"
    found = cm.nodes.read_csv([], path=path)
    assert [one.item["line"] for one in found.failures] == [6, 7]  # type: ignore[attr-defined]


def test_what_becomes_of_bad_rows_is_the_choice_of_the_author(run: Run, tmp_path: Path) -> None:
    path = put(tmp_path / "bad.csv", "id,total\n1,1\n2\n3,3\n")
    start = cm.workflow("files.bad")
    with pytest.raises(RunFailed, match=r"bad.csv, line 3: 1 fields instead of 2"):
        run(start.then(cm.nodes.read_csv, path=path).build())
    dropped = run(start.then(cm.nodes.read_csv, path=path, on_error="drop").build())
    assert [row["id"] for row in dropped["read_csv"].items] == [1, 3]
    routed = run(start.then(cm.nodes.read_csv, path=path, on_error="port").build())
    assert routed["read_csv"]["main"].count == 2
    (failure,) = routed["read_csv"].failures
    assert failure.item["line"] == 3
    assert failure.node == "read_csv"


def test_too_many_bad_rows_are_another_kind_of_file(tmp_path: Path) -> None:
    path = put(tmp_path / "bad.csv", "a,b\n" + "1\n" * 10_001)
    with pytest.raises(NodeError, match="more than 10,000 rows that cannot be read"):
        cm.nodes.read_csv([], path=path)


def test_csv_in_other_forms_is_read_when_they_are_said(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("1;'é;x';-\n".encode("latin-1"))
    found = cm.nodes.read_csv(
        [], path=str(path), delimiter=";", quote="'", encoding="latin-1", header=["n", "t", "m"], nulls=["-"]
    )
    assert rows(found) == [{"n": 1, "t": "é;x", "m": None}]
    with pytest.raises(NodeError, match="cannot be read as CSV"):
        cm.nodes.read_csv([], path=str(path))
    with pytest.raises(NodeError, match="is empty"):
        cm.nodes.read_csv([], path=put(tmp_path / "empty.csv", ""))
    with pytest.raises(ContractError, match="did you mean 'total'"):
        cm.nodes.read_csv([], path=put(tmp_path / "o.csv", ORDERS), columns=["totl"])
    with pytest.raises(ContractError, match="did you mean 'total'"):
        cm.nodes.read_csv([], path=put(tmp_path / "o.csv", ORDERS), types={"totl": "int"})


def test_no_digit_is_lost_by_guessing(tmp_path: Path) -> None:
    path = put(
        tmp_path / "a.csv", "id,zip,long,huge,broad,flag\n1,00501,12345678901234567890,1e300,1.5,0\n2,10001,7,2,,1\n"
    )
    assert rows(cm.nodes.read_csv([], path=path)) == [
        {"id": 1, "zip": "00501", "long": Decimal(12345678901234567890), "huge": 1e300, "broad": 1.5, "flag": 0},
        {"id": 2, "zip": "10001", "long": Decimal(7), "huge": 2.0, "broad": None, "flag": 1},
    ]
    assert rows(cm.nodes.read_csv([], path=path, types={"zip": "int"}, columns=["zip"]))[0] == {"zip": 501}
    wide = tmp_path / "wide.csv"
    wide.write_bytes("n\n007\n".encode("utf-16"))
    assert rows(cm.nodes.read_csv([], path=str(wide), encoding="utf-16")) == [{"n": "007"}]
    lines = put(tmp_path / "a.jsonl", '{"n": 12345678901234567890, "x": 1e300}\n{"n": null, "x": 1.5}\n')
    assert rows(cm.nodes.read_jsonl([], path=lines)) == [
        {"n": Decimal(12345678901234567890), "x": 1e300},
        {"n": None, "x": 1.5},
    ]


def test_times_in_json_keep_what_they_say_of_their_zone(tmp_path: Path) -> None:
    said = ["2026-03-29T02:30:00+02:00", "2026-03-29 00:30:00Z"]
    path = put(tmp_path / "zoned.jsonl", "".join(json.dumps({"at": at}) + "\n" for at in said))
    assert {row["at"] for row in rows(cm.nodes.read_jsonl([], path=path))} == {datetime(2026, 3, 29, 0, 30, tzinfo=UTC)}
    path = put(tmp_path / "mixed.jsonl", '{"at": "2026-03-29T02:30:00Z"}\n{"at": "2026-03-29T02:30:00"}\n')
    assert rows(cm.nodes.read_jsonl([], path=path))[1] == {"at": "2026-03-29T02:30:00"}
    path = put(tmp_path / "days.jsonl", '{"at": "2026-03-29"}\n')
    assert rows(cm.nodes.read_jsonl([], path=path)) == [{"at": datetime(2026, 3, 29)}]  # noqa: DTZ001 - says no zone


def test_files_that_would_be_misread_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for text, said in (
        ("id,name,id\n1,a,2\n", r"a.csv has two columns called 'id'"),
        (",name,\n1,a,2\n", "a.csv has two columns called ''"),
        ('id,name\n1,"open\n2,b\n', "a.csv, line 2: a quote is opened and never closed"),
        ("id,name\n1,a\n2,Jos\xe9\n", r"a.csv: name holds b'Jos\\xe9', which is no UTF-8"),
    ):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(NodeError, match=said):
            cm.nodes.read_csv([], path=str(path))
    assert rows(cm.nodes.read_csv([], path=str(path), encoding="latin-1"))[1]["name"] == "José"
    path.write_text('id,name\n1,a\n2,"two\nlines"\n', encoding="utf-8")
    assert rows(cm.nodes.read_csv([], path=str(path)))[1]["name"] == "two\nlines"
    with pytest.raises(ContractError, match=r"a.csv has a column 'name' already"):
        cm.nodes.read_csv([], path=str(path), source="name")
    put(tmp_path / "b.csv", "id,name\nx,y\n")
    with pytest.raises(ContractError, match=r"'id' is int64 in .*a.csv and string in .*b.csv"):
        cm.nodes.read_csv([], path=str(tmp_path))


def test_packed_files_are_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(gzip.compress(ORDERS.encode()))
    table = cm.nodes.read_csv([], path=str(path))
    assert len(rows(table)) == 3
    cm.nodes.write_jsonl(table, path=str(tmp_path / "orders.jsonl.gz"))
    assert len(gzip.decompress((tmp_path / "orders.jsonl.gz").read_bytes()).splitlines()) == 3
    cm.nodes.write_jsonl(table, path=str(tmp_path / "orders.jsonl.gz"), if_exists="append")
    assert len(rows(cm.nodes.read_jsonl([], path=str(tmp_path / "orders.jsonl.gz")))) == 6


def test_json_lines_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    lines = ['{"id": 1, "t": "2026-01-01T00:00:00Z"}', "{", "", "[1]", '{"id": "x"}', '{"id": 5}']
    path = put(tmp_path / "x.jsonl", "\n".join(lines))
    found = cm.nodes.read_jsonl([], path=path, types={"id": "int"})
    assert [row["id"] for row in rows(found)] == [1, 5]
    said = [(one.item["line"], one.error) for one in found.failures]  # type: ignore[attr-defined]
    assert [line for line, _ in said] == [2, 4, 5]
    assert "no JSON" in said[0][1]
    assert "no object but list" in said[1][1]
    assert "id is 'x', which is no int64" in said[2][1]
    with pytest.raises(ContractError, match="say the types"):
        cm.nodes.read_jsonl([], path=put(tmp_path / "y.jsonl", '{"id": "x"}\n{"id": 5}\n'))
    assert rows(cm.nodes.read_jsonl([], path=put(tmp_path / "empty.jsonl", ""), types={"id": "int"})) == []
    assert rows(cm.nodes.read_jsonl([], path=path, types={"id": "int"}, columns=["id"])) == [{"id": 1}, {"id": 5}]


def test_long_files_of_json_lines_are_read_block_by_block(tmp_path: Path) -> None:
    filler = "x" * 1000
    path = tmp_path / "long.jsonl"
    with path.open("w") as stream:
        for at in range(40_000):
            stream.write("broken\n" if at == 30_000 else json.dumps({"n": at, "f": filler}) + "\n")
    found = cm.nodes.read_jsonl([], path=str(path), columns=["n"])
    assert pa.table(found).column("n").to_pylist() == [at for at in range(40_000) if at != 30_000]
    assert [one.item["line"] for one in found.failures] == [30_001]  # type: ignore[attr-defined]


def test_of_parquet_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    table = pa.table({"n": list(range(10)), "year": [2025] * 5 + [2026] * 5, "t": ["x"] * 10})
    cm.nodes.write_parquet(table, path=str(tmp_path / "t"), partition_by=["year"])
    (tmp_path / "t" / "year=2024").mkdir()
    (tmp_path / "t" / "year=2024" / "broken.parquet").write_bytes(b"nothing")
    read = cm.nodes.read_parquet(
        [], path=str(tmp_path / "t"), columns=["year", "n"], where=[("year", ">=", 2026), ("n", "in", [5, 9])]
    )
    assert rows(read) == [{"year": 2026, "n": 5}, {"year": 2026, "n": 9}]
    with pytest.raises(NodeError, match=r"broken.parquet cannot be read as Parquet"):
        cm.nodes.read_parquet([], path=str(tmp_path / "t"))
    with pytest.raises(ContractError, match="the operator '='"):
        cm.nodes.read_parquet([], path=str(tmp_path / "t"), where=[("n", "=", 1)])
    with pytest.raises(ContractError, match="did you mean 't'"):
        cm.nodes.read_parquet([], path=str(tmp_path / "t/year=2025"), columns=["tt"])
    with pytest.raises(ContractError, match="no folder fits"):
        cm.nodes.read_parquet([], path=str(tmp_path / "t"), where=[("year", ">", 3000)])


# --- writing ---------------------------------------------------------------------------------------------------------

THINGS = pa.table(
    {
        "n": [1, None],
        "t": ["a,b", 'say "x"\n'],
        "at": [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None],
        "day": [date(2026, 1, 2), None],
        "d": [Decimal("1.50"), None],
        "f": [float("nan"), 0.1],
    }
)
WRITERS: dict[str, tuple[Any, Any]] = {
    "csv": (cm.nodes.write_csv, cm.nodes.read_csv),
    "jsonl": (cm.nodes.write_jsonl, cm.nodes.read_jsonl),
    "parquet": (cm.nodes.write_parquet, cm.nodes.read_parquet),
}
each_form = pytest.mark.parametrize("form", WRITERS)


@each_form
def test_what_is_written_is_what_is_read(form: str, tmp_path: Path) -> None:
    write, read = WRITERS[form]
    path = str(tmp_path / f"new/x.{form}")
    (told,) = write(THINGS, path=path)
    assert told == {"path": path, "rows": 2, "bytes": Path(path).stat().st_size}
    back = rows(read([], path=path))
    assert [row["n"] for row in back] == [1, None]
    assert back[0]["t"] == "a,b"
    assert back[1]["f"] == 0.1
    assert names(tmp_path / "new") == [f"x.{form}"]


@each_form
def test_a_place_that_is_taken_is_overwritten_refused_or_lengthened(form: str, tmp_path: Path) -> None:
    write, read = WRITERS[form]
    path = str(tmp_path / f"x.{form}")
    table = pa.table({"n": [1], "m": ["a"]})
    write(table, path=path)
    write(table, path=path)
    assert len(rows(read([], path=path))) == 1
    with pytest.raises(NodeError, match="is there already"):
        write(table, path=path, if_exists="error")
    write(pa.table({"n": [2], "m": ["b"]}), path=path, if_exists="append")
    assert rows(read([], path=path)) == [{"n": 1, "m": "a"}, {"n": 2, "m": "b"}]
    if form != "jsonl":
        with pytest.raises(ContractError, match="has the columns n, m, and the rows to add m, n"):
            write(table.select(["m", "n"]), path=path, if_exists="append")
    assert len(rows(read([], path=path))) == 2
    with pytest.raises(NodeError, match="is a folder"):
        write(table, path=str(tmp_path))
    assert names(tmp_path) == [f"x.{form}"]


@each_form
def test_a_folder_of_parts_is_replaced_as_a_whole_or_lengthened_by_files_of_its_own(form: str, tmp_path: Path) -> None:
    write, read = WRITERS[form]
    path = str(tmp_path / "parts")
    table = pa.table({"n": [1, 2, 3], "land": ["NO", "S/E", None]})
    told = write(table, path=path, partition_by=["land"])
    assert [one["rows"] for one in told] == [1, 1, 1]
    assert names(path) == ["land=NO", "land=S%2FE", "land=__HIVE_DEFAULT_PARTITION__"]
    back = rows(read([], path=path))
    assert sorted((row["n"], row["land"]) for row in back if row["land"]) == [(1, "NO"), (2, "S/E")]
    write(table.slice(0, 1), path=path, partition_by=["land"], if_exists="append")
    assert len(rows(read([], path=path))) == 4
    write(table.slice(0, 1), path=path, partition_by=["land"])
    assert names(path) == ["land=NO"]
    assert names(tmp_path) == ["parts"]
    with pytest.raises(NodeError, match="is there already"):
        write(table, path=path, partition_by=["land"], if_exists="error")
    with pytest.raises(ContractError, match="no column is left"):
        write(table, path=path, partition_by=["land", "n"])
    with pytest.raises(NodeError, match="is a file"):
        write(table, path=put(tmp_path / "f", ""), partition_by=["land"])


def test_too_many_parts_are_refused_and_leave_what_was_there(tmp_path: Path) -> None:
    path = str(tmp_path / "parts")
    cm.nodes.write_csv(pa.table({"n": [1], "k": [1]}), path=path, partition_by=["k"])
    with pytest.raises(NodeError, match="too many values"):
        cm.nodes.write_csv(pa.table({"n": range(501), "k": range(501)}), path=path, partition_by=["k"])
    assert names(path) == ["k=1"]
    assert names(tmp_path) == ["parts"]


def test_texts_that_no_folder_can_be_called_come_back(tmp_path: Path) -> None:
    given = [{"n": n, "land": land} for n, land in enumerate(["", None, "a/b", "..", "ø %00"])]
    cm.nodes.write_parquet(pa.Table.from_pylist(given), path=str(tmp_path / "out"), partition_by=["land"])
    found = rows(cm.nodes.read_parquet([], path=str(tmp_path / "out")))
    assert sorted(found, key=lambda row: row["n"]) == given


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_rows_that_cannot_be_written_leave_what_was_there(form: str, tmp_path: Path) -> None:
    write, read = WRITERS[form]
    path = str(tmp_path / f"x.{form}")
    write(pa.table({"n": [1]}), path=path)
    odd = pa.table({"n": pa.array([[(1, 2)]], pa.map_(pa.int64(), pa.int64()))})
    if form == "parquet":
        odd = pa.table({"n": pa.array([{}], pa.struct([]))})
    with pytest.raises((ContractError, NodeError)):
        write(odd, path=path)
    assert rows(read([], path=path)) == [{"n": 1}]
    assert names(tmp_path) == [f"x.{form}"]


def test_another_try_at_lengthening_a_folder_adds_nothing_twice(tmp_path: Path) -> None:
    path, table = str(tmp_path / "parts"), pa.table({"n": [1], "k": ["a"]})
    for key in ("run/write", "run/write", "other/write"):
        context = cm.Context(idempotency_key=key)
        cm.nodes.write_parquet(table, path=path, partition_by=["k"], if_exists="append", ctx=context)
    assert len(rows(cm.nodes.read_parquet([], path=path))) == 2


WRITING = """
import itertools, sys
import pyarrow as pa
import codemation as cm
big = pa.table({"n": range(200_000), "k": [at % 7 for at in range(200_000)]})
print("ready", flush=True)
for turn in itertools.count():
    part = big.append_column("turn", pa.array([turn] * big.num_rows))
    cm.nodes.write_csv(part, path=sys.argv[1] + "/one.csv", ctx=cm.Context(idempotency_key="one"))
    cm.nodes.write_csv(part, path=sys.argv[1] + "/parts", partition_by=["k"], ctx=cm.Context(idempotency_key="parts"))
"""


def test_whoever_looks_while_a_writer_is_killed_sees_a_whole(tmp_path: Path) -> None:
    for pause in (0.3, 0.5, 0.75, 1.0):
        writer = subprocess.Popen([sys.executable, "-c", WRITING, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(pause)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        for name in ("one.csv", "parts"):
            if (tmp_path / name).exists():
                read = pa.table(cm.nodes.read_csv([], path=str(tmp_path / name)))
                assert read.num_rows == 200_000
                assert len(set(read.column("turn").to_pylist())) == 1
    small = pa.table({"n": [1], "k": [1]})
    cm.nodes.write_csv(small, path=str(tmp_path / "one.csv"), ctx=cm.Context(idempotency_key="one"))
    cm.nodes.write_csv(small, path=str(tmp_path / "parts"), partition_by=["k"], ctx=cm.Context(idempotency_key="parts"))
    assert names(tmp_path) == ["one.csv", "parts"]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
RECORDS = st.lists(st.tuples(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), TEXTS), min_size=1, max_size=8)


@given(RECORDS)
def test_json_lines_and_parquet_give_back_any_text_and_number(drawn: list[tuple[int | None, str]]) -> None:
    import tempfile

    table = pa.table({"n": pa.array([n for n, _ in drawn], pa.int64()), "t": [t for _, t in drawn]})
    with tempfile.TemporaryDirectory() as folder:
        for form in ("jsonl", "parquet"):
            write, read = WRITERS[form]
            write(table, path=f"{folder}/x.{form}")
            types = {"types": {"n": "int", "t": "str"}} if form == "jsonl" else {}
            assert rows(read([], path=f"{folder}/x.{form}", **types)) == table.to_pylist()


def test_files_are_nodes_like_any_other(run: Run, tmp_path: Path) -> None:
    put(tmp_path / "in" / "orders.csv", ORDERS)
    flow = cm.workflow("files.copied", input=dict).then(cm.nodes.read_csv).then(cm.nodes.sort, by="total")
    done = run(
        flow.tap(cm.nodes.write_parquet, path=str(tmp_path / "out.parquet")).build(),
        [{"path": str(tmp_path / "in")}],
    )
    assert pq.read_table(tmp_path / "out.parquet").column("id").to_pylist() == [1, 2, 3]
    assert done["write_parquet"].count == 3

"""What nodes gave and said: page by page, and as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import pyarrow.parquet
import pytest

from tests.web.goods import TABLES
from tests.web.serving import Site, Web, open_site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with open_site(tables=TABLES) as site:
        yield site


@pytest.fixture(scope="module")
def run(web: Web) -> str:
    run = web.start("tables", params={"rows": 2500})
    assert web.ended(run)["status"] == "succeeded"
    return run


def test_a_table_is_read_page_by_page(web: Web, run: str) -> None:
    path = f"/runs/{run}/nodes/load/outputs/main"
    page = web.get(path, params={"limit": 1000}).json()
    assert (page["kind"], page["count"], page["next"], len(page["items"])) == ("table", 2500, 1000, 1000)
    assert page["columns"][:2] == [{"name": "n", "type": "int64"}, {"name": "name", "type": "string"}]
    seen = page["items"]
    while page["next"] is not None:
        page = web.get(path, params={"limit": 1000, "offset": page["next"]}).json()
        seen += page["items"]
    assert [row["n"] for row in seen] == list(range(2500))
    assert seen[1] == {"n": 1, "name": "row 1", "day": "2026-01-31", "tags": ["a", "b"]}
    assert web.get(path, params={"offset": 9999}).json()["items"] == []
    assert web.get(path, params={"offset": -1}).status_code == 422
    assert web.get(f"/runs/{run}/nodes/lod/outputs/main").json()["way_out"] == "did you mean 'load'?"
    assert web.get(f"/runs/{run}/nodes/load/outputs/man").status_code == 404


def test_an_item_too_large_for_a_page_is_left_out(web: Web, run: str) -> None:
    page = web.get(f"/runs/{run}/nodes/large/outputs/main").json()
    assert (page["items"], page["left_out"], page["next"]) == ([None], [0], None)
    whole = web.get(f"/runs/{run}/nodes/large/outputs/main/download")
    assert len(whole.json()["text"]) == 1_500_000


def test_a_table_is_downloaded(web: Web, run: str) -> None:
    path = f"/runs/{run}/nodes/load/outputs/main/download"
    lines = [json.loads(line) for line in web.get(path).text.splitlines()]
    assert (len(lines), lines[2]["name"]) == (2500, "row 2")
    rows = list(csv.DictReader(io.StringIO(web.get(path, params={"format": "csv"}).text)))
    assert (len(rows), rows[2]["day"], rows[2]["tags"]) == (2500, "2026-01-31", '["a", "b"]')
    answer = web.get(path, params={"format": "parquet"})
    assert pyarrow.parquet.read_table(io.BytesIO(answer.content)).num_rows == 2500
    assert answer.headers["content-disposition"].startswith('attachment; filename="load-main.parquet"')
    assert web.get(path, params={"format": "xls"}).status_code == 422


def test_items_are_downloaded_as_a_table_if_they_make_one(web: Web, run: str) -> None:
    path = f"/runs/{run}/nodes/each/outputs/main/download"
    assert web.get(path, params={"format": "csv"}).text.splitlines()[:2] == ['"n","half"', "0,0"]
    refused = web.get(f"/runs/{run}/nodes/bare/outputs/main/download", params={"format": "csv"})
    assert refused.status_code == 422
    assert web.get(f"/runs/{run}/nodes/bare/outputs/main/download").text == '"text"\n'


def test_the_log_is_read_page_by_page_and_downloaded(web: Web, run: str) -> None:
    last = web.get(f"/runs/{run}/logs", params={"limit": 2}).json()
    assert len(last["items"]) == 2
    seen: list[str] = []
    page = web.get(f"/runs/{run}/logs", params={"after": 0, "limit": 100}).json()
    while page["items"]:
        seen += [line["text"] for line in page["items"]]
        page = web.get(f"/runs/{run}/logs", params={"after": page["next"], "limit": 100}).json()
    assert seen.count("item 249") == 1
    assert len(seen) == 250
    text = web.get(f"/runs/{run}/logs/download").text
    assert (len(text.splitlines()), " each " in text and text.count(" item 7\n") == 1) == (250, True)
    assert web.get(f"/runs/{run}/logs", params={"node": "load"}).json() == {"items": [], "next": None}
    assert web.get(f"/runs/{run}/logs", params={"node": "lod"}).status_code == 404

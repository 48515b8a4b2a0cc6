"""The report is one file that asks for nothing, is the same every time, and shows the numbers that pandas finds."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from flights import artifact, picture, records, report, wording

from tests.app_template import pipeline, plain

ROOT = Path(__file__).parents[2]
ANSWERED = [
    "Late departures by scheduled hour",
    "The 10 days with the most departures late, and their weather",
    "Late departures and cancellations by weather",
    "Late departures in fair and in rough weather, by carrier",
    "The routes that are late most often",
    "Late departures by age of the aircraft",
    "Share of the variance of lateness explained",
]


class Page(HTMLParser):
    """What stands on a page: its tables by name, and every attribute and style that could ask for something."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self._rows: list[list[str]] = []
        self._cell: list[str] | None = None
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "table":
            self._rows = self.tables.setdefault(dict(attrs)["aria-label"] or "", [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"}:
            self._cell = []

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"} and self._cell is not None:
            self._rows[-1].append("".join(self._cell).replace("\N{NO-BREAK SPACE}", " "))
            self._cell = None

    def rows(self, name: str) -> dict[str, list[str]]:
        """The rows of a table by their heads, without the line of column heads."""
        return {row[0]: row[1:] for row in self.tables[name][1:]}


@pytest.fixture(scope="module")
def content(work: pipeline.Work, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report.render(pipeline.answers(work, tmp_path_factory.mktemp("year"), resamples=200))


@pytest.fixture(scope="module")
def page(content: str) -> Page:
    return Page(content)


def percent(series: pd.Series[bool]) -> str:
    return f"{series.mean():.1%}"


def test_the_page_answers_seven_questions_each_with_a_finding_a_picture_and_a_table(content: str, page: Page) -> None:
    sections = re.findall(r'<section id="q\d">(.*?)</section>', content, re.DOTALL)
    assert len(sections) == len(ANSWERED) == 7
    for section, name in zip(sections, ANSWERED, strict=True):
        assert re.search(r"<h2>[^<]+\?</h2><p>[^<]+\.</p>", section)
        assert section.count("<svg") == 2
        assert len(page.tables[name]) > 3


def test_the_page_asks_for_nothing_outside_itself_and_runs_no_script(content: str, page: Page) -> None:
    asks = {"src", "srcset", "href", "xlink:href", "action", "data", "poster"}
    assert [each for each in page.attributes if each[1] in asks and not each[2].startswith("#")] == []
    assert {tag for tag, _, _ in page.attributes} & {"script", "link", "iframe", "object", "embed", "img"} == set()
    assert [name for _, name, _ in page.attributes if name.startswith("on")] == []
    assert re.findall(r"url\(|@import|https?://|<script", content) == []
    assert len(content.encode()) < 1_500_000


def test_every_picture_is_well_formed_has_a_name_and_stays_within_its_frame(content: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", content, re.DOTALL)
    names = []
    for drawing in drawings:
        picture_ = ET.fromstring(drawing)  # noqa: S314 — our own output
        width, height = (float(each) for each in picture_.attrib["viewBox"].split()[2:])
        title = picture_[0]
        assert title.tag == "title"
        assert title.text
        assert picture_.attrib["aria-labelledby"] == title.attrib["id"]
        names.append(title.attrib["id"])
        for mark in picture_.iter():
            across = [float(mark.attrib.get(name, 0)) for name in ("x", "x1", "x2", "cx")]
            down = [float(mark.attrib.get(name, 0)) for name in ("y", "y1", "y2", "cy")]
            assert -1 <= min(across) <= max(across) <= width + 1
            assert -1 <= min(down) <= max(down) <= height + 1
    assert len(set(names)) == len(drawings) == 14


def test_the_headline_and_the_key_figures_are_those_of_pandas(content: str, year: pd.DataFrame) -> None:
    left, rough = year[year.departed], year[year.departed & (year.level >= 2)]
    assert f"<h1>{left.late.mean() * 100:.0f} of 100 departures left New York late." in content
    assert f"In rough weather it was {rough.late.mean() * 100:.0f} of 100.</h1>" in content
    figures = re.findall(r"<dd>(.*?)</dd>", content)
    assert figures == [f"{len(year):,}", percent(left.late), percent(year.cancelled), f"{left.dep_delay.mean():.1f}"]


def test_the_table_of_hours_shows_what_pandas_finds(page: Page, year: pd.DataFrame) -> None:
    rows = page.rows(ANSWERED[0])
    assert list(rows) == [f"{hour}:00" for hour in sorted(year.hour.unique())]
    for hour, flights in year.groupby("hour"):
        left = flights[flights.departed]
        airports = [left[left.origin == each] for each in ("EWR", "JFK", "LGA")]
        shares = [percent(each.late) if len(each) else "–" for each in airports]
        mean = f"{left.dep_delay.mean():.1f}".replace("-", "−")
        assert rows[f"{hour}:00"] == [f"{len(flights):,}", percent(left.late), *shares, mean]


def test_the_table_of_days_shows_the_ten_worst_that_pandas_finds(page: Page, year: pd.DataFrame) -> None:
    rows = page.rows(ANSWERED[1])
    shares = year[year.departed].groupby("date").late.mean().sort_values(ascending=False, kind="stable").head(10)
    assert list(rows) == [f"{day:%a} {day.day} {day:%b}" for day in shares.index]
    assert [row[1] for row in rows.values()] == [f"{share:.1%}" for share in shares]


def test_the_table_of_weather_shows_what_pandas_finds(page: Page, year: pd.DataFrame) -> None:
    rows = [row for row in page.tables[ANSWERED[2]] if len(row) == 5][1:]
    for level, name in enumerate(plain.LEVELS):
        flights = year[year.level == level]
        left = flights[flights.departed]
        expected = [f"{len(flights):,}", percent(left.late), percent(flights.cancelled), f"{left.dep_delay.mean():.1f}"]
        assert rows[level][0].startswith(f"{name}:")
        assert rows[level][1:] == expected
    winds = plain.tally(year.assign(band=plain.bands(year.wind_speed, [8, 13, 18, 23, 28])).dropna(), ["band"])
    assert len(rows) == 4 + len(winds) + 6 + 5


def test_the_table_of_carriers_shows_what_pandas_finds(page: Page, year: pd.DataFrame) -> None:
    rows = page.rows(ANSWERED[3])
    assert len(rows) == year.carrier.nunique()
    for name, flights in year.groupby("name"):
        row = rows[wording.short(str(name))]
        fair = flights[flights.departed & (flights.level == 0)]
        rough = flights[flights.departed & (flights.level >= 2)]
        assert row[:3] == [f"{len(flights):,}", percent(fair.late), percent(rough.late)]
        added = f"{(rough.late.mean() - fair.late.mean()) * 100:+.1f} ("
        assert row[3].startswith(added) if min(len(fair), len(rough)) >= 100 else row[3] == "–"


def test_the_table_of_routes_shows_what_pandas_finds(page: Page, year: pd.DataFrame) -> None:
    left = year[year.departed].groupby(["origin", "dest"]).agg(size=("late", "size"), late=("late", "mean"))
    worst = left[left["size"] >= 365].sort_values("late", ascending=False).head(12)
    found = {row[0].split(" ")[0]: row[1:3] for row in page.tables[ANSWERED[4]][1:]}
    expected = {f"{a}–{b}": [f"{size:,}", f"{late:.1%}"] for (a, b), size, late in worst.itertuples()}
    assert found == expected


def test_the_table_of_ages_and_the_sum_of_the_causes_show_what_pandas_finds(page: Page, year: pd.DataFrame) -> None:
    left = year[year.departed & year.age.notna()]
    ages = left.groupby(plain.bands(left.age, [5, 10, 15, 20, 25])).late.agg(["size", "mean"])
    assert [row[:2] for row in page.rows(ANSWERED[5]).values()] == [
        [f"{size:,}", f"{share:.1%}"] for size, share in zip(ages["size"], ages["mean"], strict=True)
    ]
    shares = [float(row[0].rstrip("%")) for row in page.rows(ANSWERED[6]).values()]
    assert shares[-1] == pytest.approx(sum(shares[:-1]), abs=0.05)
    assert 10 < shares[-1] < 30


def test_the_notes_count_every_record_that_was_left_out_or_kept(page: Page, work: pipeline.Work) -> None:
    refused = [int(row[1].replace(",", "")) for row in page.rows("Records left out, by reason").values()]
    kept = [int(row[1].replace(",", "")) for row in page.rows("Records kept with a note").values()]
    assert (sum(refused), sum(kept)) == (len(work.rejects), len(work.notes)) == (114, 4072)


def test_the_files_are_the_same_to_the_byte_on_one_thread_or_many(tmp_path: Path) -> None:
    made = []
    for threads, seed in (("1", "1"), ("2", "2")):
        folder = tmp_path / threads
        environment = {**os.environ, "POLARS_MAX_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        environment |= {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.app_template.pipeline", str(folder), "2", "7"]
        subprocess.run(command, check=True, env=environment, cwd=tmp_path, timeout=300)
        assert sorted(each.name for each in folder.iterdir()) == ["flights.parquet", "rejects.csv", "report.html"]
        made.append({each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()})
        (folder / "report.html").read_text(encoding="utf-8").index("February and July 2013")
    paths = [re.sub(str(tmp_path), "", (tmp_path / each / "report.html").read_text()) for each in ("1", "2")]
    assert paths[0] == paths[1]
    assert made[0] == made[1]


def test_one_month_and_even_one_day_make_a_whole_page(tmp_path: Path) -> None:
    november = pipeline.prepare([11])
    day = pipeline.Work(months=[11], table=november.table.head(900), rejects=[], notes=[])
    nothing = pipeline.Work(months=[11], table=november.table.head(0), rejects=[], notes=[])
    for work in (november, day, nothing):
        page = Page(report.render(pipeline.answers(work, tmp_path, resamples=100)))
        assert set(ANSWERED) - {ANSWERED[1]} <= set(page.tables)


def test_what_is_written_can_be_read_again(tmp_path: Path, work: pipeline.Work) -> None:
    table = artifact.write_parquet(work.table, tmp_path / "deep" / "flights.parquet")
    back = pl.from_arrow(pq.read_table(table.path))
    assert isinstance(back, pl.DataFrame)
    assert back.equals(work.table)
    assert table.rows == work.table.height
    rejects = artifact.write_rejects(work.rejects, tmp_path / "rejects.csv")
    rows = pd.read_csv(rejects.path)
    assert (len(rows), set(rows.reason)) == (rejects.rows, {records.REASONS[each.reason] for each in work.rejects})
    assert rejects.sha256 == hashlib.sha256(Path(rejects.path).read_bytes()).hexdigest()


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        artifact.write_file(tmp_path / "taken", b"content")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]


def test_the_findings_follow_the_data() -> None:
    hours = pl.DataFrame(
        {"hour": [6, 20], "origin": ["JFK", "JFK"], "late": [60, 10], "departed": [100, 100], "minutes": [0, 0]}
    )
    assert wording.hours(hours) == (
        "Best at 20:00, worst at 6:00: 10.0% of departures left late against 60.0%. "
        "At no airport are departures after 17:00 late more often than those before 9:00."
    )
    assert wording.months_in_words([3, 1, 2]) == "January to March 2013"
    assert wording.months_in_words([7, 3, 3]) == "March and July 2013"
    assert picture.percent(0, 0) == "–"
    low, high = picture.wilson(10, 100)
    assert (round(low, 4), round(high, 4)) == (0.0552, 0.1744)


def test_a_record_that_is_fine_is_no_reject_and_has_nothing_odd() -> None:
    good = {"table": "planes", "key": "N1", "tailnum": "N1", "year": 2000, "seats": 99}
    good |= {"manufacturer": "BOEING", "model": "737"}
    with pytest.raises(ValueError, match="planes N1 is a valid Plane"):
        records.reject_of(good)
    assert records.reject_of({**good, "seats": "many"}).reason == "malformed"
    assert records.reject_of({**good, "year": None, "seats": 2}).detail == (
        "year: the year of manufacture is missing; seats: 2 seats, not an airliner"
    )

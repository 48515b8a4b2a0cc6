"""Loops: bodies that are repeated, for each item until it is done or as long as there is a next one."""

from __future__ import annotations

import io
import threading

import pytest
from pydantic import BaseModel

import codemation as cm
from codemation.core.errors import RunFailed
from codemation.core.ports import Stores
from tests.host.runtime.conftest import Run


class Draft(BaseModel):
    name: str
    size: int


@cm.node
def halve(draft: Draft) -> Draft:
    return Draft(name=draft.name, size=draft.size // 2)


def is_small(draft: Draft) -> bool:
    return draft.size <= 1


class PageUrl(BaseModel):
    url: str


class Page(BaseModel):
    offers: list[str]
    next_url: str | None


PAGES = {
    "a1": Page(offers=["a", "b"], next_url="a2"),
    "a2": Page(offers=[], next_url="a3"),
    "a3": Page(offers=["c"], next_url=None),
    "b1": Page(offers=["d"], next_url=None),
}


@cm.node
async def fetch(page: PageUrl) -> Page:
    return PAGES[page.url]


def following(page: Page) -> PageUrl | None:
    return PageUrl(url=page.next_url) if page.next_url else None


DRAFTS = [Draft(name="a", size=9), Draft(name="b", size=1), Draft(name="c", size=5), Draft(name="d", size=3)]


def test_each_item_leaves_once_when_it_is_done_and_the_order_is_kept(run: Run) -> None:
    done = run(cm.workflow("w", input=Draft).loop(halve, until=is_small, max=5).build(), DRAFTS)
    assert [(one.name, one.size) for one in done.output] == [("a", 1), ("b", 0), ("c", 1), ("d", 1)]
    assert done["halve"].count == 1  # the last turn had one item left
    assert done["is_small"].count == 4


def test_each_round_is_given_out_and_asked_for_the_next_input(run: Run) -> None:
    scrape = cm.workflow("w", input=PageUrl).loop(fetch, next=following, max=3).split(lambda page: page.offers).build()
    assert run(scrape, [PageUrl(url="a1"), PageUrl(url="b1")]).output == ["a", "b", "c", "d"]


def test_more_rounds_than_allowed_fail_and_say_which_items_are_not_done(run: Run) -> None:
    endless = cm.workflow("w", input=Draft).loop(halve, until=is_small, max=2).build()
    said = r'"is_small" has gone round 2 times, as often as it may, and item 0 is not done'
    with pytest.raises(RunFailed, match=said):
        run(endless, DRAFTS)
    with pytest.raises(
        RunFailed, match=r"gone round once, .* and 11 items \(number 0, 1, .*, 9, 1 more\) are not done"
    ):
        run(cm.workflow("w", input=Draft).loop(halve, until=is_small, max=1).build(), [DRAFTS[0]] * 11)


def test_nothing_goes_round_where_nothing_came(run: Run) -> None:
    flow = cm.workflow("w", input=Draft).filter(lambda draft: draft.size > 100).loop(halve, until=is_small, max=5)
    done = run(flow.build(), DRAFTS)
    assert (done["halve"].status, done["is_small"].status) == ("skipped", "skipped")
    assert done.output == []


@cm.node(continue_when_empty=True)
def nothing(drafts: list[Draft]) -> list[Draft]:
    return []


def test_a_loop_that_is_to_run_with_nothing_gives_nothing_and_skips_its_body(run: Run) -> None:
    done = run(cm.workflow("w", input=Draft).then(nothing).loop(halve, until=is_small, max=5).build(), DRAFTS)
    assert (done["halve"].status, done["is_small"].status) == ("skipped", "succeeded")
    assert done.output == []


def test_what_leaves_by_being_dropped_comes_no_more(run: Run) -> None:
    def body(drafts: cm.Flow[Draft]) -> cm.Flow[Draft]:
        return drafts.then(halve).filter(lambda draft: draft.name != "a")

    done = run(cm.workflow("w", input=Draft).loop(body, until=is_small, max=5).build(), DRAFTS[:1])
    assert (done.status, done.output) == ("succeeded", [])


@cm.node
def smaller(draft: Draft, by: list[Draft]) -> Draft:
    return Draft(name=draft.name, size=draft.size - len(by))


def test_a_body_has_forks_that_join_and_inputs_from_outside(run: Run) -> None:
    start = cm.workflow("w", input=Draft)
    others = start.filter(lambda draft: draft.name > "b", id="others")

    def body(drafts: cm.Flow[Draft]) -> cm.Flow[Draft]:
        return drafts.branch(lambda draft: draft.size > 4, yes=halve, no=lambda small: small.then(smaller, by=others))

    done = run(start.loop(body, until=is_small, max=9).build(), DRAFTS)
    assert [(one.name, one.size) for one in done.output] == [("a", 0), ("b", -1), ("c", 0), ("d", 1)]


SEEN: list[tuple[int, str]] = []


@cm.node
def note(drafts: list[Draft], ctx: cm.Context) -> None:
    SEEN.extend((ctx.turn, draft.name) for draft in drafts)


def test_side_branches_of_a_body_finish_their_turn_before_the_next_one(run: Run) -> None:
    SEEN.clear()
    done = run(
        cm.workflow("w", input=Draft).loop(lambda f: f.also(note).then(halve), until=is_small, max=5).build(), DRAFTS
    )
    assert [turn for turn, _ in SEEN] == [1, 1, 1, 1, 2, 2, 3]
    assert done["note"].record.activation == "note/3"


def test_loops_stand_inside_of_loops(run: Run) -> None:
    def outer(drafts: cm.Flow[Draft]) -> cm.Flow[Draft]:
        inner = drafts.loop(halve, until=lambda draft: draft.size % 2 == 0, max=9, id="inner")
        return inner.map(lambda draft: Draft(name=draft.name, size=draft.size // 2), id="again_half")

    done = run(cm.workflow("w", input=Draft).loop(outer, until=is_small, max=9).build(), [Draft(name="x", size=77)])
    # 77 → 38 | 19 → 9 → 4 | 2 → 1 → 0 | 0
    assert [one.size for one in done.output] == [0]
    assert (done["halve"].record.activation, done["inner"].record.activation) == ("halve/5", "inner/8")


@cm.node(keep_attachments=True)
def cut(item: cm.Item[Draft], ctx: cm.Context) -> Draft:
    if not item.attachments:
        ctx.attach("first", io.BytesIO(item.value.name.encode()), "text/plain")
    return Draft(name=item.value.name, size=item.value.size // 2)


def test_attachments_go_round_and_out(run: Run) -> None:
    @cm.node
    def read(item: cm.Item[Draft]) -> str:
        return item.attachments["first"].read().decode()

    done = run(cm.workflow("w", input=Draft).loop(cut, until=is_small, max=5).then(read).build(), DRAFTS[:3])
    assert done.output == ["a", "b", "c"]


def test_a_failed_turn_is_resumed_in_that_turn_and_no_turn_before_is_repeated(launch: Run) -> None:
    calls: list[int] = []
    broken = threading.Event()

    @cm.node
    def work(draft: Draft, ctx: cm.Context) -> Draft:
        calls.append(ctx.turn)
        if ctx.turn == 3 and not broken.is_set():
            broken.set()
            raise ValueError("not now")
        return Draft(name=draft.name, size=draft.size - 1)

    handle = launch(cm.workflow("w", input=Draft).loop(work, until=is_small, max=9).build(), [Draft(name="a", size=5)])
    with pytest.raises(RunFailed, match="not now"):
        handle.wait()
    assert handle["work"].record.activation == "work/3"
    handle.resume()
    handle.wait()
    assert (handle.status, handle.output[0].size, calls) == ("succeeded", 1, [1, 2, 3, 3, 4])


def test_many_rounds_are_laid_together_so_that_a_snapshot_stays_small(run: Run, stores: Stores) -> None:
    def count_down(number: int) -> int | None:
        return number - 1 or None

    @cm.node
    def same(number: int) -> int:
        return number

    done = run(cm.workflow("w", input=int).loop(same, next=count_down, max=200).build(), [150])
    assert done.output == [*range(150, 0, -1)]


def test_a_loop_over_a_table_asks_about_its_rows(run: Run) -> None:
    import polars as pl

    @cm.node
    def less(table: pl.DataFrame) -> pl.DataFrame:
        return table.with_columns(pl.col("n") - 1)

    @cm.node
    def given() -> pl.DataFrame:
        return pl.DataFrame({"n": [3, 1, 2]})

    done = run(cm.workflow("w").then(given).loop(less, until=lambda row: row["n"] <= 0, max=9).build())
    assert [row["n"] for row in done.output] == [0, 0, 0]

"""What is said of why a node ran, and of what an edit may stand on."""

from __future__ import annotations

import pytest

import codemation as cm
from codemation.core.differing import Diff, RowsChange
from codemation.core.editing import edited
from codemation.core.errors import CodemationError
from codemation.core.explaining import Reasons, Why
from codemation.core.mistakes import AuthorError


def test_reasons_are_lines_that_stand_under_one_another() -> None:
    ran = Why(node="load", what="ran", because="nothing else gives it")
    skipped = Why(node="b", what="skipped", because="")
    reasons = Reasons({"load": ran, "b": skipped})
    assert str(reasons) == "load  ran      nothing else gives it\nb     skipped"
    assert repr(reasons) == str(reasons)
    assert (str(ran), str(skipped)) == ("load ran: nothing else gives it", "b skipped")
    assert reasons.that("skipped", "failed") == ("b",)
    assert str(Reasons()) == ""


@cm.node
def load() -> list[int]:
    return [1]


@cm.node(id="load")
def load_with_more(missing: int, other: int) -> list[int]:
    return [missing, other]


@cm.node(id="same")
def other_same(n: int) -> int:
    return n


class Sides(cm.Ports):
    good: int = cm.port()


@cm.node
def sorted_out(n: int) -> Sides:
    return Sides(good=n)


def test_only_what_was_written_as_a_node_can_be_edited_and_a_mistake_is_said() -> None:
    workflow = cm.workflow("edited").then(load).map(lambda n: n, id="same").build()
    with pytest.raises(AuthorError, match="other"):
        edited(workflow, load_with_more)
    assert edited(workflow, load).digest == workflow.digest
    routed = cm.workflow("routed").then(load).then(sorted_out)["good"].then(other_same).build()
    assert edited(routed, load).digest == routed.digest
    waiting = cm.workflow("waiting").then(load).merge(id="same").build()
    with pytest.raises(CodemationError, match="is no node that was written as one"):
        edited(waiting, other_same)


def test_a_difference_says_when_there_is_none_and_when_there_is_too_much_to_look_at() -> None:
    same = Diff(before="one", after="two", statuses=("succeeded", "succeeded"))
    assert str(same) == "one (succeeded) → two (succeeded)\nparams, code, columns and rows are the same"
    assert same._repr_mimebundle_()["text/plain"] == str(same)
    much = RowsChange(node="load", port="main", by="id", before=10**7, after=10**7 + 1, compared=False)
    assert "load.main: 10000000 → 10000001 rows, not compared: too many" in str(
        Diff(before="one", after="two", rows=(much,))
    )

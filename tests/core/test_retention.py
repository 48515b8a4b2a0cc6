"""How long runs are kept, as authors write it."""

from __future__ import annotations

from datetime import timedelta

import pytest

import codemation as cm


@cm.node
def double(number: int) -> int:
    return 2 * number


def test_an_age_is_a_duration_or_forever_and_what_is_not_said_is_the_hosts() -> None:
    assert cm.Retention().ages == {}
    assert cm.Retention(succeeded="30d").ages == {"succeeded": 30 * 86400.0}
    assert cm.Retention(timedelta(hours=1), "forever").ages == {"succeeded": 3600.0, "failed": None}


def test_more_than_a_hundred_years_are_forever() -> None:
    assert cm.Retention(failed="40000d").ages == {"failed": None}


@pytest.mark.parametrize("said", ["7 weeks", "0s", ""])
def test_what_is_no_age_is_refused_where_it_is_written(said: str) -> None:
    with pytest.raises(ValueError, match='or "forever"'):
        cm.Retention(failed=said)


def test_retention_is_stored_with_the_definition_and_changes_no_digest() -> None:
    start = cm.workflow("numbers", input=int, retention=cm.Retention(failed="1d"))
    definition = start.then(double).build().definition
    assert definition.retention == {"failed": 86400.0}
    plain = cm.workflow("numbers", input=int).then(double).build().definition
    assert (plain.retention, plain.digest) == ({}, definition.digest)
    assert type(definition).from_json(definition.to_json()).retention == definition.retention


def test_a_retention_that_is_something_else_is_a_mistake_of_the_author() -> None:
    with pytest.raises(cm.AuthorError, match="retention=30 says nothing"):
        cm.workflow("numbers", input=int, retention=30).then(double).build()  # type: ignore[arg-type]

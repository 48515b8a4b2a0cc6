"""Ids that nobody has to be asked for: they differ, they sort by time, and they fit where they are stored."""

from __future__ import annotations

import time
import uuid

from codemation.host.identity import entropy, new_run_id


def test_ids_of_runs_are_uuids_of_the_seventh_version_and_all_different() -> None:
    ids = [uuid.UUID(new_run_id()) for _ in range(2_000)]
    assert {(one.version, one.variant) for one in ids} == {(7, uuid.RFC_4122)}
    assert len(set(ids)) == len(ids)


def test_ids_of_runs_sort_by_the_millisecond_in_which_they_were_made() -> None:
    before = time.time_ns() // 1_000_000
    ids = [new_run_id() for _ in range(2_000)]
    after = time.time_ns() // 1_000_000
    stamps = [uuid.UUID(one).int >> 80 for one in ids]
    assert before <= stamps[0] <= stamps[-1] <= after
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)


def test_random_bits_fit_a_signed_bigint_and_are_never_zero() -> None:
    drawn = [entropy() for _ in range(2_000)]
    assert all(0 < one < 2**63 for one in drawn)
    assert len(set(drawn)) == len(drawn)
    assert max(drawn).bit_length() == 63

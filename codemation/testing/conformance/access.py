"""What tokens and the audit do: who counts, and who did what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from codemation.core.access import Role
from codemation.core.errors import InputError
from codemation.core.ports import Deed, Stores, Token
from codemation.testing.conformance.crowd import together
from codemation.testing.conformance.world import Contract

Later = Callable[[float], None]


def _id(number: int) -> str:
    return f"0198a1f0-0000-7000-8000-{number:012d}"


def _token(number: int, name: str = "", created_by: str = "") -> Token:
    return Token(id=_id(number), name=name or f"t{number}", role=Role.VIEWER, created_by=created_by)


class TokensContract(Contract):
    """A token counts from its making to its end."""

    def test_a_token_counts_for_whoever_shows_it(self, stores: Stores) -> None:
        """It is found by the digest of its text, and by no other."""
        assert not stores.tokens.any()
        stores.tokens.create(_token(1, "deploy", created_by="ada"), b"\x00digest")
        stores.tokens.create(_token(2), b"other")
        found = stores.tokens.holder(b"\x00digest")
        assert found is not None
        assert (found.id, found.name, found.role, found.created_by) == (_id(1), "deploy", Role.VIEWER, "ada")
        assert stores.tokens.holder(b"digest") is stores.tokens.holder(b"") is None
        assert stores.tokens.any()

    def test_a_revoked_token_counts_no_more(self, stores: Stores) -> None:
        """It stays in the list, and others count on; so there ever was one."""
        stores.tokens.create(_token(1), b"one")
        stores.tokens.create(_token(2), b"two")
        assert stores.tokens.revoke(_id(1))
        assert not stores.tokens.revoke(_id(1))
        assert not stores.tokens.revoke(_id(3))
        assert stores.tokens.holder(b"one") is None
        assert stores.tokens.holder(b"two") is not None
        assert {one.id: one.revoked_at is not None for one in stores.tokens.all()} == {_id(1): True, _id(2): False}
        stores.tokens.revoke(_id(2))
        assert stores.tokens.any()

    def test_a_token_expires(self, stores: Stores, later: Later) -> None:
        """By the clock of the store."""
        stores.tokens.create(_token(1), b"one", 3600.0)
        stores.tokens.create(_token(2), b"two")
        assert stores.tokens.holder(b"one") is not None
        later(3601.0)
        assert stores.tokens.holder(b"one") is None
        assert stores.tokens.holder(b"two") is not None

    def test_the_use_of_a_token_is_noted(self, stores: Stores, later: Later) -> None:
        """Give or take a minute."""
        stores.tokens.create(_token(1), b"one")
        (before,) = stores.tokens.all()
        assert before.used_at is None
        assert before.created_at is not None
        stores.tokens.holder(b"one")
        (once,) = stores.tokens.all()
        later(120.0)
        stores.tokens.holder(b"one")
        (again,) = stores.tokens.all()
        assert once.used_at is not None
        assert again.used_at is not None
        assert again.used_at - once.used_at >= timedelta(seconds=120)

    def test_a_name_is_taken_for_as_long_as_its_token_counts(self, stores: Stores) -> None:
        """So that a name says who asks."""
        stores.tokens.create(_token(1, "deploy"), b"one")
        with pytest.raises(InputError, match="deploy"):
            stores.tokens.create(_token(2, "deploy"), b"two")
        assert stores.tokens.holder(b"two") is None
        stores.tokens.revoke(_id(1))
        stores.tokens.create(_token(3, "deploy"), b"three")
        assert [one.id for one in stores.tokens.all()] == [_id(3), _id(1)]

    def test_of_many_who_take_a_name_at_once_one_gets_it(self, stores: Stores) -> None:
        """However they race."""

        def create(number: int) -> bool:
            try:
                stores.tokens.create(_token(number, "deploy"), b"%d" % number)
            except InputError:
                return False
            return True

        assert sum(together(*(partial(create, number) for number in range(6)))) == 1


class AuditContract(Contract):
    """What was done stands there, and who did it."""

    def _note(self, stores: Stores, number: int, who: str = "ada", action: str = "runs.start") -> Deed:
        deed = Deed(id=_id(number), who=who, action=action, target=f"t{number}", detail={"key": "ü\n", "n": [1]})
        stores.audit.note(deed)
        return deed

    def test_a_deed_stands_before_it_is_done(self, stores: Stores) -> None:
        """What was broken off is there, without an outcome."""
        self._note(stores, 1)
        (deed,) = stores.audit.page()
        assert (deed.who, deed.action, deed.target, deed.outcome) == ("ada", "runs.start", "t1", "")
        assert deed.detail == {"key": "ü\n", "n": [1]}
        assert deed.at is not None

    def test_the_first_outcome_stands(self, stores: Stores) -> None:
        """Nobody changes afterwards what became of a deed."""
        self._note(stores, 1)
        self._note(stores, 2)
        stores.audit.settle(_id(1), "done", "run 1")
        stores.audit.settle(_id(1), "refused", "run 2")
        stores.audit.settle(_id(9), "done", "nothing")
        assert {deed.id: (deed.outcome, deed.target) for deed in stores.audit.page()} == {
            _id(1): ("done", "run 1"),
            _id(2): ("", "t2"),
        }

    def test_pages_follow_one_another(self, stores: Stores, later: Later) -> None:
        """The latest first, each deed once."""
        for number in range(5):
            self._note(stores, number)
            later(float(number % 2))  # some are equally old
        seen: list[str] = []
        while page := stores.audit.page(before=seen[-1] if seen else None, limit=2):
            seen += [deed.id for deed in page]
        assert seen == [_id(number) for number in (4, 3, 2, 1, 0)]
        assert stores.audit.page(before=_id(9)) == ()

    def test_a_page_may_be_of_somebody_or_of_a_kind(self, stores: Stores) -> None:
        """Kinds are named by how they begin, whatever their text would mean as a pattern."""
        self._note(stores, 1, "ada", "runs.start")
        self._note(stores, 2, "bob", "runs.cancel")
        self._note(stores, 3, "bob", "tokens.create")
        page = stores.audit.page
        assert [deed.id for deed in page(who="bob")] == [_id(3), _id(2)]
        assert [deed.id for deed in page(action="runs.")] == [_id(2), _id(1)]
        assert [deed.id for deed in page(who="bob", action="runs.cancel")] == [_id(2)]
        assert page(action="%") == page(action="start") == page(who="b") == ()

"""A fleet to which all goes wrong at random: workers, web, Redis and PostgreSQL killed, frozen, emptied, cut off.

In the tests for some seconds; by hand for as long as wanted: `python -m tests.journeys.production --minutes 10`.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import psutil
from redis import Redis

from codemation.core.errors import RunError
from tests.journeys.company import AWAY, Company, Way, at_work
from tests.journeys.world import seeded

QUEUE = "codemation.default"
FROZEN = (0.5, 5.0)
"""Seconds for which processes are frozen."""
PAUSES = 25
"""Things that happen between two pauses, in which whatever was begun comes to its end."""
GARBAGE = ("", "{", "null", '{"body": "!", "headers": {}}', '{"headers": {"task": "codemation.work"}}', "\x00\xff")


@dataclass(slots=True, kw_only=True)
class Production(Company):
    """A fleet to which anything may happen."""

    def kill_head(self) -> None:
        """The parent of a pool is gone; its children are on their own."""
        self.worker().send(signal.SIGKILL, all_of_it=False)

    def freeze_web(self) -> bool:
        """A web process stands still for a while, in the middle of a duty perhaps."""
        for member in self.chance.sample(self.webs(), min(1, len(self.webs()))):
            self.noted(member).send(signal.SIGSTOP)
            self.later(member.name, self.chance.uniform(*FROZEN), lambda: member.send(signal.SIGCONT))  # noqa: B023
            return True
        return False

    def kill_child(self) -> bool:
        """One process of a worker is gone, other than its head."""
        _, *children = self.worker().family()
        if children:
            with suppress(psutil.NoSuchProcess):
                self.chance.choice(children).kill()
        return bool(children)

    def freeze_worker(self) -> None:
        """A worker stands still for a while, caretaking included, and goes on as if nothing had been."""
        member = self.worker()
        member.send(signal.SIGSTOP)
        self.later(member.name, self.chance.uniform(*FROZEN), lambda: member.send(signal.SIGCONT))

    def kill_database(self) -> bool:
        """PostgreSQL is gone, and comes back with what was committed."""
        if not self.healed("database"):
            return False
        self.fleet.server.stop("immediate")
        self.later("database", self.chance.uniform(*AWAY), self.fleet.server.start)
        return True

    def spoil_messages(self) -> bool:
        """Messages come ten times, in another order, and with garbage between them."""

        def spoil(client: Redis) -> None:
            messages = client.lrange(QUEUE, 0, -1)
            wrong = [json.dumps({"body": "AAAA", "headers": {"task": "codemation.work", "id": "x"}}), *GARBAGE]
            messages = [*messages * 10, self.chance.choice(wrong)]
            self.chance.shuffle(messages)
            client.lpush(QUEUE, *messages)

        return self.redis(spoil)

    def cancel(self) -> None:
        """Somebody cancels a run, whatever it does."""
        run = self.chance.choice(list(self.runs))
        with suppress(RunError):
            self.app.cancel(run, reason="chaos")
            self.cancelled.add(run)

    def ways(self) -> dict[Way, int]:
        """What may go wrong, and how often beside the others."""
        return {
            self.kill_worker: 3,
            self.kill_head: 1,
            self.kill_child: 2,
            self.kill_web: 1,
            self.freeze_web: 1,
            self.freeze_worker: 3,
            self.end_worker: 2,
            self.empty_redis: 2,
            self.kill_redis: 1,
            self.kill_database: 1,
            self.spoil_messages: 2,
            self.cancel: 2,
        }

    def one(self) -> None:
        """One thing happens."""
        ways = self.ways()
        self.happen(self.lacking() or self.chance.choices(list(ways), weights=list(ways.values()))[0])


def production(seconds: float, *, pauses: int = PAUSES) -> Counter[str]:
    """Let things go wrong for so long, and judge at every pause; what has happened, and how often."""
    with at_work(Production, seeded("production")) as it:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for _ in range(pauses):
                it.one()
                time.sleep(it.chance.uniform(0.0, 0.4))
            it.calm()
        return it.done + Counter(runs=len(it.runs))


def main() -> None:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    print(dict(production(60.0 * parser.parse_args().minutes)))  # noqa: T201 - somebody waits for it


if __name__ == "__main__":
    main()

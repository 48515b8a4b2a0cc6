"""One fault of a fleet at random moments: each of its ways as often as the others, while runs are handed in.

In the tests a few of them; by hand as many as wanted: `python -m tests.journeys.moments --fault 6 --moments 50`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from itertools import cycle, islice

from tests.journeys.company import CALM, Company, Way, at_work
from tests.journeys.ledger import effects
from tests.journeys.struck_servers import Oblivion, Scarcity, Severance
from tests.journeys.struck_workers import Deaths, Succession
from tests.journeys.world import repeats, seeded

FAULTS: dict[int, type[Company]] = {2: Deaths, 6: Oblivion, 7: Severance, 14: Scarcity, 16: Succession}
"""By their numbers in the list of faults to survive."""
PAUSES = 10
"""Moments between two pauses, in which whatever was begun comes to its end."""
PACE = 0.4
"""Seconds that pass at most until it strikes again."""


def moments(fault: int, number: int) -> Counter[str]:
    """Let a fault strike so often, and judge at every pause; what has struck, and how often."""
    chance = seeded(f"fault {fault}")
    with at_work(FAULTS[fault], random.Random(chance.random())) as it:  # noqa: S311 - no secret
        ways = list(islice(cycle(chance.sample(list(it.ways()), len(it.ways()))), number))
        chance.shuffle(ways)
        for place, way in enumerate(ways, 1):
            strike(it, way, chance.uniform(0.0, PACE))
            if not place % PAUSES or place == number:
                it.calm()
        struck = Counter({name: it.done[name] for name in {way.__name__ for way in ways}})
        again = sum(repeats(effects(it.fleet.world.ledger)).values())
        kinds = ", ".join(f"{name} {many}" for name, many in sorted(struck.items()))
        print(  # noqa: T201 - somebody waits for it
            f"fault {fault}: {struck.total()} moments ({kinds}); "
            f"{it.done['judged']} runs judged right, {len(it.resumed)} of them after somebody went on with them; "
            f"{again} calls were begun again; all was over {it.slowest:.1f} s after everything had come back at most",
            flush=True,
        )
        return struck


def strike(it: Company, way: Way, pause: float) -> None:
    """Let it strike when there is enough to do, and something to strike."""
    until = time.monotonic() + CALM
    while True:
        while (lacking := it.lacking()) is not None:
            it.happen(lacking)
        time.sleep(pause)
        if it.unfinished() and it.happen(way):
            return
        assert time.monotonic() < until, f"nothing was there for {way.__name__} to happen to"


def held(fault: int, number: int) -> bool:
    """Whether everything was as it should be; people are told what was not."""
    try:
        moments(fault, number)
    except Exception:  # noqa: BLE001 - whatever it was, the other faults are of interest as well
        traceback.print_exc()
        print(f"fault {fault}: NOT survived, see above", flush=True)  # noqa: T201
        return False
    return True


def main() -> None:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", choices=[*map(str, FAULTS), "all"], default="all")
    parser.add_argument("--moments", type=int, default=50)
    asked = parser.parse_args()
    faults = list(FAULTS) if asked.fault == "all" else [int(asked.fault)]
    lost = [fault for fault in faults if not held(fault, asked.moments)]
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()

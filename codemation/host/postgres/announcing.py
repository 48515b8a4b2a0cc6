"""SQL that owes runs to triggers which listen: in the statement that ends a run, or in which data was written.

Who listens is read as it was when the statement began: a trigger that is armed at that moment hears of it, or does not.
"""

from __future__ import annotations

from codemation.host.postgres.codes import FIRST_FINISHED

CHAIN = "COALESCE(({origin}->>'chain')::int, 0) + 1"


def _owing(name: str, rows: str, listens: str) -> str:
    """Each row of `rows` gives `run`, `revision` and `chain`; `listens` chooses triggers `g` for rows `s`."""
    return f"""
    {name} AS (
        INSERT INTO firings (id, trigger, key, at, due_at, chain, item)
        SELECT gen_random_uuid(), g.id, s.run || ':' || s.revision, now_(), now_(), s.chain,
            json_build_object('run', s.run, 'revision', s.revision)
        FROM ({rows} OFFSET 0) AS s JOIN triggers g ON g.active AND {listens}
        ON CONFLICT (trigger, key) DO NOTHING)"""


def announcing(rows: str) -> str:
    """SQL by which the ends of runs set off triggers; `rows` also gives `workflow` and `outcome`."""
    return _owing("told", rows, "g.kind = 'finished' AND g.subject = s.workflow AND g.outcome IN ('any', s.outcome)")


def writing(rows: str) -> str:
    """SQL by which data that was written sets off triggers; `rows` also gives its `name`."""
    return _owing("heard", rows, "g.kind = 'dataset' AND g.subject = s.name")


ENDED_WITH_START = announcing(f"""
            SELECT n.id AS run, 1 AS revision, n.workflow, :outcome::text AS outcome,
                {CHAIN.format(origin="n.origin")} AS chain FROM r AS n""")
"""Of a run that ended as it began, a row of `r`."""
ENDED = announcing(f"""
            SELECT n.id AS run, :revision + 1 AS revision, n.workflow, :outcome::text AS outcome,
                {CHAIN.format(origin="n.origin")} AS chain
            FROM runs n CROSS JOIN q WHERE n.id = (SELECT run_id FROM t) AND q.status < {FIRST_FINISHED}""")
"""Of a run that a step ends; who is over already does not end again."""
WRITTEN = writing(f"""
            SELECT n.id AS run, :revision + 1 AS revision, w.name, {CHAIN.format(origin="n.origin")} AS chain
            FROM runs n CROSS JOIN unnest(:written::text[]) AS w (name) WHERE n.id = (SELECT run_id FROM t)""")
ENDED_TOGETHER = announcing(f"""
            SELECT n.id AS run, t.revision + 1 AS revision, n.workflow, t.outcome,
                {CHAIN.format(origin="n.origin")} AS chain
            FROM t JOIN runs n ON n.id = t.run
            WHERE n.id = ANY(ARRAY(SELECT run FROM t)) AND t.outcome <> '' AND t.open""")
"""Of runs that a group of steps ends."""

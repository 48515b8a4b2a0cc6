"""Ready nodes: `cm.nodes.sort` and the like. Each is a function like those that people write.

The libraries that they stand on are imported when a node is called, not before. Nodes that take a table take one of any
library, and items just as well; where they keep rows as they were, items stay the items that they were.
"""

from __future__ import annotations

from codemation.nodes.expecting import expect
from codemation.nodes.files import read_csv, read_jsonl, read_parquet, write_csv, write_jsonl, write_parquet
from codemation.nodes.http import http
from codemation.nodes.shaping import cast, distinct, group, join, rename, sample, select, sort
from codemation.nodes.shell import shell
from codemation.nodes.sql import sql_read, sql_write

__all__ = [
    "cast",
    "distinct",
    "expect",
    "group",
    "http",
    "join",
    "read_csv",
    "read_jsonl",
    "read_parquet",
    "rename",
    "sample",
    "select",
    "shell",
    "sort",
    "sql_read",
    "sql_write",
    "write_csv",
    "write_jsonl",
    "write_parquet",
]

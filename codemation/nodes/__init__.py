"""Ready nodes: `cm.nodes.sort` and the like. Each is a function like those that people write.

The libraries that they stand on are imported when a node is called, not before. Nodes that take a table take one of any
library, and items just as well; where they keep rows as they were, items stay the items that they were.
"""

from __future__ import annotations

from codemation.nodes.expecting import expect
from codemation.nodes.shaping import cast, distinct, group, join, rename, sample, select, sort

__all__ = ["cast", "distinct", "expect", "group", "join", "rename", "sample", "select", "sort"]

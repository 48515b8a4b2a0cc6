"""A small app on disk: a workflow, modules that it imports at the top and late, data, and what is nobody's business."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SHOP = {
    "workflows/orders.py": """
from __future__ import annotations

import codemation as cm
from goods import prices
from goods.prices import Price


@cm.node
def load() -> list[Price]:
    return [Price(amount=one) for one in (1, 2)]


@cm.node
def total(price: Price) -> int:
    from goods.late import RATE

    return price.amount * 2 + RATE


orders = cm.workflow("shop.orders").then(load).then(total).build()
""",
    "goods/__init__.py": "",
    "goods/prices.py": """
from __future__ import annotations

from pydantic import BaseModel


class Price(BaseModel):
    amount: int
""",
    "goods/late.py": "RATE = 5\n",
    "goods/unused.py": "UNUSED = 1\n",
    "goods/rules.txt": "rules",
    "goods/.env": "PASSWORD=unmistakable",
    ".env": "PASSWORD=unmistakable",
    ".codemation/state.py": "",
    "notes.py": "",
}


def write_app(root: Path, changes: Mapping[str, str] | None = None) -> Path:
    """Write the app, with other files where `changes` has some."""
    for name, content in {**SHOP, **(changes or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root

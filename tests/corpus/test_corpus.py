"""The ten workflows of the interface: built, drawn, and run with small bodies inline on both adapters and on Celery."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import codemation as cm
from codemation.core.definition import Definition
from codemation.core.items import Attachment
from codemation.core.launch import Launch
from codemation.core.states import RunStatus
from codemation.host.asking import send
from tests.adapters.fleet import eventually
from tests.corpus.available import NEEDS, missing
from tests.corpus.conftest import NOTEBOOKS, Run, Stage

DAY = 24 * 3600.0


def corpus(name: str) -> Any:
    """A module of the corpus."""
    if lacking := missing(name):
        pytest.skip(f"{name} needs {', '.join(lacking)}")
    return importlib.import_module(f"tests.corpus.{name}")


def workflows(name: str) -> list[cm.Workflow[Any, ...]]:
    return [value for value in vars(corpus(name)).values() if isinstance(value, cm.Workflow)]


def test_the_ten_are_here() -> None:
    here = {path.stem for path in Path(__file__).parent.glob("*.py")}
    assert set(NEEDS) == here - {"__init__", "available", "conftest", "deeds", "test_corpus"}
    assert len(NEEDS) == 10


@pytest.mark.parametrize("name", NEEDS)
def test_it_is_built_and_drawn_and_stored(name: str) -> None:
    found = workflows(name)
    assert found
    for workflow in found:
        for node in workflow.nodes:
            assert node in workflow.text()
            assert f'data-node="{node}"' in workflow.svg()
        assert workflow.mermaid().startswith("flowchart")
        assert Definition.from_json(workflow.definition.to_json()) == workflow.definition


def test_1_flights(open_app: Stage, run: Run) -> None:
    module, app = corpus("flights"), open_app()
    done = run(app, module.delays)
    assert done.output == {"carriers": ["DL", "UA"], "worst": ["DL", "UA"]}
    assert run(app, module.delays, month=2, min_delay=50)["by_carrier"].count == 0


def test_3_nightly_sync(open_app: Stage, run: Run) -> None:
    module = corpus("sync")
    module.WRITTEN.clear()
    app = open_app(module.Warehouse(url=cm.Secret("postgresql://there")))
    run(app, module.sync, day=date(2024, 1, 1))
    assert list(module.WRITTEN) == ["2 rows to orders"]
    assert run(app, module.totals, day=date(2024, 1, 1))["daily_totals"].count == 1


def test_4_drop_folder(open_app: Stage, run: Run, tmp_path: Path) -> None:
    module = corpus("ingest")
    module.DONE.clear()
    file = tmp_path / "stock.csv"
    file.write_text("sku,qty\na,1\nb,many\nc,900\nd,2\n")
    done = run(open_app(), module.ingest, [module.File(path=file)])
    assert sorted(module.DONE) == ["asked about ['c']", "loaded 2", "rejected ['b']"]
    assert (done["check"]["valid"].count, done["check"]["suspect"].count) == (2, 1)


def test_5_parameter_sweep(open_app: Stage, run: Run) -> None:
    module = corpus("sweep")
    module.OPENED.clear()
    module.PUBLISHED.clear()
    done = run(open_app(), module.sweep)
    assert done.output == [module.Score(trial=module.Trial(depth=6, rate=0.1), auc=1.0)]
    assert (set(module.OPENED), list(module.PUBLISHED)) == ({"16GB"}, ["6"])  # each process opens one for itself


def test_6_scraping(open_app: Stage, run: Run) -> None:
    module = corpus("scrape")
    module.STORED.clear()
    run(open_app(), module.scrape, [module.PageUrl(url="1")])
    assert list(module.STORED) == ["offer 1", "offer 2", "offer 3"]


class Notebooks:
    """Executes notebooks by saying what they would have given."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, path: str, parameters: Mapping[str, object]) -> object:
        return {"html": f"{Path(path).stem} of {parameters['region']}", "revenue": 1234.5}


def test_7_weekly_report(open_app: Stage, run: Run) -> None:
    module = corpus("weekly")
    module.SENT.clear()
    (open_app.folder / "notebooks").mkdir()
    (open_app.folder / "notebooks/revenue.ipynb").touch()
    smtp = module.Smtp(host="mail", password=cm.Secret("swordfish"))
    run(open_app(smtp, notebooks=NOTEBOOKS), module.weekly, region="US")
    assert list(module.SENT) == ["Revenue 1,234 to board@example.com by mail: revenue of US"]


def test_9_supply(open_app: Stage, run: Run) -> None:
    module = corpus("supply")
    module.SAVED.clear()
    app = open_app()
    run(app, module.wide)
    run(app, module.planned)
    assert list(module.SAVED) == [
        "2 rows, customer_id, sku, name, left in wide.parquet",
        "1 rows, customer_id, sku, name, left in plan.parquet",
    ]


def test_2_order_intake(open_app: Stage, run: Run) -> None:
    module = corpus("intake")
    module.BOOKED.clear()
    app = open_app(module.Crm(url="crm", token=cm.Secret("crm-token")))
    orders = [
        module.Order(id=name, country=country, total=total, lines=[module.Line(sku="s", qty=qty) for qty in quantities])
        for name, country, total, quantities in (
            ("small", "DE", 10, [1, 20]),
            ("large", "FR", 20_000, [5]),
            ("refused", "FR", 30_000, [5]),
            ("lost", "??", 5, [1]),
        )
    ]
    handle = app.launch(Launch(workflow=module.intake, items=orders)).go()
    assert handle.status == "waiting"
    large, refused = handle.waits
    handle.approve(large, who="sales", note="fine")
    handle.reject(refused, who="sales")
    handle.wait()
    assert [child.output for child in handle.children] == [order.lines for order in orders if order.id != "refused"]
    assert sorted(module.BOOKED) == [
        "booked large for 40000",
        "booked small for 20",
        "quarantined lost",
        "told refused",
    ]
    assert [line.qty for line in handle["fulfil"].items] == [1, 20, 5, 1]


def test_8_documents(open_app: Stage) -> None:
    module, app = corpus("documents"), open_app()
    module.INDEXED.clear()
    files = {}
    for name, text in (("one", b"alpha"), ("two", b"#!"), ("three", b"gamma")):
        kept = app.stores.blobs.put(BytesIO(text))
        files[name] = Attachment(blob=kept.id, size=kept.size, sha256=kept.sha256, mime="text/plain")
    mail = cm.Item(module.Mail(subject="scans"), files)
    handle = app.launch(Launch(workflow=module.documents, items=[mail])).go()
    assert handle.status == "waiting"
    (unclear,) = handle.waits
    handle.approve(unclear, who="ada", text="beta")
    handle.wait()
    assert list(module.INDEXED) == ["alpha", "beta", "gamma"]


def test_10_booking(open_app: Stage) -> None:
    module, app = corpus("booking"), open_app()
    module.DONE.clear()
    bookings = [module.Booking(id=name, seats=2) for name in ("good", "late", "jam")]
    run = app.submit(Launch(workflow=module.booking, items=bookings)).id
    eventually(lambda: [wait.kind for wait in app.attach(run).waits] == ["event"] * 3)
    for name in ("good", "jam"):
        send(app, module.paid, name, module.Payment(amount=5), None)
    open_app.later(7 * DAY + 60)
    eventually(lambda: [wait.kind for wait in app.attach(run).waits] == ["timer"])
    assert "reminded good" not in list(module.DONE)
    open_app.later(DAY + 60)
    eventually(lambda: app.attach(run).status is RunStatus.SUCCEEDED)
    assert sorted(module.DONE) == [
        "printed good",
        "refunded 5.0 to jam",
        "released jam",
        "released late",
        "reminded good",
        "reserved good",
        "reserved jam",
        "reserved late",
    ]

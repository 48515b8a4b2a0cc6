"""7. Report by a notebook, sent by mail."""

# pyright: strict

from pydantic import BaseModel

import codemation as cm
from tests.corpus.deeds import Deeds


class Params(cm.Params):
    region: str = "EU"


class Report(BaseModel):
    html: str
    revenue: float


class Smtp(cm.Credential):
    host: str
    password: cm.Secret


SENT = Deeds("weekly")
"""What the workflow has done to the world."""


@cm.node
def send(report: cm.Item[Report], smtp: Smtp, to: list[str], subject: str) -> None:
    SENT.append(f"{subject} to {', '.join(to)} by {smtp.host}: {report.value.html}")


weekly = (
    cm.workflow("reports.weekly", params=Params)
    .on(cm.cron("0 7 * * MON", timezone="Europe/Berlin"))
    .notebook("notebooks/revenue.ipynb", region=Params.region, outputs=Report, timeout="15m")
    .then(send, to=["board@example.com"], subject=cm.expr(lambda r: f"Revenue {r.revenue:,.0f}"))
    .build()
)

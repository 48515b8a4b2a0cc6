"""Whether the process lives, whether it can answer, and figures for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from starlette.responses import JSONResponse, Response

from codemation import __version__
from codemation.core.errors import CodemationError
from codemation.core.ports import DutyRow, Reading, WorkerRow
from codemation.core.states import RunStatus
from codemation.web.actors import Asked
from codemation.web.fleet import duties
from codemation.web.problems import Problem, problem, problem_of
from codemation.web.service import Service

router = APIRouter()
FRESH = 5.0
"""Seconds for which figures from the database are told again: however many scrape, it is asked no more often."""
BOUNDS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
QUEUES = 100
"""Queues that are told of; a name for each of more would be more than Prometheus should hold."""


@router.get("/healthz", include_in_schema=False)
async def healthz() -> Response:
    """The process lives; whoever asks this starts it anew if it does not answer."""
    return JSONResponse({"status": "alive", "version": __version__})


@router.get("/readyz", include_in_schema=False)
def readyz(service: Asked) -> Response:
    """The database answers and has the right schema, and the process is not stopping: requests may be sent here."""
    refusal = _refusal(service)
    return JSONResponse({"status": "ready"}) if refusal is None else refusal.response()


def _refusal(service: Service) -> Problem | None:
    if service.draining.is_set():
        return problem(503, "this server is stopping", Retry_After="2")
    try:
        service.app.backend.check()
    except CodemationError as error:
        return problem_of(error)
    return None


@router.get("/metrics", include_in_schema=False)
def metrics(service: Asked) -> Response:
    """What Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(Figures(service))
    text = generate_latest(service.traffic.registry) + generate_latest(registry)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


class Figures:
    """Figures of the whole, from the database: whichever process is asked tells the same."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """All of them; while the database is away only that it is."""
        up = GaugeMetricFamily("codemation_database_up", "Whether the database answers.")
        try:
            sample = self._service.sampled(Sample.take, FRESH)
        except CodemationError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from sample.metrics()


class Sample:
    """Figures as they were at one moment."""

    def __init__(self, reading: Reading, workers: Sequence[WorkerRow], duties: Sequence[DutyRow], took: float) -> None:
        self._reading = reading
        self._workers = workers
        self._duties = duties
        self._took = took

    @classmethod
    def take(cls, service: Service) -> Sample:
        """The figures of now."""
        stores = service.app.stores
        began = time.perf_counter()
        stores.tokens.any()
        took = time.perf_counter() - began
        return cls(stores.gauges.read(BOUNDS), stores.workers.living(), duties(service), took)

    def metrics(self) -> Iterator[Metric]:
        """As Prometheus has them."""
        reading = self._reading
        runs = GaugeMetricFamily(
            "codemation_runs",
            "Runs by status: all unfinished ones, and those that ended within an hour.",
            labels=["status"],
        )
        for status in RunStatus:
            runs.add_metric([status.value], {**reading.finished, **reading.unfinished}.get(status, 0))
        yield runs
        counts = [*zip(map(str, BOUNDS), reading.within, strict=True), ("+Inf", sum(reading.finished.values()))]
        yield HistogramMetricFamily(
            "codemation_run_seconds",
            "How long the runs took that ended within an hour; not a counter, it falls again.",
            buckets=counts,
            sum_value=reading.seconds,
        )
        yield from self._queues()
        workers = GaugeMetricFamily("codemation_workers", "Processes that are entered as living.")
        workers.add_metric([], len(self._workers))
        busy = GaugeMetricFamily(
            "codemation_worker_load", "Activations that workers are at, of their slots.", labels=["of"]
        )
        busy.add_metric(["busy"], sum(one.load for one in self._workers))
        busy.add_metric(["slots"], sum(one.slots for one in self._workers))
        lag = GaugeMetricFamily("codemation_duty_lag_seconds", "How late a duty was last done.", labels=["duty"])
        age = GaugeMetricFamily("codemation_duty_age_seconds", "How long ago a duty was last done.", labels=["duty"])
        for duty in self._duties:
            for family, value in ((lag, duty.lag), (age, duty.age)):
                if value is not None:
                    family.add_metric([duty.name], value)
        asked = GaugeMetricFamily("codemation_database_seconds", "How long one small question to the database took.")
        asked.add_metric([], self._took)
        yield from (workers, busy, lag, age, asked)

    def _queues(self) -> Iterator[Metric]:
        labels = ["queue", "state"]
        activations = GaugeMetricFamily("codemation_activations", "Live activations by queue and state.", labels=labels)
        age = GaugeMetricFamily(
            "codemation_queue_age_seconds", "How long the oldest ready activation has stood there.", labels=["queue"]
        )
        for one in self._reading.queues[: QUEUES * 3]:
            activations.add_metric([one.queue, one.state], one.tickets)
            if one.state == "ready":
                age.add_metric([one.queue], one.age)
        yield from (activations, age)

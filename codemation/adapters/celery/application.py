"""The Celery app: an ordinary one, with one task and no results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu.entity import Queue

from codemation.adapters.celery.naming import TASK, broker_url, queue_of, queue_on_broker
from codemation.adapters.celery.working import Manners, attend
from codemation.core.errors import HostError
from codemation.host.settings import Settings

TRANSPORT = {
    "socket_connect_timeout": 2.0,
    "socket_timeout": 5.0,  # without it a worker waits for ever for an answer over a connection that is half open
    "socket_keepalive": True,
    "health_check_interval": 5,
    "ack_emulation": False,  # two writes for each hint, and the end of the worker when Redis is full
}
"""How Celery talks to Redis; a connection over which nothing comes is given up after some 11 seconds."""


def default_application() -> Celery:
    """The Celery app of the current folder's app.

    Raises:
        HostError: its settings have no Redis.
    """
    return application(Settings.load())


def application(settings: Settings, queues: Sequence[str] = ("default",), manners: Manners | None = None) -> Celery:
    """The Celery app of an app; a worker that is told no queues serves these.

    Raises:
        HostError: the settings have no Redis.
    """
    if settings.redis_url is None:
        raise HostError("Celery needs a Redis", way_out="CODEMATION_REDIS_URL=redis://host:6379/0")
    app = Celery("codemation", broker=broker_url(settings.redis_url), set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=False,  # a hint that is lost or read twice is no harm, and one that comes back says nothing new
        task_default_queue=queue_on_broker("default"),
        task_queues=[Queue(queue_on_broker(queue)) for queue in queues],
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,  # what a busy worker has fetched could not wake another one
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=60.0,
        broker_transport="codemation.adapters.celery.tolerance:TolerantTransport",
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=TRANSPORT,
    )
    here = attend(app, settings, manners or Manners())

    def work(task: Any, *given: object, **_: object) -> None:
        here.work(queue_of((task.request.delivery_info or {}).get("routing_key") or ""), given)

    app.task(name=TASK, bind=True, ignore_result=True, typing=False)(work)
    return app

"""Figures for Prometheus, a registry an application. What other processes did is read from the database when asked."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from engine.core.errors import EngineError
from engine.io.queue import job_logs, job_states, webhook_outbox
from engine.io.results import published_runs
from engine.io.results.sink import LOCKS

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters of this process, and gauges that `read` and `read_disk` set."""

    def __init__(self) -> None:
        self.registry = where = CollectorRegistry()
        #: held while gauges are set and read, or another scraper would see them half set
        self.lock = threading.Lock()
        labels = ("method", "route")
        self.requests = Counter("http_requests", "Requests answered", (*labels, "status"), registry=where)
        self.seconds = Histogram("http_request_seconds", "Time to answer", labels, buckets=_SECONDS, registry=where)
        self.sockets = Gauge("websocket_connections", "Open WebSockets", registry=where)
        self.connections = Gauge("database_pool", "Connections of the pool", ("state",), registry=where)
        self.database_up = Gauge("database_up", "1 when the application database answers", registry=where)
        self.worker_starts = Counter("worker_starts", "Starts of the assessment process", registry=where)

        def gauge(name: str, what: str, *names: str) -> Gauge:
            return Gauge(name, what, names, registry=where)

        self.jobs = gauge("batch_jobs", "Jobs in the database", "job_type", "status")
        self.jobs_lost = gauge("batch_jobs_lost", "Jobs whose worker was lost", "job_type")
        self.oldest_queued = gauge("batch_jobs_oldest_queued_seconds", "Age of the job that has waited longest")
        self.published = gauge("published_run_timestamp_seconds", "When the run that is read now was published", "kind")
        self.published_info = gauge(
            "published_run_info", "1 for the run that is read now", "kind", "run_id", "edition", "scope"
        )
        self.last_status = gauge("last_run_status", "1 for the status of the last batch", "job_type", "status")
        self.last_start = gauge("last_run_timestamp_seconds", "When the last batch began", "job_type")
        self.last_seconds = gauge("last_run_seconds", "How long the last batch took, or has been going", "job_type")
        self.stages = gauge(
            "published_run_stage_seconds", "Seconds by stage of the last published run; stages overlap",
            "job_type", "stage",
        )  # fmt: skip
        self.checks = gauge(
            "schedule_check_timestamp_seconds",
            "Time of the newest dry run of the schedule, by its outcome: completed, partial or failed", "status",
        )  # fmt: skip
        self.webhooks = gauge("webhook_deliveries", "Webhook deliveries that wait or were given up", "state")
        self.webhook_oldest = gauge("webhook_oldest_waiting_seconds", "Age of the delivery that has waited longest")
        self.disk_free = gauge("disk_free_bytes", "Free space for runs and portfolios", "place")
        self.disk_size = gauge("disk_size_bytes", "Size of that file system", "place")

    def read(self, connection: psycopg.Connection) -> None:
        """What the database knows of jobs, runs and webhooks."""
        jobs = job_states.backlog(connection)
        _set(self.jobs, [(each.job_type, each.status, each.jobs) for each in jobs])
        _set(self.jobs_lost, [(each.job_type, each.lost) for each in jobs if each.status == "failed"])
        self.oldest_queued.set(max((each.waited for each in jobs), default=0.0))
        runs = published_runs.newest_of_kinds(connection)
        _set(self.published, [(each.kind, each.published) for each in runs])
        _set(self.published_info, [(each.kind, each.run_id, each.edition, each.scope, 1) for each in runs])
        last = job_logs.last_runs(connection, list(LOCKS))
        _set(self.last_status, [(each.job_type, each.status, 1) for each in last])
        _set(self.last_start, [(each.job_type, each.started) for each in last])
        _set(self.last_seconds, [(each.job_type, each.seconds) for each in last])
        _set(self.stages, published_runs.stage_seconds(connection))
        check = job_logs.newest_check(connection)
        _set(self.checks, [(check.status, check.checked_at.timestamp())] if check else [])
        self._read_webhooks(connection)

    def _read_webhooks(self, connection: psycopg.Connection) -> None:
        """Nothing in a database whose schema or rights are older than webhooks."""
        self.webhooks.clear()
        try:
            if not webhook_outbox.is_there(connection):
                return
            backlog = webhook_outbox.backlog(connection)
        except EngineError:
            return
        _set(self.webhooks, [("waiting", backlog.waiting), ("given_up", backlog.given_up)])
        self.webhook_oldest.set(backlog.oldest_seconds)

    def read_disk(self, home: Path) -> None:
        """Space of the file system that ENGINE_HOME is in."""
        used = shutil.disk_usage(
            next(folder for folder in (home.absolute(), *home.absolute().parents) if folder.exists())
        )
        self.disk_free.labels("engine_home").set(used.free)
        self.disk_size.labels("engine_home").set(used.total)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


def _set(gauge: Gauge, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of labels, the value last; what a gauge said before is forgotten."""
    gauge.clear()
    for *labels, value in rows:
        gauge.labels(*labels).set(value)

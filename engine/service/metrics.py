"""Figures for Prometheus, a registry an application."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters of this process. Jobs are counted by the database when the figures are read."""

    def __init__(self) -> None:
        self.registry = where = CollectorRegistry()
        labels = ("method", "route")
        self.requests = Counter("http_requests", "Requests answered", (*labels, "status"), registry=where)
        self.seconds = Histogram("http_request_seconds", "Time to answer", labels, buckets=_SECONDS, registry=where)
        self.sockets = Gauge("websocket_connections", "Open WebSockets", registry=where)
        self.jobs = Gauge("batch_jobs", "Jobs in the database", ("job_type", "status"), registry=where)
        self.connections = Gauge("database_pool", "Connections of the pool", ("state",), registry=where)
        self.database_up = Gauge("database_up", "1 when the application database answers", registry=where)
        self.checks = Gauge(
            "schedule_check_timestamp_seconds",
            "Time of the newest dry run of the schedule, by its outcome: completed, partial or failed",
            ("status",),
            registry=where,
        )
        self.worker_starts = Counter("worker_starts", "Starts of the assessment process", registry=where)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)

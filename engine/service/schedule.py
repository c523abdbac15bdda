"""Schedule of the batches and the cache cleaner, in its own time zone; missed firings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from engine.core.rows import BatchType
from engine.core.settings import Settings

Task = Literal[BatchType, "clean", "check"]
YEARLY: tuple[BatchType, ...] = ("probability", "hazard")


def triggers(config: Settings) -> dict[Task, CronTrigger]:
    """Cron of every scheduled task."""
    zone = config.zone
    found: dict[Task, CronTrigger] = {
        kind: CronTrigger(
            month=getattr(config, f"{kind}_schedule_month"),
            day=getattr(config, f"{kind}_schedule_day"),
            hour=getattr(config, f"{kind}_schedule_hour"),
            minute=getattr(config, f"{kind}_schedule_minute"),
            timezone=zone,
        )
        for kind in (YEARLY if config.scheduled_runs else ())
    }
    daily = CronTrigger(hour=config.cache_clean_hour, minute=config.cache_clean_minute, timezone=zone)
    found |= {"clean": daily, "check": daily}
    return found


def last_firing(trigger: CronTrigger, now: datetime, within: timedelta) -> datetime | None:
    """The newest firing in the time before `now`; None when there was none within it."""
    found: datetime | None = None
    moment = trigger.get_next_fire_time(None, now - within)
    while moment is not None and moment <= now:
        found = moment
        moment = trigger.get_next_fire_time(None, moment + timedelta(microseconds=1))
    return found


def grace(config: Settings) -> timedelta:
    """Grace of a firing: how late it may still run."""
    return timedelta(hours=config.misfire_grace_hours)


#: a firing that is late by less than this must not be dropped: a busy machine needs as much
_SHORTEST_GRACE = timedelta(minutes=1)


def faults(config: Settings) -> list[tuple[bool, str]]:
    """Faults of the schedule itself: (a run would never start, in words)."""
    if not config.scheduled_runs:
        return []
    never = [
        task for task, cron in triggers(config).items() if cron.get_next_fire_time(None, datetime.now(UTC)) is None
    ]
    found = [(True, f"the schedule never starts {task}") for task in never]
    if grace(config) < _SHORTEST_GRACE:
        found.append((False, f"MISFIRE_GRACE_HOURS={config.misfire_grace_hours:g}: a busy moment skips the year"))
    return found


def start(config: Settings, fire: Callable[[Task], None]) -> BackgroundScheduler:
    """A running scheduler that calls `fire` with the task; firings missed by less than the grace are called once."""
    scheduler = BackgroundScheduler(
        timezone=config.zone,
        job_defaults={
            "coalesce": True,
            "max_instances": 1,
            "misfire_grace_time": max(1, int(grace(config).total_seconds())),
        },
    )
    for task, trigger in triggers(config).items():
        scheduler.add_job(fire, trigger, args=[task], id=task)
    scheduler.start()
    return scheduler

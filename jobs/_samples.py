"""Samples that a batch can run on: which module writes their files, and what a run on them uses unless it is told."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.period import Years

#: the one that is run in ENGINE_HOME itself when nobody configured servers; --sample gives it a folder of its own
UNNAMED = "korea"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample.

    module   : its `build` writes the files; where older ones are found, its `complete` adds to them
    version  : of the files, kept in a stamp beside them
    scope    : of its data
    meaning  : for the help of the jobs
    baseline : years that set quantile edges; None: the rule of every run
    edition  : methodology; None: the default of every run
    """

    module: str
    version: str
    scope: str
    meaning: str
    baseline: Years | None = None
    edition: str | None = None


SAMPLES = {
    UNNAMED: Sample(
        module="engine.sample.korea", version="2", scope="synthetic", meaning="the synthetic climate of South Korea"
    ),
    "seoul": Sample(
        module="engine.sample.seoul",
        version="1",
        scope="observed",
        meaning="the observed record 1907-2015",
        baseline=Years(1981, 2010),  # a normal period
    ),
    "korea-stations": Sample(
        module="engine.sample.korea_stations",
        version="1",
        scope="observed",
        meaning="observed rain of 69 stations 1976-2015 and storms, edition 2026-kr",
        # 2026-kr was fitted to return periods of this very record, of all its years; eight stations begin in 1996
        baseline=Years(1976, 2015),
        edition="2026-kr",
    ),
}

"""Members of an ensemble: finished runs, each of another climate model, read from run directories or directories of
results; and the sentences that refuse runs which are not of one kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.errors import SettingsError, SourceError
from engine.core.names import RISK_NAMES
from engine.core.period import FULL, PERIODS
from engine.core.rows import PROBABILITY
from engine.core.scenario import Scenario
from engine.io.results import result_folder
from engine.io.results.published_figures import AAL
from engine.io.results.run_method import same_figures
from engine.io.results.spool import Cells, RunDirectory

Pair = tuple[int, str]
#: of a row: its key, where the cell lies (null in windows of a directory of results), and the figures
_COLUMNS: dict[str, pl.DataType] = {
    "grid_id": pl.Int32(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "scenario_id": pl.Int16(),
    "time_period": pl.String(),
    "aal": pl.Float32(),
    "aal_se": pl.Float32(),
}
KEY = ("grid_id", "scenario_id", "time_period")
_STATED = ("edition", "edition_checksum", "edition_checksums", "baseline", "scope", "source_fingerprint")
#: cells read at a time from a directory of results, which has no blocks
_BLOCK = 7_135
#: degrees that two spellings of a coordinate may differ by
_SAME_PLACE = 1e-5


@dataclass(frozen=True, slots=True)
class Member:
    """One run of an ensemble.

    label  : in messages, such as `run 3 in runs/`
    record : edition, edition_checksum, edition_checksums, baseline, scope, source_fingerprint
    risks  : those with an AAL that may be published
    pairs  : (scenario_id, period) of its rows
    years  : period -> first and last year
    rows   : (risk, cells; None: all) -> its rows, columns grid_id, latitude, longitude, scenario_id, time_period, aal,
             aal_se
    files  : those that hold its rows
    blocks : half-open ranges of grid_id that its files are cut into; empty where they are not
    """

    label: str
    run_id: int
    place: Path | str
    record: Mapping[str, Any]
    risks: tuple[str, ...]
    pairs: frozenset[Pair]
    years: Mapping[str, tuple[int, int]]
    rows: Callable[[str, Cells | None], pl.LazyFrame]
    files: Callable[[], Sequence[Path]]
    blocks: tuple[Cells, ...] = ()

    def read(self, risk: str, cells: Cells) -> pl.DataFrame:
        """Rows of a range of cells, sorted by scenario, period and cell.

        raises : SourceError naming a file that is gone, or cut short, or no table of results
        """
        with _reading(self.label, self.files):
            return self.rows(risk, cells).sort("scenario_id", "time_period", "grid_id").collect()

    def places(self) -> pl.DataFrame:
        """Its cells, ascending: grid_id, latitude, longitude (null where no row says it).

        raises : as `read`
        """
        with _reading(self.label, self.files):
            rows = self.rows(self.risks[0], None).group_by("grid_id").agg(pl.col("latitude", "longitude").first())
            return rows.sort("grid_id").collect(engine="streaming")

    def told(self) -> dict[str, Any]:
        """Its line in the summary of the ensemble."""
        return {
            "run_id": self.run_id,
            "place": str(self.place),
            "source_fingerprint": self.record["source_fingerprint"],
        }


@contextmanager
def _reading(label: str, files: Callable[[], Sequence[Path]]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as err:
        raise SourceError(f"{label}: a file was taken away: {err}; run it again, or read it again") from err
    except (OSError, pl.exceptions.PolarsError) as err:
        broken = next((path for path in files() if not _readable(path)), None)
        what = "its results" if broken is None else str(broken)
        first = str(err).partition("\n")[0]
        raise SourceError(f"{label}: {what} cannot be read: {first}; run it again, or leave it out of --runs") from err


def _readable(path: Path) -> bool:
    try:
        return set(pl.read_parquet(path, glob=False).columns) >= {"grid_id", "risk_type", "aal", "aal_se"}
    except (OSError, pl.exceptions.PolarsError):
        return False


def open_members(names: Sequence[str], runs: Path | str) -> list[Member]:
    """Runs by number, or by the path of a run directory or of a directory of results.

    runs   : folder of run directories that numbers are looked for in, or an fsspec URL
    raises : SettingsError for fewer than two, one that is named twice, is not there or is not finished
    """
    if len(names) < 2:
        raise SettingsError(f"an ensemble is of two runs or more, --runs names {len(names)}")
    members = [_opened(name, runs) for name in names]
    for one, other in combinations(members, 2):
        if _resolved(one.place) == _resolved(other.place):
            raise SettingsError(f"--runs names {one.label} twice")
    return members


def _opened(name: str, runs: Path | str) -> Member:
    if name.isascii() and name.isdecimal():
        return _of_run(RunDirectory.open(runs, int(name)))
    folder = Path(name)
    if (folder / "manifest.json").is_file() and folder.name.isdigit():
        return _of_run(RunDirectory.open(folder.parent, int(folder.name)))
    if folder.is_dir():
        return _of_folder(folder)
    raise SettingsError(
        f"--runs: {name} is neither the number of a run under {runs}, nor a run directory or directory of results"
    )


def _of_run(run: RunDirectory) -> Member:
    label, identity, settled = f"run {run.run_id} in {run.root}", run.identity, run.settled
    if run.missing:
        raise SettingsError(
            f"{label} is not completed: {len(run.missing)} of its {len(run.blocks)} blocks are missing; continue it"
            f" with --resume {run.run_id}"
        )
    if settled is None:
        raise SettingsError(f"{label} is not completed, or is of a release before ensembles: run it again")
    if not settled.get(PROBABILITY):
        raise SettingsError(f"{label} has no AAL: it is a {identity['job_type']} run")

    def rows(risk: str, cells: Cells | None) -> pl.LazyFrame:
        lo, hi = cells or (run.blocks[0][0], run.blocks[-1][1])
        numbers = [number for number, (first, end) in enumerate(run.blocks) if first < hi and lo < end]
        found = [run.scan("probability", number) for number in numbers]
        return _chosen(
            pl.concat(found) if found else pl.LazyFrame(schema={"risk_type": pl.String, **_COLUMNS}), risk, cells
        )

    pairs = frozenset(
        (int(scenario), period) for scenario, _, period in (text.partition(":") for text in identity["pairs"])
    )
    first, _, last = str(identity["axis"]).partition("-")
    years = {period: PERIODS[period] if period != FULL else (int(first), int(last)) for _, period in pairs}
    risks, place = tuple(settled[PROBABILITY]), f"{run.root}/{run.run_id}"

    def files() -> list[Path]:
        return [run.file("probability", number) for number in range(len(run.blocks))]

    return Member(label, run.run_id, place, _stated(identity), risks, pairs, years, rows, files, tuple(run.blocks))


def _of_folder(folder: Path) -> Member:
    label = f"the results in {folder}"
    present = result_folder.current(folder)
    if not (present / result_folder.RECORD).is_file():
        raise SettingsError(f"{label}: nothing is published there, it has no run.json")
    full, windows = (present / f"{table}.parquet" for table in (AAL.full, AAL.windows))
    try:
        entries = {number: entry["run"] for number, entry in result_folder.entries(folder).items()}
        newest = json.loads((present / result_folder.RECORD).read_text("utf-8"))
        entries[newest["run_id"]] = newest
    except (OSError, ValueError, RecursionError, LookupError, TypeError) as err:
        raise SourceError(f"{label}: a record of its runs (run.json, {result_folder.RUNS}) is damaged: {err}") from err
    files = [path for path in (full, windows) if path.is_file()]
    if gone := [each.name for each in (full, windows) if each not in files and (folder / each.name).is_symlink()]:
        raise SourceError(f"{label}: {gone[0]} was published and is gone: run it again, or leave it out of --runs")
    if not files:
        raise SettingsError(f"{label} hold no AAL")
    with _reading(label, lambda: files):
        scans = [_full(path) if path == full else _windows(path) for path in files]
        every = pl.concat(scans, how="diagonal_relaxed")
        known = every.select("risk_type", "scenario_id", "time_period", "run_id").unique().collect(engine="streaming")
    made = known["run_id"].drop_nulls().unique().sort().to_list() or [newest["run_id"]]
    if len(made) > 1:
        raise SettingsError(f"{label} are of several runs ({', '.join(map(str, made))}): name the run directory of one")
    record = entries[made[0]]
    years = ((record["summary"] or {}).get("periods")) or {}
    held = set(known["risk_type"])
    return Member(
        label,
        record["run_id"],
        folder,
        _stated(record),
        tuple(risk for risk in RISK_NAMES if risk in held),
        frozenset(known.select("scenario_id", "time_period").iter_rows()),
        {period: (int(first), int(last)) for period, (first, last) in years.items()},
        lambda risk, cells: _chosen(every, risk, cells),
        lambda: files,
    )


def _full(path: Path) -> pl.LazyFrame:
    scenario = pl.lit(int(Scenario.SSP245), pl.Int16).alias("scenario_id")
    return pl.scan_parquet(path, glob=False).with_columns(scenario, pl.lit(FULL).alias("time_period"))


def _windows(path: Path) -> pl.LazyFrame:
    nowhere = (pl.lit(None, pl.Float64).alias(name) for name in ("latitude", "longitude"))
    return pl.scan_parquet(path, glob=False).with_columns(*nowhere, pl.lit(None, pl.Int32).alias("run_id"))


def _chosen(rows: pl.LazyFrame, risk: str, cells: Cells | None) -> pl.LazyFrame:
    wanted = pl.col("risk_type") == risk
    if cells is not None:
        wanted &= pl.col("grid_id").is_between(*cells, closed="left")
    return rows.filter(wanted).select(pl.col(name).cast(kind) for name, kind in _COLUMNS.items())


def _stated(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record.get(name) for name in _STATED}


def _resolved(place: Path | str) -> str:
    return str(place) if "://" in str(place) else str(Path(place).resolve())


def refuse_unlike(members: Sequence[Member], risks: Sequence[str]) -> None:
    """Refuse runs whose AALs cannot be put together, naming which and where they differ.

    raises : SettingsError
    """
    first = members[0]
    for one, other in combinations(members, 2):
        if one.record["source_fingerprint"] == other.record["source_fingerprint"]:
            raise SettingsError(
                f"{one.label} and {other.label} were computed from the same climate: each run of an ensemble is of"
                " another model or realisation"
            )
    for other in members[1:]:
        if why := _difference(first, other, risks):
            raise SettingsError(f"{other.label} cannot be put together with {first.label}: {why}")


def _difference(first: Member, other: Member, risks: Sequence[str]) -> str | None:
    """What makes the figures of two runs figures of different things; None where nothing does."""
    mine, theirs = first.record, other.record
    for risk in risks:
        if risk not in other.risks:
            return f"it has no AAL of {risk}; leave the risk out with --risks"
        if not same_figures(mine, theirs, risk):
            return f"{risk} has other figures (edition {theirs['edition']}, where the other has {mine['edition']})"
    for name in ("baseline", "scope"):
        if mine[name] != theirs[name]:
            return f"its {name} is {theirs[name]}, where the other has {mine[name]}"
    if first.pairs != other.pairs:
        lacking = [("it has no", first.pairs - other.pairs), ("it alone has", other.pairs - first.pairs)]
        return "; ".join(f"{word} {_listed(pairs)}" for word, pairs in lacking if pairs)
    for period in sorted(first.years.keys() & other.years.keys()):
        if first.years[period] != other.years[period]:
            spans = ["{}-{}".format(*each.years[period]) for each in (other, first)]
            return f"its {period} is {spans[0]}, where the other has {spans[1]}"
    return None


def _listed(pairs: frozenset[Pair]) -> str:
    return ", ".join(f"{Scenario(scenario).code} {period}" for scenario, period in sorted(pairs))


def common_places(members: Sequence[Member]) -> pl.DataFrame:
    """The cells that all members have: grid_id, ascending.

    raises : SettingsError naming the run and the first cell that differs
    """
    first, places = members[0], members[0].places()
    for other in members[1:]:
        theirs = other.places()
        only = {
            label: here.join(there, on="grid_id", how="anti")
            for label, here, there in ((first.label, places, theirs), (other.label, theirs, places))
        }
        for label, cells in only.items():
            if cells.height:
                raise SettingsError(
                    f"{other.label} is on another grid than {first.label}: {cells.height:,} cells are in {label} alone"
                    f" (first: cell {cells['grid_id'][0]})"
                )
        both = places.join(theirs, on="grid_id", suffix="_theirs")
        apart = pl.any_horizontal(
            (pl.col(n) - pl.col(f"{n}_theirs")).abs() > _SAME_PLACE for n in ("latitude", "longitude")
        )
        if (moved := both.filter(apart)).height:
            cell, *place = moved.row(0)
            raise SettingsError(
                "{} is on another grid than {}: cell {} lies at {:g}, {:g} there and at {:g}, {:g} here".format(
                    other.label, first.label, cell, *place[2:], *place[:2]
                )
            )
    return places.select("grid_id")


def ranges(members: Sequence[Member], cells: pl.DataFrame) -> list[Cells]:
    """Ranges of cells to work on: the blocks of a member that has some, else a fixed number of cells each."""
    for member in members:
        if member.blocks:
            return list(member.blocks)
    ids = cells["grid_id"].to_list()
    firsts = ids[::_BLOCK]
    return list(zip(firsts, [*firsts[1:], ids[-1] + 1], strict=True))

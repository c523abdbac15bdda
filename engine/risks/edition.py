"""Editions: one published set of edges and damage rates for the risks that it holds, and users' own on top of one.

An edition is a TOML file. A user's names its `base` and overrides any key of any risk, or brings a risk that the base
lacks with all its keys:

    name = "our-house-2026"
    base = "2025-11"

    [typhoon]
    damage_rates = [0, 0.0002, 0.001, 0.01, 0.05]
    source = "own claims 2003-2022"
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

from engine.core import country, profile_file
from engine.core.errors import DefinitionError, SettingsError
from engine.core.names import nearest, unknown
from engine.core.profiles import PROFILES
from engine.risks import edition_draws, edition_file, edition_keys
from engine.risks.bins import Bins
from engine.risks.definition import Intensity
from engine.risks.edition_draws import RateDraws
from engine.risks.edition_file import EditionText, shown
from engine.risks.editions import EDITIONS
from engine.risks.registry import RISKS

#: characters of a name, as wide as its columns
_LONGEST_NAME = 40
#: what a base's figures were calibrated for is gone where one of these is replaced
_MOVES_LOSSES = frozenset({"intensity", "edges", "damage_rates", "estimator", "trend", "factor"})
#: what `source` vouches for, beside the figures that the code of a risk reads; `factor` names its own
_VOUCHED = ("edges", "fallback", "damage_rates", "calibrated")


@dataclass(frozen=True, slots=True)
class Edition:
    """Bins of the risks that it holds, in canonical order, under one name; `checksum` changes when any figure does,
    `checksums[risk]` when one of that risk does.

    aal_level_cuts_pct : lower ends of the AAL levels low to critical, per cent; None: those of the setting
    draws              : how uncertain fitted damage rates are; None: the edition does not say
    country            : risk -> figures of the country's works, by which the edition is read
    """

    name: str
    bins: Mapping[str, Bins]
    aal_level_cuts_pct: tuple[float, ...] | None = None
    draws: RateDraws | None = None
    country: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: country.current().figures)

    @property
    def checksum(self) -> str:
        """SHA-256 over the resolved figures, 64 hex digits."""
        cuts = {} if self.aal_level_cuts_pct is None else {"aal_level_cuts_pct": self.aal_level_cuts_pct}
        drawn = {} if self.draws is None else {"draws": [self.draws.sha256, *self.draws.rates]}
        other = self._other_country
        theirs = {"country": other} if other else {}
        return _digest({risk: _set_keys(bins) for risk, bins in self.bins.items()} | cuts | drawn | theirs)

    @property
    def checksums(self) -> dict[str, str]:
        """Risk -> SHA-256 over its own figures, 64 hex digits."""
        drawn, other = self.draws.rates if self.draws else {}, self._other_country
        return {
            risk: _digest(
                _set_keys(bins)
                | ({"draws": drawn[risk]} if risk in drawn else {})
                | ({"country": other[risk]} if risk in other else {})
            )
            for risk, bins in self.bins.items()
        }

    @property
    def _other_country(self) -> dict[str, dict[str, float]]:
        """Figures of the country where they are not those with which the editions were published."""
        published = profile_file.load(PROFILES[0]).figures
        return {risk: dict(own) for risk, own in self.country.items() if own != published.get(risk)}

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """Risk -> the figures that its code reads."""
        return {
            name: {key: getattr(bins, key) for key in RISKS[name].figures} | dict(self.country.get(name, {}))
            for name, bins in self.bins.items()
        }

    def intensity(self, risk: str) -> Intensity:
        """Intensity by which this edition measures the risk."""
        return RISKS[risk].intensities[self.bins[risk].intensity]


def _set_keys(bins: Bins) -> dict[str, Any]:
    # a key that an edition does not set is no part of it, so that a new one moves no checksum of the editions that go
    # without; `lower` was counted as null from the first
    return {key: value for key, value in asdict(bins).items() if value is not None or key == "lower"}


def _digest(figures: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(figures, sort_keys=True).encode()).hexdigest()


def load_edition(name: str | Path) -> Edition:
    """A published edition by name, or a user's by the path of its TOML file.

    raises : DefinitionError naming file and line when the file contradicts itself
    """
    if str(name) in EDITIONS:
        folder = resources.files("engine.risks") / "editions"
        file = _File(f"{name}.toml", (folder / f"{name}.toml").read_text("utf-8"))
        bins = file.bins({})
        return Edition(
            str(name), bins, file.cuts(), file.draws(bins, None, lambda beside: (folder / beside).read_bytes())
        )
    path = Path(name)
    if path.suffix != ".toml":
        raise SettingsError(f"{unknown('edition', str(name), EDITIONS)}; or give the path of a .toml file")
    file = _File(str(path), edition_file.read(path))
    base = file.top("base")
    if base not in EDITIONS:
        raise file.fault("base", None, f"names {shown(base)}, which is none of {', '.join(EDITIONS)}")
    stands_on = load_edition(str(base))
    bins = file.bins(stands_on.bins)
    drawn = file.draws(bins, stands_on.draws, lambda beside: (path.parent / beside).read_bytes())
    return Edition(file.title(), bins, file.cuts() or stands_on.aal_level_cuts_pct, drawn)


class _File(EditionText):
    """One edition's text as bins."""

    def title(self) -> str:
        """The name of a user's edition; it goes into the database and into files."""
        title = self.top("name")
        if not isinstance(title, str) or not 0 < len(title) <= _LONGEST_NAME or title in EDITIONS:
            problem = f"must be 1 to {_LONGEST_NAME} characters and not the name of a published edition"
            raise self.fault("name", None, problem)
        if title != title.strip():
            raise self.fault("name", None, "begins or ends with a blank")
        if alike := [each for each in EDITIONS if each.casefold() == title.casefold()]:
            raise self.fault("name", None, f"differs from the published edition {alike[0]} by case alone")
        if title.startswith(".") or {"/", "\\"} & {*title}:
            raise self.fault("name", None, "begins with a dot or holds a slash: it is part of names of files")
        try:
            edition_keys.check_words("name", title)
        except DefinitionError as err:
            raise self.fault("name", None, str(err)) from None
        return title

    def cuts(self) -> tuple[float, ...] | None:
        """Lower ends of the AAL levels, per cent; None where the text has none."""
        key = "aal_level_cuts_pct"
        if key not in self.data:
            return None
        try:
            return edition_keys.level_cuts(self.data[key])
        except DefinitionError as err:
            raise self.fault(key, None, str(err)) from None

    def draws(self, bins: Mapping[str, Bins], base: RateDraws | None, load: Callable[[str], bytes]) -> RateDraws | None:
        """Those of the text; else those of the base, but for risks whose losses the text moves."""
        if "draws" not in self.data:
            moved = {risk for risk in bins if (_MOVES_LOSSES | {"priced"}) & set(self.data.get(risk, ()))}
            return base and base.without(moved)
        priced = {risk: len(each.damage_rates) for risk, each in bins.items() if each.has_loss}
        try:
            return edition_draws.read(self.data["draws"], priced, load)
        except DefinitionError as err:
            raise self.fault("draws", None, str(err)) from None

    def bins(self, base: Mapping[str, Bins]) -> dict[str, Bins]:
        """Risk -> its figures, in canonical order: those of the text over those of the base."""
        tables = {key: value for key, value in self.data.items() if key not in edition_keys.TOP}
        for risk, table in tables.items():
            if risk not in RISKS:
                near = f"; did you mean {meant}?" if (meant := nearest(risk, [*RISKS, *edition_keys.TOP])) else ""
                raise self.fault(risk, None, f"is none of the risks {', '.join(RISKS)}{near}")
            if not isinstance(table, dict):
                raise self.fault(risk, None, f"is not a table: write [{risk}] above its keys")
            for key, value in table.items():
                try:
                    edition_keys.check(risk, key, value)
                except DefinitionError as err:
                    raise self.fault(key, risk, str(err)) from None
        held = [risk for risk in RISKS if risk in tables or risk in base]
        if not held:
            raise DefinitionError(f"edition {self.label}: line 1: it holds no risk; known: {', '.join(RISKS)}")
        return {risk: self._resolve(risk, tables.get(risk, {}), base.get(risk)) for risk in held}

    def _resolve(self, risk: str, table: Mapping[str, Any], base: Bins | None) -> Bins:
        self._check_intensity(risk, table, base)
        merged = {field.name: getattr(base, field.name) for field in fields(Bins)} if base else {}
        for gone in _replaced(table):
            merged.pop(gone, None)
        for key, value in table.items():
            merged |= edition_keys.figures(key, value)
        if isinstance(table.get("edges"), dict) and table.get("of_baseline") is False:
            raise self.fault("of_baseline", risk, "quantiles and return periods are of the baseline: take it out")
        if "edges" in table and merged.get("of_baseline") is False and "fallback" not in table:
            merged["fallback"] = ()
        if merged.get("priced") is False:
            merged.setdefault("damage_rates", ())
        for key in ("intensity", "edges", "damage_rates", "source", *RISKS[risk].figures):
            if key not in merged:
                raise self.fault(key, risk, "is missing")
        if edition_keys.returns(table.get("edges")) and RISKS[risk].intensities[merged["intensity"]].monthly:
            problem = f"return periods count years, and {merged['intensity']} has a value a month: use quantiles"
            raise self.fault("edges", risk, problem)
        if merged.get("trend") and RISKS[risk].intensities[merged["intensity"]].scale is not None:
            problem = f"{merged['intensity']} has the years of the track record in every window: they lie on no line"
            raise self.fault("trend", risk, problem)
        try:
            bins = Bins(**merged)
        except DefinitionError as err:
            raise self.fault(err.key, risk, str(err)) from None
        if base:
            self._check_source(risk, table, bins, base)
        return bins

    def _check_source(self, risk: str, table: Mapping[str, Any], bins: Bins, base: Bins) -> None:
        """Refuse figures that would be published under the source of those which they replace."""
        if bins.source != base.source:
            return
        for key in (*_VOUCHED, *RISKS[risk].figures):
            stated = key in table and (key != "calibrated" or bins.calibrated)
            if stated and getattr(bins, key) != getattr(base, key):
                problem = f"it differs from the base's, whose source does not hold for it: give [{risk}] its own source"
                raise self.fault(key, risk, problem)

    def _check_intensity(self, risk: str, table: Mapping[str, Any], base: Bins | None) -> None:
        known = RISKS[risk].intensities
        if table.get("intensity", next(iter(known))) not in known:
            raise self.fault("intensity", risk, f"{shown(table['intensity'])} is none of {', '.join(known)}")
        if base and table.get("intensity", base.intensity) != base.intensity:
            unpriced = table.get("priced", base.priced) is False
            for key in ("edges", "source") if unpriced else ("edges", "damage_rates", "source"):
                if key not in table:  # the base's figures belong to another quantity
                    raise self.fault("intensity", risk, f"another intensity needs its own {key}")


def _replaced(table: Mapping[str, Any]) -> set[str]:
    """Fields of a base's bins that do not hold beside the keys of a table."""
    gone = {"calibrated", "level"} if _MOVES_LOSSES & table.keys() else set()
    if "damage_rates" in table:
        gone.add("factor")
    if table.get("priced") is False:
        gone |= {"damage_rates", "factor", "calibrated", "level"}
    if table.get("calibrated") is False:
        gone.add("level")
    return gone

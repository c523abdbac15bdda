"""Settings of an assessment. Figures of the rules themselves are not settings; they stand with the rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from engine.core import country
from engine.core.errors import SettingsError
from engine.core.grid import KOREA, GridDefinition

SpatialPolicy = Literal["fail", "impute"]

#: part of the building hash: a change of any rule of E, V or AAL must change it
RULES_VERSION = "v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessConfig:
    """Settings of an assessment; the defaults are the published ones.

    reference_value     : asset value that counts as 1; not given: that of the country
    area_cap_m2         : gross floor area that counts as 1, m2
    aal_level_cuts_pct  : lower ends of AAL levels low, moderate, high, critical, percent
    building_search_radius_m : how far the nearest building of the register may be, m
    spatial_missing_policy   : `fail`: a risk without its spatial input fails; `impute`: it takes the national mean,
                               flagged
    grid                : lattice of the hazard and probability results
    calibrated          : risks whose damage rates behind the AAL are calibrated on losses, as their edition says
    not_priced          : risks without damage rates, as their edition says
    trended             : risks that follow a trend, as their edition says: the AAL of a window is that of a year
    edition_cuts_pct    : risks with the AAL level cuts that their edition states; they come before `aal_level_cuts_pct`
    stand_ins           : national means for `impute`; not given: those of the country
    """

    reference_value: float = field(default_factory=lambda: country.current().reference_value)
    area_cap_m2: float = 1e4
    aal_level_cuts_pct: tuple[float, float, float, float] = (0.1, 0.3, 1.0, 3.0)
    building_search_radius_m: float = 500.0
    spatial_missing_policy: SpatialPolicy = "fail"
    grid: GridDefinition = KOREA
    calibrated: frozenset[str] = frozenset()
    not_priced: frozenset[str] = frozenset()
    trended: frozenset[str] = frozenset()
    edition_cuts_pct: tuple[tuple[str, tuple[float, ...]], ...] = ()
    stand_ins: tuple[tuple[str, float], ...] = field(
        default_factory=lambda: tuple(sorted(country.current().stand_ins.items()))
    )

    def __post_init__(self) -> None:
        for name in ("reference_value", "area_cap_m2", "building_search_radius_m"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name.upper()} is {getattr(self, name)}, it must be positive")
        cuts = self.aal_level_cuts_pct
        if len(cuts) != 4 or any(low >= high for low, high in pairwise((0.0, *cuts))):
            raise SettingsError(f"AAL_LEVEL_CUTS_PCT is {cuts}: it needs four positive, ascending percentages")
        if self.spatial_missing_policy not in ("fail", "impute"):
            raise SettingsError(f"SPATIAL_MISSING_POLICY is {self.spatial_missing_policy!r}: it is fail or impute")
        if self.spatial_missing_policy == "impute" and not self.stand_ins:
            raise SettingsError(
                f"SPATIAL_MISSING_POLICY is impute, but COUNTRY {country.current().key} states no stand_ins: state the"
                " means of the country in its profile"
            )

    def level_cuts_pct(self, risk: str) -> tuple[float, ...]:
        """Lower ends of the AAL levels of a risk, percent."""
        return dict(self.edition_cuts_pct).get(risk, self.aal_level_cuts_pct)

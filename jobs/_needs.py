"""Inputs that a risk lacks, in the words of a person who has to find them: variable, unit, an example of a source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.core.variables import BY_TABLE
from engine.io.etl.derive.derive_band import BALANCE, OF_MONTHS, YIELDS
from engine.io.etl.derive.pieces import DAILY, MONTHLY

#: daily variable -> what it is, its unit, where there is one
_DAILY: Mapping[str, str] = {
    "tas": "mean temperature tas (K or degC; ERA5, CMIP6, E-OBS)",
    "tasmax": "maximum temperature tasmax (K or degC; ERA5, CMIP6, E-OBS)",
    "tasmin": "minimum temperature tasmin (K or degC; ERA5, CMIP6, E-OBS)",
    "pr": "rain pr (mm/day or kg m-2 s-1; CMIP6, E-OBS, CHIRPS)",
    "hurs": "relative humidity hurs (%; CMIP6, E-OBS)",
    "sfcWind": "wind at 10 m sfcWind (m s-1; CMIP6, ERA5)",
    "rsds": "radiation rsds (W m-2 or MJ m-2; CMIP6, ERA5)",
}
_TABLES: Mapping[str, str] = {
    "sea_level_grid": "yearly sea level of ocean points by scenario (cm; IPCC AR6, CMIP6 zos; docs/etl.md, sea_level)",
    "sea_level_data": "yearly sea level of ocean points by scenario (cm; IPCC AR6, CMIP6 zos; docs/etl.md, sea_level)",
    "api_typhoon_besttrack": "best tracks of tropical cyclones (--tracks FILE; IBTrACS CSV)",
    "api_wamis_stations": "river gauges with flow and water use (docs/etl.md, wamis)",
    "api_wamis_water_usage": "river gauges with flow and water use (docs/etl.md, wamis)",
    "api_wamis_flow": "river gauges with flow and water use (docs/etl.md, wamis)",
    "water_stress_rankings": "projected water stress of provinces (WRI Aqueduct 4.0, country and province rankings)",
    "water_basin": "outlines of river basins (docs/etl.md, basins)",
    "water_basin_province": "outlines of provinces (docs/etl.md, basins)",
    "grid_attributes": "coast and rivers (docs/etl.md, map_layers)",
}


def in_words(tables: Iterable[str], given: Mapping[str, str], without_value: Mapping[str, str]) -> str:
    """What tables, or `table.column`, are made of and nobody gave, each input once; of those whose inputs were all
    given, why they have no value.

    given         : daily variable -> step of the files that hold it
    without_value : variable -> why nothing could be derived
    """
    found: dict[str, None] = {}
    for name in tables:
        table = name.partition(".")[0]
        if table not in BY_TABLE:
            found[_TABLES.get(table, table)] = None
            continue
        variable = BY_TABLE[table]
        of_months = variable.monthly or variable.name in OF_MONTHS["tas"]
        steps = (DAILY, MONTHLY) if of_months else (DAILY,)
        lacking = [daily for daily in _daily_of(variable.name) if given.get(daily) not in steps]
        found |= dict.fromkeys(f"{' or '.join(steps)} {_DAILY[daily]}" for daily in lacking)
        if not lacking:
            found[f"{variable.name} ({without_value.get(variable.name, 'which has no value')})"] = None
    return "; ".join(found)


def _daily_of(variable: str) -> tuple[str, ...]:
    if variable == "spei12":
        return BALANCE
    return tuple(daily for daily, made in YIELDS.items() if variable in made)

"""Hashes of the inputs of a cached result: SHA-256 of canonical JSON (RFC 8785: sorted keys, no blanks, nulls dropped,
text in NFC and trimmed, whole floats written as integers)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import polars as pl

from engine.assess.rules.config import RULES_VERSION
from engine.assess.rules.fields import BUILDING
from engine.core import country

Members = Mapping[str, pl.Expr]  # key -> its value as JSON text, null to leave the member out

#: optional inputs that vulnerability reads
_OPTIONAL = ("first_floor_height_m", "has_water_tank", "in_flood_zone", "water_supply_available")


def building_text(sites: pl.DataFrame) -> pl.Series:
    """Canonical text of everything that vulnerability depends on, of prepared sites. What was imputed is left out: an
    unknown building is not the same as one stated to have the default values."""
    location = {
        "admin_code": _json("admin_code", sites),
        "elevation": _json("elevation", sites),
        "latitude": _json("latitude", sites),
        "longitude": _json("longitude", sites),
    }
    stated = {
        field.name: pl.when(~pl.col("imputed_fields").list.contains(field.name)).then(_json(field.name, sites))
        for field in BUILDING
    }
    members = {
        "building_info": _object(stated | {"location": _object(location)}),
        "floor_area": _json("stated_area", sites),
        "rules_version": pl.lit(f'"{RULES_VERSION}"'),
    }
    members |= {name: _json(name, sites) for name in _OPTIONAL}
    return sites.select(_object(members).alias("building_text")).to_series()


def asset_text(sites: pl.DataFrame) -> pl.Series:
    """Canonical text of the asset of prepared sites; KRW, the first currency, is left out, so that its hashes stay."""
    code = country.current().currency.code
    members = {
        "currency": pl.lit(None if code == "KRW" else f'"{code}"', pl.String),
        "floor_area": _json("stated_area", sites),
        "insurance_coverage_rate": _json("insurance_coverage_rate", sites),
        "total_asset_value": _json("total_asset_value", sites),
    }
    return sites.select(_object(members).alias("asset_text")).to_series()


def sha256(texts: pl.Series) -> pl.Series:
    """64 lower-case hex digits a text. The one place that goes text by text: no columnar SHA-256 is as fast as
    OpenSSL's, which takes less than a microsecond each."""
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in texts.to_list()]
    return pl.Series(texts.name, digests, dtype=pl.String)


def hashed(sites: pl.DataFrame) -> pl.DataFrame:
    """`building_hash` and `asset_hash` of prepared sites, in their order."""
    return pl.DataFrame({"building_hash": sha256(building_text(sites)), "asset_hash": sha256(asset_text(sites))})


def _object(members: Members) -> pl.Expr:
    """A JSON object of the members that are not null, keys in order."""
    parts = [
        pl.when(value.is_not_null()).then(pl.concat_str(pl.lit(f'"{key}":'), value))
        for key, value in sorted(members.items())
    ]
    return pl.concat_str(pl.lit("{"), pl.concat_str(*parts, separator=",", ignore_nulls=True), pl.lit("}"))


def _json(name: str, sites: pl.DataFrame) -> pl.Expr:
    """A column as JSON text."""
    column, kind = pl.col(name), sites.schema[name]
    if kind == pl.String:
        # the encoder quotes and escapes; taken out of a record of one member
        return pl.when(column.is_not_null()).then(
            pl.struct(column.alias("v")).struct.json_encode().str.strip_prefix('{"v":').str.strip_suffix("}")
        )
    text = column.cast(pl.String)
    return text.str.strip_suffix(".0") if kind == pl.Float64 else text

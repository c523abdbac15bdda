"""The age of a building from the year in which it was completed."""

from __future__ import annotations

from datetime import date

import polars as pl

#: `1998`, `1998.05.01`, `1998년 5월 1일`, `1998-05-01 00:00:00`, `19980501`
_DATE = r"^'?([12][0-9]{3})(?:\.0*$|$|년|[.\-/]\s*|(?:[0-9]{2}(?:[0-9]{2})?$))"
_MONTH = r"^'?[12][0-9]{3}(?:\s*년\s*|[.\-/]\s*|)([0-9]{1,2})"
_DAY = r"^'?[12][0-9]{3}(?:(?:\s*년\s*|[.\-/]\s*)[0-9]{1,2}(?:\s*월\s*|[.\-/]\s*)|[0-9]{2})([0-9]{1,2})"


def ages(sites: pl.DataFrame, completed: pl.Series, today: date) -> pl.DataFrame:
    """`building_age` in whole years, and `building_age` in `invalid_types` where there is no year.

    completed : years, dates, or text of either. A year alone counts from its first day
    """
    text = completed.cast(pl.String).str.strip_chars().replace("", None)
    parts = pl.DataFrame({"text": text}).select(
        "text",
        year=pl.col("text").str.extract(_DATE).cast(pl.Int64, strict=False),
        month=pl.col("text").str.extract(_MONTH).cast(pl.Int64, strict=False),
        day=pl.col("text").str.extract(_DAY).cast(pl.Int64, strict=False),
    )
    late = (pl.col("month") > today.month) | ((pl.col("month") == today.month) & (pl.col("day") > today.day))
    found = parts.select(
        age=today.year - pl.col("year") - (late & (pl.col("year") < today.year)).fill_null(False).cast(pl.Int64),
        wrong=pl.col("text").is_not_null() & pl.col("year").is_null(),
    )
    faulty = pl.when(found["wrong"]).then(pl.lit(["building_age"])).otherwise(pl.lit([], pl.List(pl.String)))
    return sites.with_columns(building_age=found["age"], invalid_types=pl.col("invalid_types").list.concat(faulty))

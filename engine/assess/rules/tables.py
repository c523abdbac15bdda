"""Tables of any kind as polars frames: pandas, Arrow, a mapping of columns, a list of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import polars as pl

from engine.core.errors import SchemaError

#: a polars or pandas frame, an Arrow table, a mapping of columns, or a list of mappings, one a row
Table: TypeAlias = pl.DataFrame | pl.LazyFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Any


def frame_of(table: Table, what: str) -> pl.DataFrame:
    """A table as a polars frame; missing values of pandas (NaN, NaT, `pd.NA`) become null, its index is left out.

    what   : name of the argument, for messages
    raises : SchemaError for what is no table, or columns that hold several kinds of values
    """
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    try:
        if hasattr(table, "iloc") and hasattr(table, "columns"):  # pandas, which is not imported here
            pandas: Any = table
            found = pl.from_pandas(pandas.rename(columns=str).reset_index(drop=True), nan_to_null=True)
        elif hasattr(table, "column_names") and hasattr(table, "schema"):  # Arrow
            found = pl.DataFrame(pl.from_arrow(table))
        elif isinstance(table, Mapping):
            found = pl.DataFrame(dict(table))
        elif isinstance(table, Sequence) and not isinstance(table, str) and all(isinstance(r, Mapping) for r in table):
            found = pl.DataFrame(list(table), infer_schema_length=None)
        else:
            raise SchemaError(
                f"{what} is a {type(table).__name__}, expected a table: a frame of polars or pandas, columns by name"
                " or a list of rows, each a mapping"
            )
    except (TypeError, ValueError, pl.exceptions.PolarsError, ArithmeticError) as err:
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        raise SchemaError(f"{what} cannot be read as a table: {reason}") from err
    return found

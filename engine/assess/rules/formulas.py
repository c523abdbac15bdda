"""Text that a spreadsheet would take for a formula when it opens a text file."""

from __future__ import annotations

import polars as pl

#: a plain number as a spreadsheet would write it: without leading zeros, which are part of a code
NUMBER = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,12})?$"
_FORMULA = r"^[=+\-@\t\r]"


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """The same frame with an apostrophe before text that would be taken for a formula."""
    return frame.with_columns(_guarded(column) for column in frame if column.dtype == pl.String)


def _guarded(column: pl.Series) -> pl.Expr:
    text = pl.col(column.name)
    harmful = text.str.contains(_FORMULA) & ~text.str.contains(NUMBER)
    return pl.when(harmful).then(pl.concat_str(pl.lit("'"), text)).otherwise(text).alias(column.name)

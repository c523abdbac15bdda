"""Sites of any kind of table are assessed alike; what is no table is refused in a sentence."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from engine.assess import assess_sites
from engine.core.errors import SchemaError

ROWS = [
    {"latitude": 37.5665, "longitude": 126.978, "total_asset_value": 5.0e9, "structure": "목조"},
    {"latitude": 35.1, "longitude": 129.04, "total_asset_value": None},
]
PANDAS = pd.DataFrame(ROWS, index=["a", "b"])
PANDAS["total_asset_value"] = np.array([5.0e9, np.nan])


@pytest.mark.parametrize(
    "table",
    [PANDAS, PANDAS.convert_dtypes(), pa.Table.from_pylist(ROWS), PANDAS.to_dict("list"), ROWS],
    ids=["pandas", "nullable pandas", "arrow", "columns", "rows"],
)
def test_every_kind_of_table_gives_the_same_assessment(table):
    import polars as pl

    expected = assess_sites(pl.DataFrame(ROWS))
    if isinstance(table, dict):
        table = {name: [None if each != each else each for each in column] for name, column in table.items()}
    found = assess_sites(table)
    for name in ("exposure", "vulnerability", "failures"):
        assert_frame_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("sites.csv", "sites is a str, expected a table"),
        ([[37.5, 127.0]], "sites is a list, expected a table"),
        ({"latitude": [37.5], "longitude": [127.0, 128.0]}, "sites cannot be read as a table"),
    ],
)
def test_what_is_no_table_is_refused(table, message):
    with pytest.raises(SchemaError, match=message):
        assess_sites(table)

"""Reading a warehouse: whatever its layout, the panel holds its values, and what is wrong is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest

from engine.core.errors import SchemaError, SettingsError, SourceError
from engine.core.panel import Panel
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.io import open_source
from engine.io.climate.source import ClimateSource
from engine.io.db import postgres
from engine.io.db.embedded import EmbeddedServer
from tests import warehouses

SHORT = Years(2021, 2024)
NAMES = ("ta", "wsdi")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str], ClimateSource]]:
    sources: list[ClimateSource] = []

    def make(url: str) -> ClimateSource:
        sources.append(open_source(url))
        return sources[-1]

    yield make
    for source in sources:
        source.close()


def whole(source: ClimateSource, names: tuple[str, ...] = NAMES) -> Panel:
    return source.read(source.cells(), names, list(Scenario))


def test_a_panel_holds_the_values_of_the_tables(warehouse, opened):
    filled = warehouses.fill(warehouse)
    source = opened(warehouse)
    panel = whole(source, warehouses.DEFAULT_VARIABLES)
    assert source.grid == filled.grid
    assert source.axis == Years(2021, 2100)
    assert panel.cells.select("grid_id", "latitude", "longitude").equals(filled.cells)
    assert panel.arrays.keys() == filled.arrays.keys()
    for key, expected in filled.arrays.items():
        assert panel.arrays[key].tobytes() == expected.tobytes(), key
        assert panel.arrays[key].shape == expected.shape
    assert not panel.duplicates


def test_rows_in_any_order_give_the_same_bytes(warehouse, opened):
    filled = warehouses.fill(warehouse, axis=SHORT, shuffled=True, keep_ocean=True)
    panel = whole(opened(warehouse))
    for name in NAMES:
        for scenario in Scenario:
            assert panel.arrays[name, scenario].tobytes() == filled.arrays[name, scenario].tobytes()


def test_a_foreign_warehouse_gives_the_values_of_ours(new_database, opened):
    url = new_database("")
    filled = warehouses.fill(url, axis=SHORT, foreign=True)
    source = opened(url)
    panel = whole(source, warehouses.DEFAULT_VARIABLES)
    assert source.grid is None
    assert source.axis == SHORT
    assert source.scope == "full"
    assert source.covered_years == warehouses.COVERED_YEARS
    assert panel.cells.select("grid_id", "latitude", "longitude").equals(filled.cells)
    assert panel.cells["elevation_mean_m"].null_count() == len(panel)
    for key, expected in filled.arrays.items():
        np.testing.assert_array_equal(panel.arrays[key], expected, str(key))


def test_a_cell_of_a_foreign_warehouse_gets_its_nearest_ocean_point(new_database, opened):
    url = new_database("")
    warehouses.fill(url, axis=SHORT, foreign=True)
    cells = opened(url).cells()
    west = cells["longitude"] < 127.45
    assert cells.filter(west)["slr_grid_id"].unique().to_list() == [1]
    assert 3 not in cells["slr_grid_id"]  # masked: it holds no level


def test_columns_that_only_one_risk_reads_or_that_nobody_reads_may_be_absent(new_database, opened):
    url = new_database("")
    warehouses.fill(url, axis=SHORT, foreign=True)
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE api_typhoon_besttrack DROP COLUMN hour, DROP COLUMN obs_datetime")
    source = opened(url)
    assert "obs_datetime" not in source.tables["api_typhoon_besttrack"]  # the plan says that typhoon lacks it
    assert source.table("api_typhoon_besttrack")["tcid"].is_sorted()


def test_ids_that_follow_a_lattice_reveal_it(warehouse, opened):
    filled = warehouses.fill(warehouse, axis=SHORT, without=["grid_definition"])
    source = opened(warehouse)
    assert source.grid == filled.grid
    assert source.axis == SHORT


def test_a_block_holds_the_asked_cells_only(warehouse, opened):
    filled = warehouses.fill(warehouse, axis=SHORT)
    source = opened(warehouse)
    chosen = [0, 4, 5, 12]  # gaps, and across two partitions
    panel = source.read(source.cells()[chosen], NAMES, [Scenario.SSP585])
    for name in NAMES:
        np.testing.assert_array_equal(panel.arrays[name, Scenario.SSP585], filled.arrays[name, Scenario.SSP585][chosen])


def test_distant_cells_are_asked_for_one_by_one(new_database, opened):
    url = new_database("")
    filled = warehouses.fill(url, axis=SHORT, foreign=True)
    source = opened(url)
    ends = [0, len(filled.cells) - 1]
    panel = source.read(source.cells()[ends], ["wsdi"], [Scenario.SSP245])
    np.testing.assert_array_equal(panel.arrays["wsdi", Scenario.SSP245], filled.arrays["wsdi", Scenario.SSP245][ends])


def test_a_missing_row_is_missing_in_every_scenario_and_nowhere_else(warehouse, opened):
    filled = warehouses.fill(warehouse, axis=SHORT, gaps={"ta_data": 7})
    panel = whole(opened(warehouse))
    lost = np.isnan(panel.arrays["ta", Scenario.SSP126])
    assert lost.sum() == 7
    for scenario in Scenario:
        array, expected = panel.arrays["ta", scenario], filled.arrays["ta", scenario]
        assert (np.isnan(array) == lost).all()
        np.testing.assert_array_equal(array[~lost], expected[~lost])


def test_duplicate_rows_are_counted_by_table(warehouse, opened):
    warehouses.fill(warehouse, axis=SHORT, duplicates={"wsdi_data": 3, "rn_data": 5})
    assert whole(opened(warehouse), ("ta", "rn", "wsdi")).duplicates == {"wsdi_data": 3, "rn_data": 5}


def test_null_and_nan_are_missing_alike(warehouse, new_database, opened):
    url = new_database("")
    warehouses.fill(url, axis=SHORT, foreign=True, all_nan=["wsdi_data.ssp2"])
    warehouses.fill(warehouse, axis=SHORT, all_nan=["wsdi_data.ssp2"])
    for address in (url, warehouse):
        panel = whole(opened(address))
        assert np.isnan(panel.arrays["wsdi", Scenario.SSP245]).all()
        assert not np.isnan(panel.arrays["wsdi", Scenario.SSP126]).any()


def test_what_is_absent_is_neither_listed_nor_read(warehouse, opened):
    warehouses.fill(
        warehouse, axis=SHORT, without=["rn_data", "ta_data.ssp3", "ssp1", "api_typhoon_besttrack", "grid_attributes"]
    )
    with psycopg.connect(warehouse) as connection:
        connection.execute("TRUNCATE water_basin CASCADE")
    source = opened(warehouse)
    assert {"rn_data", "api_typhoon_besttrack", "water_basin"}.isdisjoint(source.tables)
    assert source.tables["ta_data"] >= {"ssp2", "ssp5"}
    assert source.tables["ta_data"].isdisjoint({"ssp1", "ssp3"})
    assert source.covered_years == ()
    panel = whole(source, ("ta", "rn", "wsdi"))
    assert {(name, int(scenario)) for name, scenario in panel.arrays} == {
        ("ta", 2), ("ta", 4), ("wsdi", 2), ("wsdi", 3), ("wsdi", 4)
    }  # fmt: skip
    assert panel.cells["dist_coast_m"].null_count() == len(panel)
    with pytest.raises(SourceError, match="no table water_basin"):
        source.table("water_basin")


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("ta_data", "(1, '2021-01-02', 1, 1, 1, 1)"),
        ("ta_data", "(1, '2031-01-01', 1, 1, 1, 1)"),
        ("wsdi_data", "(1, 2020, 1, 1, 1, 1)"),
    ],
)
def test_a_row_off_the_axis_is_counted_and_used_nowhere(warehouse, opened, table, row):
    warehouses.fill(warehouse, axis=SHORT)
    before = opened(warehouse)
    name = table.removesuffix("_data")
    clean = before.read(before.cells(), [name], list(Scenario))
    with psycopg.connect(warehouse) as connection:
        connection.execute(f"INSERT INTO {table} VALUES {row}")
    source = opened(warehouse)
    panel = source.read(source.cells(), [name], list(Scenario))
    assert panel.off_axis == {table: 1}
    for key, array in clean.arrays.items():
        np.testing.assert_array_equal(panel.arrays[key], array)


def test_a_column_of_another_kind_is_refused_on_opening(warehouse):
    warehouses.fill(warehouse, axis=SHORT)
    with psycopg.connect(warehouse) as connection:
        connection.execute("ALTER TABLE wsdi_data ALTER ssp2 TYPE text")
        connection.execute("ALTER TABLE sea_level_data RENAME year TO jahr")
    with pytest.raises(SchemaError, match=r"wsdi_data: ssp2 is of another kind than number") as caught:
        open_source(warehouse)
    assert "sea_level_data: no column year" in str(caught.value)


def test_small_tables_come_sorted_and_in_numbers(new_database, opened):
    url = new_database("")
    warehouses.fill(url, axis=SHORT, foreign=True)
    track = opened(url).table("api_typhoon_besttrack")
    assert track["latitude"].dtype == pl.Float64
    assert track["obs_datetime"].dtype == pl.Datetime("us", "UTC")
    assert track.equals(track.sort("tcid", "year", "month", "day", "hour"))


def test_a_load_after_opening_is_not_seen(warehouse, opened):
    filled = warehouses.fill(warehouse, axis=SHORT)
    source = opened(warehouse)
    before = source.fingerprint
    with psycopg.connect(warehouse) as connection:
        connection.execute("UPDATE ta_data SET ssp2 = 99")
        connection.execute("""UPDATE etl_load SET source_files = '[{"sha256": "f"}]' WHERE table_name = 'ta_data'""")
    np.testing.assert_array_equal(whole(source).arrays["ta", Scenario.SSP245], filled.arrays["ta", Scenario.SSP245])
    after = opened(warehouse)
    assert whole(after).arrays["ta", Scenario.SSP245].max() == 99
    assert before == source.fingerprint != after.fingerprint


def test_another_process_sees_the_state_of_the_first_while_that_is_open(warehouse):
    filled = warehouses.fill(warehouse, axis=SHORT)
    with closing(open_source(warehouse)) as first:
        with psycopg.connect(warehouse) as connection:
            connection.execute("UPDATE ta_data SET ssp2 = 99")
            connection.execute("UPDATE etl_load SET loader_version = 'new'")
        with closing(open_source(warehouse, snapshot=first.snapshot)) as second:
            assert second.fingerprint == first.fingerprint
            values = whole(second).arrays["ta", Scenario.SSP245]
            np.testing.assert_array_equal(values, filled.arrays["ta", Scenario.SSP245])
    with pytest.raises(SourceError, match=r"failed while opening the warehouse: .*snapshot"):
        open_source(warehouse, snapshot=first.snapshot)


@pytest.mark.parametrize(
    ("url", "bare", "password"),
    [
        ("postgresql://me:hu%25sh@host:5433/db", "user=me dbname=db host=host port=5433", "hu%sh"),
        ("host=/run user=me password='hu sh' dbname=db", "user=me dbname=db host=/run", "hu sh"),
        ("postgresql://me@/db?host=/run", "user=me dbname=db host=/run", None),
    ],
)
def test_an_address_parts_from_its_password(url, bare, password):
    assert postgres.without_password(url) == (bare, password)
    assert postgres.describe(bare) == postgres.describe(url)


def test_a_foreign_warehouse_that_changes_gets_another_fingerprint(new_database, opened):
    url = new_database("")
    warehouses.fill(url, axis=SHORT, foreign=True)
    before = opened(url).fingerprint
    assert opened(url).fingerprint == before
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE wsdi_data SET ssp2 = 0")
        connection.execute("SELECT pg_stat_force_next_flush()")
    assert opened(url).fingerprint != before


@pytest.mark.parametrize(
    ("odd", "expected"), [("sample:100", "sample:100"), ("full", "full"), ("observed", "observed")]
)
def test_the_weakest_scope_wins(warehouse, opened, odd, expected):
    warehouses.fill(warehouse, axis=SHORT)
    with psycopg.connect(warehouse) as connection:
        connection.execute("UPDATE etl_load SET scope = %s WHERE table_name = 'rn_data'", (odd,))
    assert opened(warehouse).scope == expected


def test_only_years_that_the_best_track_covers_count(warehouse, opened):
    warehouses.fill(warehouse, axis=SHORT)
    with psycopg.connect(warehouse) as connection:
        connection.execute(
            """UPDATE etl_load SET gate_report = '{"covered_years": [2012, 2010]}' WHERE loader = 'besttrack'"""
        )
    assert opened(warehouse).covered_years == (2010, 2012)


def test_an_empty_database_is_no_warehouse(warehouse):
    with pytest.raises(SourceError, match="table location_grid is absent or empty"):
        open_source(warehouse)


def test_an_unreachable_server_is_named_without_its_password():
    with pytest.raises(SourceError, match=r"reader@127\.0\.0\.1:1/climate: .*Connection refused") as caught:
        open_source("postgresql://reader:s3cret@127.0.0.1:1/climate")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("password", ["s3cret/12", "12/s3cret", "s3cret%zz", "s3cret@x"])
def test_a_password_that_was_not_escaped_is_not_repeated(password):
    with pytest.raises(SettingsError, match="address cannot be read: write postgresql://") as caught:
        open_source(f"postgresql://reader:{password}@127.0.0.1:1/climate")
    assert "s3cret" not in str(caught.value)


def test_a_wrong_password_is_not_repeated(server, warehouse):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'right'")
        access = Path(connection.execute("SHOW hba_file").fetchone()[0])
        before = access.read_text("utf-8")
        access.write_text(f"local all reader scram-sha-256\n{before}", "utf-8")
        connection.execute("SELECT pg_reload_conf()")
        try:
            with pytest.raises(SourceError, match="password authentication failed") as caught:
                open_source(warehouse.replace("postgres@", "reader:s3cret@"))
        finally:
            access.write_text(before, "utf-8")
            connection.execute("SELECT pg_reload_conf()")
    assert "s3cret" not in str(caught.value)


def test_a_server_that_dies_is_told_in_one_sentence(server_home):
    server = EmbeddedServer(server_home)
    url = server.create("climate")
    warehouses.fill(url, axis=SHORT, variables=NAMES, foreign=True)
    with closing(open_source(url)) as source:
        cells = source.cells()
        server.close()
        with pytest.raises(SourceError, match=r"failed while reading (ta|wsdi)_data") as caught:
            source.read(cells, NAMES, list(Scenario))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["nowhere", "mysql://me:s3cret@host/db"])
def test_an_address_of_neither_kind_is_refused(address):
    with pytest.raises(SettingsError, match=r"n(either a|o) PostgreSQL address") as caught:
        open_source(address)
    assert "s3cret" not in str(caught.value)

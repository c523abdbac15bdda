"""A store gives the bytes of the warehouse it came from, and refuses what is not its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from engine.core.errors import SchemaError, SettingsError, SourceError
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import BY_TABLE
from engine.io import open_source
from engine.io.climate import snapshot, store
from engine.io.db import migrate, postgres
from engine.io.db.embedded import EmbeddedServer
from tests import warehouses

NAMES = ("ta", "spei12", "wsdi")


@pytest.fixture(scope="module", params=[False, True], ids=["ours", "foreign"])
def pair(request, server: EmbeddedServer, tmp_path_factory) -> tuple[str, Path]:
    """A warehouse and the store written from it; read only."""
    url = server.create(f"store_{request.param}".lower())
    if not request.param:
        with closing(postgres.connect(url)) as connection:
            migrate.apply(connection, "warehouse")
    warehouses.fill(url, axis=Years(2021, 2024), variables=(*NAMES, "rn"), foreign=request.param, gaps={"ta_data": 4})
    folder = tmp_path_factory.mktemp("store")
    with closing(open_source(url)) as source:
        snapshot.write(source, folder)
    return url, folder


@pytest.fixture
def copied(pair, tmp_path) -> Path:
    return Path(shutil.copytree(pair[1], tmp_path / "store"))


def test_warehouse_and_store_give_the_same_bytes(pair):
    with closing(open_source(pair[0])) as ours, closing(open_source(pair[1])) as theirs:
        cells = ours.cells()
        assert theirs.cells().equals(cells)
        assert theirs.cells().schema == cells.schema
        assert (theirs.grid, theirs.axis, theirs.scope) == (ours.grid, ours.axis, ours.scope)
        assert theirs.covered_years == ours.covered_years
        assert theirs.tables == ours.tables
        for name in set(ours.tables) - set(BY_TABLE):
            assert theirs.table(name).equals(ours.table(name)), name
        for block in (cells, cells[2:9], cells[[1, 4, 11, 16]], cells[5:6]):  # within and across bands, with gaps
            one, other = (each.read(block, NAMES, list(Scenario)) for each in (ours, theirs))
            assert one.arrays.keys() == other.arrays.keys()
            for key, array in one.arrays.items():
                assert array.tobytes() == other.arrays[key].tobytes(), key
                assert array.shape == other.arrays[key].shape
                assert other.arrays[key].flags.writeable


def test_blocks_may_cross_row_groups(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "ROW_GROUP", 3)
    with closing(open_source(pair[0])) as source:
        snapshot.write(source, tmp_path / "small")
        with closing(open_source(tmp_path / "small")) as other:
            cells = source.cells()
            for lo, hi in ((0, 17), (1, 5), (2, 3), (4, 13)):
                block = cells[lo:hi]
                one, two = (each.read(block, ["ta"], [Scenario.SSP370]) for each in (source, other))
                key = ("ta", Scenario.SSP370)
                assert one.arrays[key].tobytes() == two.arrays[key].tobytes()


def test_a_climate_file_has_the_published_layout(pair):
    path = next((pair[1] / "ta" / "ssp2").glob("band=00.parquet"))
    with pq.ParquetFile(path) as file:
        assert [str(field.type) for field in file.schema_arrow] == [
            "int32",
            "fixed_size_list<element: float not null>[48]",
        ]
        assert file.schema_arrow.metadata[b"unit"] == b"degC"
        assert file.schema_arrow.metadata[b"axis_start"] == b"2021-01"
        values = file.metadata.row_group(0).column(1)
        assert values.compression == "ZSTD"
        assert "BYTE_STREAM_SPLIT" in values.encodings
    assert pl.read_parquet(path)["grid_id"].is_sorted()


def test_a_scenario_that_was_removed_is_not_listed(copied):
    with closing(open_source(copied)) as source:
        before = source.fingerprint
    shutil.rmtree(copied / "ta" / "ssp5")
    (copied / "sea_level_data.parquet").unlink()
    with closing(open_source(copied)) as source:
        assert "ssp5" not in source.tables["ta_data"]
        assert "ssp5" in source.tables["wsdi_data"]
        assert "sea_level_data" not in source.tables
        assert source.fingerprint != before
        panel = source.read(source.cells(), ["ta"], list(Scenario))
        assert {scenario for _, scenario in panel.arrays} == {Scenario.SSP126, Scenario.SSP245, Scenario.SSP370}


def _cut(folder: Path) -> None:
    path = folder / "ta" / "ssp2" / "band=01.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def _lose(folder: Path) -> None:
    (folder / "ta" / "ssp2" / "band=01.parquet").unlink()


def _edit_table(folder: Path) -> None:
    path = folder / "location_grid.parquet"
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)


def _unfinish(folder: Path) -> None:
    path = folder / store.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"complete": False}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, r"ta/ssp2/band=01.parquet has \d+ bytes, not"),
        (_lose, "ta/ssp2/band=01.parquet is missing"),
        (_edit_table, "location_grid.parquet has another content"),
        (_unfinish, "is unfinished: run jobs.snapshot"),
    ],
)
def test_a_damaged_store_is_refused_on_opening(copied, damage: Callable[[Path], None], message):
    damage(copied)
    with pytest.raises(SourceError, match=message):
        open_source(copied)


def test_a_flipped_byte_in_a_climate_file_is_found_on_reading(copied):
    path = copied / "ta" / "ssp2" / "band=00.parquet"
    content = bytearray(path.read_bytes())
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(0).column(1)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 0x01
    path.write_bytes(content)
    with closing(open_source(copied)) as source, pytest.raises(SourceError, match="is damaged or gone"):
        source.read(source.cells(), ["ta"], [Scenario.SSP245])


def test_a_damaged_table_is_refused_without_a_panic_of_polars(copied, capfd):
    path = copied / "location_grid.parquet"
    raw = path.read_bytes()
    with closing(open_source(copied)) as source:
        path.write_bytes(raw[:100] + raw[len(raw) * 3 // 5 :])
        with pytest.raises(SourceError, match=r"location_grid\.parquet cannot be read: "):
            source.table("location_grid")
    assert "panicked" not in capfd.readouterr().err


def test_a_file_of_another_place_in_the_store_is_refused(copied):
    with closing(open_source(copied)) as source:
        shutil.copy(copied / "ta" / "ssp2" / "band=01.parquet", copied / "ta" / "ssp2" / "band=00.parquet")
        with pytest.raises(SchemaError, match=r"band=00\.parquet lacks some of the cells"):
            source.read(source.cells()[:2], ["ta"], [Scenario.SSP245])
        shutil.copy(copied / "rn" / "ssp2" / "band=00.parquet", copied / "ta" / "ssp2" / "band=00.parquet")
        with pytest.raises(SchemaError, match="footer differs from the store's in unit, variable"):
            source.read(source.cells()[:2], ["ta"], [Scenario.SSP245])


def test_a_cell_the_store_does_not_hold_is_refused(pair):
    with closing(open_source(pair[1])) as source:
        alien = source.cells()[:1].with_columns(grid_id=pl.lit(999_999, pl.Int32))
        with pytest.raises(SchemaError, match="1 of 1 cell lies in no band"):
            source.read(alien, ["ta"], [Scenario.SSP245])


def test_a_folder_without_a_manifest_is_no_store(tmp_path):
    with pytest.raises(SettingsError, match=r"no climate store: it has no manifest\.json"):
        open_source(tmp_path)


def test_gaps_stay_gaps(pair):
    with closing(open_source(pair[1])) as source:
        array = source.read(source.cells(), ["ta"], [Scenario.SSP126]).arrays["ta", Scenario.SSP126]
    assert np.isnan(array).sum() == 4


def test_a_manifest_of_nothing_but_brackets_is_refused_by_its_name(tmp_path):
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(SourceError, match=r"manifest\.json cannot be read"):
        store.read_manifest(tmp_path)

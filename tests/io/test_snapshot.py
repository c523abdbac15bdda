"""Writing a store: resumed after a kill, refused for other data, never half a store to a reader."""

from __future__ import annotations

import json
from contextlib import closing

import psycopg
import pytest

from engine.core.errors import BusyError, SchemaError, SinkError, SourceError
from engine.core.period import Years
from engine.io import open_source
from engine.io.climate import snapshot
from jobs import snapshot as job
from tests import warehouses

SHORT = Years(2021, 2022)
FEW = ("ta", "rx1day")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


def test_a_stopped_snapshot_goes_on_and_ends_the_same(warehouse, tmp_path, monkeypatch):
    warehouses.fill(warehouse, axis=SHORT, variables=FEW)
    with closing(open_source(warehouse)) as source:
        assert snapshot.write(source, tmp_path / "whole")["bands"] == 4
        original, bands = snapshot._write_band, []

        def dies_at_the_third(source, folder, band, cells):
            bands.append(band.number)
            if len(bands) == 3:
                (folder / "ta" / "ssp1" / "band=02.parquet").write_bytes(b"half a file")
                raise OSError("No space left on device")
            return original(source, folder, band, cells)

        monkeypatch.setattr(snapshot, "_write_band", dies_at_the_third)
        with pytest.raises(SinkError, match="No space left on device"):
            snapshot.write(source, tmp_path / "resumed")
        with pytest.raises(SourceError, match="unfinished"):
            open_source(tmp_path / "resumed")
        assert snapshot.write(source, tmp_path / "resumed")["bands"] == 2
    assert bands == [0, 1, 2, 2, 3]
    assert files(tmp_path / "whole") == files(tmp_path / "resumed")


def test_a_finished_store_of_the_same_data_is_left_alone(warehouse, tmp_path):
    warehouses.fill(warehouse, axis=SHORT, variables=FEW)
    with closing(open_source(warehouse)) as source:
        snapshot.write(source, tmp_path)
        before = (tmp_path / "manifest.json").stat().st_mtime_ns
        assert snapshot.write(source, tmp_path)["bands"] == 0
    assert (tmp_path / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("complete", [True, False])
def test_a_store_of_other_data_is_refused(warehouse, tmp_path, complete):
    warehouses.fill(warehouse, axis=SHORT, variables=FEW)
    with closing(open_source(warehouse)) as source:
        snapshot.write(source, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"complete": complete}))
    with psycopg.connect(warehouse) as connection:
        connection.execute("""UPDATE etl_load SET source_files = '[{"sha256": "f"}]' WHERE table_name = 'ta_data'""")
    with closing(open_source(warehouse)) as source, pytest.raises(SourceError, match="of other data than the source's"):
        snapshot.write(source, tmp_path)


def test_a_duplicate_row_is_not_written(warehouse, tmp_path):
    warehouses.fill(warehouse, axis=SHORT, variables=FEW, duplicates={"rx1day_data": 1})
    with closing(open_source(warehouse)) as source, pytest.raises(SchemaError, match="rx1day_data: 1 duplicate row"):
        snapshot.write(source, tmp_path)


def test_a_folder_of_other_files_is_not_touched(warehouse, tmp_path):
    warehouses.fill(warehouse, axis=SHORT, variables=FEW)
    (tmp_path / "thesis.docx").write_text("mine")
    with closing(open_source(warehouse)) as source, pytest.raises(SourceError, match=r"it holds thesis\.docx"):
        snapshot.write(source, tmp_path)


def test_two_writers_exclude_each_other(warehouse, tmp_path):
    warehouses.fill(warehouse, axis=SHORT, variables=FEW)
    with (
        closing(open_source(warehouse)) as source,
        snapshot._alone(tmp_path),
        pytest.raises(BusyError, match="another process"),
    ):
        snapshot.write(source, tmp_path)


def test_the_job_writes_a_store_that_opens(warehouse, tmp_path, caplog):
    warehouses.fill(warehouse, axis=SHORT, variables=FEW, scope="synthetic")
    with caplog.at_level("INFO"):
        assert job.main(["--source", warehouse, "--out", str(tmp_path / "store")]) == 0
    assert "bands=4 files=" in caplog.records[-1].getMessage()
    with closing(open_source(tmp_path / "store")) as source:
        assert source.scope == "synthetic"


def test_the_job_refuses_an_address_that_is_none(tmp_path):
    assert job.main(["--source", "nowhere", "--out", str(tmp_path)]) == 2


def test_a_warehouse_without_active_cells_is_not_written(warehouse, tmp_path):
    warehouses.fill(warehouse, axis=SHORT, variables=FEW)
    with psycopg.connect(warehouse) as connection:
        connection.execute("UPDATE location_grid SET has_climate = false")
    with closing(open_source(warehouse)) as source, pytest.raises(SourceError, match="no active cell"):
        snapshot.write(source, tmp_path)

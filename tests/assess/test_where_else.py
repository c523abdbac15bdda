"""The same building elsewhere from the databases: what a cell lacks is told and never counts as zero."""

import psycopg
import pytest

from engine.assess.job import what_if, where_else
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import prepare_checked
from tests.assess.databases import LATITUDE, LONGITUDE, assessor, fill_results, fill_warehouse

PAIR = (2, "mid_term")
SITE = {"latitude": LATITUDE, "longitude": LONGITUDE, "asset_info": {"total_asset_value": 10**9}}
OWN, LACKS = 7, 3


@pytest.fixture
def both(warehouse, results):
    fill_warehouse(warehouse)
    fill_results(results)
    with psycopg.connect(results) as connection:
        for cell, risk in ((LACKS, "typhoon"), (OWN, "wildfire")):
            connection.execute(
                "DELETE FROM modelops_probability_scores WHERE grid_id = %s AND risk_type = %s", (cell, risk)
            )
    return warehouse, results


def found(the_assessor, **site):
    asked = what_if.of_request(the_assessor, SITE | site)
    prepared = prepare_checked(asked.checked, the_assessor.config)
    country = where_else.read_country(the_assessor.warehouse, the_assessor.application, the_assessor.config.grid, PAIR)
    return country, where_else.compute(the_assessor.application, prepared, country, the_assessor.config)


def test_a_cell_that_lacks_a_risk_has_no_total_and_no_rank_and_one_missing_at_the_site_is_not_compared(both):
    with assessor(*both) as the_assessor:
        country, elsewhere = found(the_assessor)
        near = where_else.candidates(
            the_assessor.warehouse, the_assessor.application, country, elsewhere, within_km=500.0, most=100
        )
    assert elsewhere.left_out == {"wildfire": where_else.NO_RESULT_HERE}
    assert elsewhere.counted == [risk for risk in RISKS if risk != "wildfire"]
    totals = dict(elsewhere.table.select("grid_id", "total").iter_rows())
    assert [cell for cell, total in totals.items() if total is None] == [LACKS]
    assert (near["cells_near"], near["cells_near_without"], near["near_without"]) == (17, 1, {"typhoon": 1})
    better = sorted((total, cell) for cell, total in totals.items() if total and total < totals[OWN] and cell != OWN)
    assert [each["grid_id"] for each in near["candidates"]] == [cell for _, cell in better]
    names = {each["grid_id"]: each["admin_name"] for each in near["candidates"]}
    assert names.get(better[0][1], "") in ("강원", "춘천시", "봉의동", "요선동")
    for each in near["candidates"]:
        assert each["total_aal"] == pytest.approx(totals[each["grid_id"]])
        assert each["saving"] == elsewhere.here["total_expected_loss"] - each["total_expected_loss"]
        assert each["total_expected_loss_low"] < each["total_expected_loss"] < each["total_expected_loss_high"]


def test_the_flood_zone_of_a_cell_counts_there_and_that_of_the_site_does_not(both):
    with assessor(*both) as the_assessor:
        _, plain = found(the_assessor)
        _, zoned = found(the_assessor, in_flood_zone=True, elevation=1.0)
    assert plain.table.equals(zoned.table)
    assert zoned.here["by_risk"]["river_flood"] > plain.here["by_risk"]["river_flood"]


def test_a_site_none_of_whose_risks_has_a_loss_is_refused(both):
    with assessor(*both) as the_assessor, pytest.raises(where_else.EngineError, match="nothing to compare"):
        found(the_assessor, risk_types=["wildfire"])

import numpy as np
import pytest

from engine.core.errors import DefinitionError
from engine.risks import RISKS, parse_risks
from tests.blocks import make_panel


def test_risks_come_in_their_canonical_order_whatever_they_are_called():
    older = ["water_scarcity", "coastal_flood", "inland_flood", " cold_wave ", "high_temperature", "water_stress"]
    assert parse_risks(older) == ("extreme_heat", "extreme_cold", "river_flood", "sea_level_rise", "water_stress")
    assert parse_risks(None) == tuple(RISKS)


def test_an_attribute_that_no_warehouse_has_is_refused_and_one_that_this_one_lacks_is_unknown():
    panel = make_panel({"rx1day": 100.0})
    assert np.isnan(panel.attribute("slope_mean_deg")).all()
    with pytest.raises(DefinitionError, match=r"unknown cell attribute 'slope_deg'; .*did you mean slope_mean_deg\?"):
        panel.attribute("slope_deg")

from engine.core.caveats import ONE_STORM, on_own_years, overlap_note, storm_once_note


def test_index_losses_of_one_storm_overlap_and_calibrated_ones_add_up():
    assert "up to three times" in (overlap_note(dict.fromkeys(ONE_STORM, False)) or "")
    assert overlap_note({"typhoon": False, "wildfire": False}) is None
    assert overlap_note(dict.fromkeys(ONE_STORM, True)) is None
    assert storm_once_note(dict.fromkeys(ONE_STORM, True)) == (
        "the rates of river flood, urban flood and typhoon are fitted together and charge a storm once: their AAL"
        " may be added up"
    )
    assert storm_once_note({"typhoon": True, "wildfire": True, "river_flood": False}) is None


def test_a_record_that_sets_its_own_edges_measures_no_change():
    assert on_own_years("observed", "1976-2015", (1976, 2015))
    assert not on_own_years("observed", "1981-2010", (1907, 2015))
    assert not on_own_years("full", "1976-2015", (1976, 2015))
    assert not on_own_years("observed", "1976-2015", None)

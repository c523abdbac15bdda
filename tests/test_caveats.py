from engine.core.caveats import ONE_STORM, overlap_note, storm_once_note


def test_index_losses_of_one_storm_overlap_and_calibrated_ones_add_up():
    assert "up to three times" in (overlap_note(ONE_STORM) or "")
    assert overlap_note(["typhoon", "wildfire"]) is None
    assert overlap_note([]) is None
    assert storm_once_note(ONE_STORM) == (
        "the rates of river flood, urban flood and typhoon are fitted together and charge a storm once: their AAL"
        " may be added up"
    )
    assert storm_once_note(["typhoon", "wildfire"]) is None

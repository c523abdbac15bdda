from engine.risks import RISKS, parse_risks


def test_risks_come_in_their_canonical_order_whatever_they_are_called():
    older = ["water_scarcity", "coastal_flood", "inland_flood", " cold_wave ", "high_temperature", "water_stress"]
    assert parse_risks(older) == ("extreme_heat", "extreme_cold", "river_flood", "sea_level_rise", "water_stress")
    assert parse_risks(None) == tuple(RISKS)

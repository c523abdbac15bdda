"""The short form of `python -m benchmarks kills`: processes killed at random moments, and what they leave."""

from benchmarks import kills


def test_runs_killed_at_random_moments_tear_nothing(results, tmp_path):
    for target in (str(tmp_path / "out"), results):
        tally = kills.Tally()
        kills.harass(target, tmp_path / f"runs{len(target)}", 2, 3, tally)
        assert tally.kills == 2
        assert tally.faults == 0, tally
        assert tally.reads > 0


def test_a_state_that_is_none_of_the_two_is_counted(tmp_path, monkeypatch):
    # a look that sees what is not there, so that a count of 0 says something
    monkeypatch.setattr(kills.look, "generations", lambda target: {0, 1})
    tally = kills.Tally()
    kills.harass(str(tmp_path / "out"), tmp_path / "runs", 1, 3, tally)
    assert (tally.torn, tally.unequal) == (1, 1)

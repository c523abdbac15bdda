"""Milestones of a job by hand: what each follower is told of states that were seen, and of those that nobody saw."""

import pytest

from engine.io.queue.batch_jobs import SITE
from engine.service.milestones import Follower, State

FETCH, E, V, END = (
    "Fetching H and P(H)",
    "Calculating E for water_stress",
    "Calculating V for water_stress",
    "Calculating integrated risk",
)
DONE = State(SITE, "completed", 100, END, results={"status": "success"})


def running(progress, step):
    return State(SITE, "running", progress, step)


def told(*states):
    follower = Follower()
    return [
        (each["progress"], each["status"], each.get("step") or each.get("error_message"))
        for state in states
        for each in follower.messages(state)
    ]


PASSED = [(0, "running", FETCH), (10, "running", FETCH), (50, "running", E), (80, "running", V), (95, "running", END)]
LAST = (100, "completed", None)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([DONE], [*PASSED, LAST]),
        ([DONE, DONE], [*PASSED, LAST]),
        ([State(SITE, "queued", 0, "queued"), DONE], [(0, "queued", "queued"), *PASSED[1:], LAST]),
        ([running(0, "queued"), running(0, FETCH), DONE], [*PASSED, LAST]),
        (
            [
                running(23, "Calculating E for drought"),
                running(80, "Calculating V for typhoon"),
                running(95, END),
                DONE,
            ],
            [
                *PASSED[:2],
                (23, "running", "Calculating E for drought"),
                PASSED[2],
                (80, "running", "Calculating V for typhoon"),
                PASSED[4],
                LAST,
            ],
        ),
        # put back into the queue: nothing is told twice
        ([running(50, E), State(SITE, "queued", 0, "queued"), running(10, FETCH), DONE], [*PASSED, LAST]),
        ([State(SITE, "failed", 50, E, "Worker lost")], [*PASSED[:3], (50, "failed", "Worker lost")]),
        ([State("yearly", "running", 42, "drought")], [(42, "running", "drought")]),
    ],
)
def test_every_milestone_is_told_once_and_in_order(states, expected):
    assert told(*states) == expected


def test_the_step_of_a_milestone_names_the_last_of_the_risks_that_were_asked_for():
    follower = Follower()
    state = State(SITE, "completed", 100, END, risks=["typhoon", "cold_wave"])
    assert [each.get("step") for each in follower.messages(state)][2:4] == [
        "Calculating E for typhoon",
        "Calculating V for typhoon",
    ]

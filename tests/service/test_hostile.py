"""A few hundred hostile requests: no fault of the service's own, one form of refusals; and a fault would be seen."""

import os

import pytest

from benchmarks import hostile

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "280"))


@pytest.fixture(scope="module")
def verdicts(service, environment):
    return list(hostile.judged(service[0], 1, range(REQUESTS)))


def test_no_request_makes_the_service_fail_or_answer_in_another_form(verdicts, caplog):
    faults = [verdict for verdict in verdicts if verdict.fault]
    assert not faults, "\n".join(map(str, faults))

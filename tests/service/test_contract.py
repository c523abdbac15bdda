"""The service keeps what its OpenAPI document says, whatever is sent: no 5xx, no answer against its schema."""

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: files, which schemathesis does not make; their own tests send good ones and bad ones
BY_HAND = {"/api/v1/risk-assessment/portfolio", "/api/v1/risk-assessment/portfolio/preview"}


def test_every_route_answers_as_described(service):
    schema = schemathesis.openapi.from_url(f"{service[0]}/openapi.json")
    seen = set()
    for each in schema.get_all_operations():
        operation = each.ok()
        if operation.path in BY_HAND:
            continue

        @settings(
            max_examples=6,
            derandomize=True,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case):
            case.call_and_validate(checks=CHECKS, timeout=30)

        check()
        seen.add(operation.path)
    assert len(seen) == len(schema.raw_schema["paths"]) - len(BY_HAND)

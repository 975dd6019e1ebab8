"""What the OpenAPI promises holds for requests that schemathesis makes up: no 500, no answer that is not declared."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from prometheus_client import CollectorRegistry
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from parlour.admin.api.app import api_routes
from parlour.admin.app import build_app
from parlour.admin.health import Health
from tests.unit.admin.api.conftest import Api
from tests.unit.admin.api.test_every_endpoint import OPERATIONS
from tests.unit.admin.api.things import things_of

EXAMPLES = 12
NAMED = [pytest.param(method, path, id=f"{method} {path}") for method, path, _ in OPERATIONS]


@pytest.mark.parametrize(("method", "path"), NAMED)
def test_every_answer_is_declared_and_none_is_a_failure_of_ours(api: Api, method: str, path: str) -> None:
    # The whole application, as the gateway serves it.
    app = build_app(api_routes(api.stage.platform), Health({}), registry=CollectorRegistry())
    operation = schemathesis.openapi.from_asgi("/api/openapi.json", app)[path][method]
    things_of(api)

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        case.call_and_validate(
            headers={"Authorization": f"Bearer {api.token}"},
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_headers_conformance,
                response_schema_conformance,
            ],
        )

    holds()

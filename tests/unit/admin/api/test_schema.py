"""What the OpenAPI promises holds for requests that schemathesis makes up: no 500, no answer that is not declared."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
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

EXAMPLES = 8


@pytest.fixture
def promised(api: Api) -> Any:
    """The OpenAPI as the gateway's whole application serves it."""
    api.app = build_app(api_routes(api.stage.platform), Health({}), registry=CollectorRegistry())
    return schemathesis.openapi.from_asgi("/api/openapi.json", api.app)


@schemathesis.pytest.from_fixture("promised").parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_declared_and_none_is_a_failure_of_ours(case: Any, api: Api) -> None:
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

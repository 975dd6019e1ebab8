"""What the OpenAPI promises holds for requests that schemathesis makes up: no 500, no answer that is not declared."""

from typing import Any, cast

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
from starlette.testclient import TestClient

from parlour.admin.api.app import api_routes
from parlour.admin.app import build_app
from parlour.admin.health import Health
from parlour.processes.gateway import Gateway  # noqa: TC001 (an annotation like the others)
from parlour.processes.messengers import build_terminal, make_app
from tests.integration.admin.api.conftest import Api
from tests.integration.admin.api.test_every_endpoint import OPERATIONS
from tests.integration.admin.api.things import things_of

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


def test_the_gateways_application_describes_the_api(api: Api) -> None:
    app = build_app(api_routes(api.stage.platform), Health({}), registry=CollectorRegistry())

    description = TestClient(app).get("/api/openapi.json").json()

    assert description["info"]["title"] == "Parlour"
    assert description["servers"] == [{"url": "/api"}]
    assert "/v1/people" in description["paths"]


def test_what_terminals_use_is_reached_beside_the_api(api: Api) -> None:
    parts = api.stage.platform
    app = make_app(parts, [build_terminal(parts, "token")], {})(cast("Gateway", None))
    client = TestClient(app)

    answers = [client.get(path) for path in ("/api/v1/local/history", "/api/v1/people", "/api/v1/local/openapi.json")]

    assert [one.status_code for one in answers] == [401, 401, 200]
    assert not [path for path in answers[2].json()["paths"] if not path.startswith("/api/v1/local/")]

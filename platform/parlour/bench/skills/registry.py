"""All parts of `parlour bench skills`, a line each: the name to ask for it by, and the module it lives in."""

from collections.abc import Mapping
from typing import Final

PARTS: Final[Mapping[str, str]] = {
    "router": "parlour.bench.skills.router",
    "isolation": "parlour.bench.skills.isolation",
    "start": "parlour.bench.skills.starting",
    "customer-service": "parlour_customer_service.evaluation",
    "recommendation": "parlour_recommendation.evaluation",
    "finance": "parlour_finance_sentiment.bench",
}

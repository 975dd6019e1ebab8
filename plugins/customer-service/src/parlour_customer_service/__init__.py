"""Customer service: answers from the organisation's knowledge, with citations; learns, and hands over to a human."""

from parlour_customer_service import serving, staff
from parlour_customer_service.trade import Settings, skill

__all__ = ["Settings", "serving", "skill", "staff"]

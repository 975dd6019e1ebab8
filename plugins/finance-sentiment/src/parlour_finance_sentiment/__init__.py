"""Finance sentiment: reads financial news on a schedule, tells their sentiment, and warns when bad news surges."""

from parlour_finance_sentiment import answers, command, imports, jobs  # noqa: F401 (each adds its handlers)
from parlour_finance_sentiment.definition import skill

__all__ = ["skill"]

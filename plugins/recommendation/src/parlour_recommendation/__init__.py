"""Recommendation: what a person may like next, from what many liked and from what things are about, and truly why."""

import os

# A skill's process may use little memory, and each thread of OpenBLAS takes some: before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from parlour_recommendation import asking, outside
from parlour_recommendation.trade import Settings, skill

__all__ = ["Settings", "asking", "outside", "skill"]

"""Quantiles of Student's t distribution, for intervals of means of few values."""

from __future__ import annotations

from functools import cache

import numpy as np

DRAWS = 50_000
"""For a quantile within a hundredth, within a fiftieth for one degree of freedom."""


@cache
def two_sided_quantile(level: float, degrees: int) -> float:
    """What |t| stays below with probability `level`."""
    drawn = np.abs(np.random.default_rng(0).standard_t(degrees, DRAWS))
    return float(np.quantile(drawn, level))

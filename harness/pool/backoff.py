"""How long to wait before the next connect attempt, after some have failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

MAX_DOUBLINGS = 60
"""Beyond this many doublings every base has met every cap; it keeps the power small."""


def backoff_s(failures: int, *, base_s: float, cap_s: float, random: Random) -> float:
    """Return a random delay in seconds below ``min(cap_s, base_s * 2 ** (failures - 1))``.

    ``failures`` counts the attempts that failed in a row, from 1. This is the "full jitter" of
    Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: many clients that
    lost the same server at the same moment come back spread out, not all together.
    """
    if failures < 1:
        raise ValueError(f"failures is {failures}; it counts from 1")
    ceiling_s = min(cap_s, base_s * 2.0 ** min(failures - 1, MAX_DOUBLINGS))
    return random.uniform(0.0, ceiling_s)

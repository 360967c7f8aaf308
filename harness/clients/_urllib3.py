"""What requests and urllib3 have in common: a pool that has to be closed by hand."""

from __future__ import annotations

from typing import Any


def close_pools(manager: Any) -> None:
    """Empty a PoolManager, and close the idle connections of its pools.

    Since 2.0.3 ``clear()`` leaves them to the garbage collector, and an exception that somebody
    keeps, or that is part of a cycle, keeps its pool alive as well (urllib3 issue 3082, open).
    That would be a leak after any error. A pool in use is left alone, as ``clear()`` promises:
    closing it strands those who wait for a connection.
    """
    pools = [manager.pools.get(key) for key in list(manager.pools.keys())]
    manager.clear()
    for pool in pools:
        if pool is not None and pool.pool is not None and pool.pool.full():  # every slot is there
            pool.close()

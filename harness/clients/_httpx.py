"""What the three httpx adapters have in common: how the pool's words become httpx's."""

from __future__ import annotations

from typing import Any

import httpx  # noqa: ASYNC127 - the library under test, as it is used

from harness.worker.contract import Pool, Settings

RETRIES = 1


def options_of(settings: Settings, transport: type[Any]) -> dict[str, Any]:
    """The arguments of a client: limits, TLS, timeouts, and retries if it is to be idiomatic.

    The environment's proxies and certificates are left out (``trust_env``).
    """
    options: dict[str, Any] = {"limits": _limits_of(settings.pool), "trust_env": False}
    if settings.tls:
        options["verify"] = settings.ssl_context()
    if settings.idiomatic:  # a transport of one's own has those arguments instead of the client
        options = {"transport": transport(retries=RETRIES, **options), "trust_env": False}
    return {"timeout": timeout_of(settings.pool, None), **options}


def timeout_of(pool: Pool, patience_s: float | None) -> httpx.Timeout:
    """Each of the four timeouts, none longer than the caller's patience."""
    connect_s, wait_s = pool.connect_timeout_s, pool.timeout_s
    if patience_s is not None:
        connect_s, wait_s = min(connect_s, patience_s), min(wait_s, patience_s)
    return httpx.Timeout(patience_s, connect=connect_s, pool=wait_s)


def _limits_of(pool: Pool) -> httpx.Limits:
    limits: dict[str, Any] = {
        "max_connections": pool.capacity,
        "max_keepalive_connections": pool.size,
    }
    if pool.idle_timeout_s is not None:
        limits["keepalive_expiry"] = pool.idle_timeout_s
    return httpx.Limits(**limits)

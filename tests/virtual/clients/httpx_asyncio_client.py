"""httpx on asyncio as a client under test."""

import httpx_under_test


class HttpxOnAsyncio(httpx_under_test.HttpxClient):
    """One AsyncClient on asyncio."""

    RUNS_ON = "asyncio"

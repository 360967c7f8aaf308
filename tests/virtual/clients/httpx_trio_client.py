"""httpx on trio as a client under test."""

import httpx_under_test


class HttpxOnTrio(httpx_under_test.HttpxClient):
    """One AsyncClient on trio."""

    RUNS_ON = "trio"

"""The clients that scenarios are run with: one file each, or a file of the user's own."""

from __future__ import annotations

from functools import cache
from typing import Any

from harness import registry
from harness.clients._asyncio import AsyncioClient, check_fabric, hosted, runs_on
from harness.clients._base import Abandoned, Call, Client, NamedClient, Reply, Settings
from harness.clients._load import load_client
from harness.clients._outcome import Outcome, outcome_of

__all__ = [
    "Abandoned",
    "AsyncioClient",
    "Call",
    "Client",
    "NamedClient",
    "Outcome",
    "Reply",
    "Settings",
    "all_clients",
    "check_fabric",
    "hosted",
    "load_client",
    "outcome_of",
    "runs_on",
]


@cache
def all_clients() -> dict[str, type[Any]]:
    """Every client by its name, third parties' included."""
    return registry.members("harness.clients")

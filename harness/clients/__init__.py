"""The clients that scenarios are run with: one file each, or a file of the user's own.

An adapter's file says ``from harness.clients import Reply``, also in the client's own process,
where the libraries of the harness are missing. So what is named here is imported when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.clients._answers import CallStruck, ClientGone
    from harness.clients._asyncio import AsyncioClient, hosted, runs_on
    from harness.clients._base import Client, NamedClient
    from harness.clients._cards import Card, all_clients, card_of
    from harness.clients._census import OpenFiles, connections_to, open_files
    from harness.clients._launch import Launch, launch_of
    from harness.clients._load import load_client
    from harness.clients._probe import card_for, versions_for
    from harness.clients._process import ProcessClient, open_process_client
    from harness.worker.contract import Abandoned, Asked, Call, Pool, Reply, Settings
    from harness.worker.outcome import Outcome, outcome_of

_HOMES = {
    "harness.clients._asyncio": ("AsyncioClient", "hosted", "runs_on"),
    "harness.clients._base": ("Client", "NamedClient"),
    "harness.clients._cards": ("Card", "all_clients", "card_of"),
    "harness.clients._census": ("OpenFiles", "connections_to", "open_files"),
    "harness.clients._launch": ("Launch", "launch_of"),
    "harness.clients._load": ("load_client",),
    "harness.clients._probe": ("card_for", "versions_for"),
    "harness.clients._answers": ("CallStruck", "ClientGone"),
    "harness.clients._process": ("ProcessClient", "open_process_client"),
    "harness.worker.contract": ("Abandoned", "Asked", "Call", "Pool", "Reply", "Settings"),
    "harness.worker.outcome": ("Outcome", "outcome_of"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Abandoned",
    "Asked",
    "AsyncioClient",
    "Call",
    "CallStruck",
    "Card",
    "Client",
    "ClientGone",
    "Launch",
    "NamedClient",
    "OpenFiles",
    "Outcome",
    "Pool",
    "ProcessClient",
    "Reply",
    "Settings",
    "all_clients",
    "card_for",
    "card_of",
    "connections_to",
    "hosted",
    "launch_of",
    "load_client",
    "open_files",
    "open_process_client",
    "outcome_of",
    "runs_on",
    "versions_for",
]


def __getattr__(name: str) -> Any:
    """What is asked for, imported now (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)

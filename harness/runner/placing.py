"""Where a client runs: in this process, or in one of its own."""

from __future__ import annotations

from harness.choice import ClientChoice
from harness.clients import Card, Client, Launch, launch_of, load_client
from harness.errors import InputError, Problem

VIRTUAL_TIME = "virtual time"
"""What a client in another process, and one that blocks, can't be in."""


def needs_real_time(choice: ClientChoice, card: Card) -> str:
    """Why it can't run in virtual time, or empty."""
    if choice.command:
        return "--command runs a process of its own"
    if choice.python:
        return "--python runs a process of its own"
    return f"{card.name} runs on threads" if card.runs_on == "threads" else ""


def check_fabric(choice: ClientChoice, card: Card, fabric: str) -> None:
    """Raise InputError if a client can't run on the fabric that was asked for."""
    reason = needs_real_time(choice, card)
    if fabric == "virtual" and reason:
        message = f"{reason}, and the virtual fabric has neither processes nor real time"
        raise InputError(Problem(message, hint="say --on loopback"))


def placed(choice: ClientChoice, card: Card, fabric: str) -> Client | Launch:
    """The client, made here, or how its process is started."""
    if fabric == "virtual" or not (needs_real_time(choice, card) or card.runs_on == "asyncio"):
        client: Client = load_client(choice.base)()
        return client
    return launch_of(choice)

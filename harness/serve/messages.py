"""The lines that a test and the process of its proxies exchange: JSON objects, one a line.

A request says what to ``do``; an ``id`` in it comes back in the reply. A reply is ``ok`` or names
its ``errors``, each a text, and their ``kind``: ``mistake`` (the request's), ``set-up`` (the
machine's) or ``bug``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.errors import InputError, Problem, SetupError

LINE_LIMIT_BYTES = 4 * 2**20
"""A longer line is no message."""
EVENTS_AT_ONCE = 500
"""One reply brings so many events at most; ``more`` tells that others wait."""
LIVE_AT_ONCE = 2_000
"""One reply tells of so many live connections at most; the youngest go unmentioned."""
READY = "ready"
"""What the first line says, once requests are read."""


def encode(message: Mapping[str, Any]) -> bytes:
    """The line that holds a message."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The message in a line; raises ValueError if it holds none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this line is no JSON: {error}") from None
    if not isinstance(message, dict):
        raise ValueError('a message is a JSON object, such as {"do": "look"}')  # noqa: TRY004 - what was sent is wrong, not our types
    return message


def failure(kind: str, *errors: str) -> dict[str, Any]:
    """The reply to a request that was not done."""
    return {"ok": False, "kind": kind, "errors": list(errors)}


def checked(reply: dict[str, Any]) -> dict[str, Any]:
    """The reply, if what was asked was done; raises InputError or SetupError otherwise."""
    if reply.get("ok"):
        return reply
    errors = [str(error) for error in reply.get("errors", ())]
    if reply.get("kind") == "mistake":
        raise InputError(*map(Problem, errors))
    raise SetupError("; ".join(errors))

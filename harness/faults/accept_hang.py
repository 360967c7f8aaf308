"""Accepted, then silence."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from harness.faults._base import AcceptDecision, Admission
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptHang:
    """Accepts a connection and then does nothing with it until healed: no byte, no TLS handshake.

    The TCP handshake succeeds, so only a timeout of the client's own can tell. When it heals,
    the connection is served as if nothing had been.
    """

    NAME: ClassVar[str] = "accept_hang"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: accept_hang, when: {connection: first 2}}",
        "{fault: accept_hang, during: outage}",
    )
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def on_accept(self, open_connections: int, random: Random) -> AcceptDecision:  # noqa: ARG002 - the contract's arguments
        """Silence."""
        return Admission.HANG

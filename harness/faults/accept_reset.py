"""Accepted, then reset."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from harness.faults._base import AcceptDecision, Admission
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptReset:
    """Accepts a connection and resets it at once, as a full server or a load balancer does."""

    NAME: ClassVar[str] = "accept_reset"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: accept_reset, when: {connection: every 2}}",
        "{fault: accept_reset, when: {probability: 30%}, during: flap}",
    )
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def on_accept(self, open_connections: int, random: Random) -> AcceptDecision:  # noqa: ARG002 - the contract's arguments
        """RST."""
        return Admission.RESET

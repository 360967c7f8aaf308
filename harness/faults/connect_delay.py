"""A server that is slow to begin."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import AcceptDecision, Delay
from harness.units import YAML_CONFIG, DurationS


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectDelay:
    """Serves a new connection only after ``delay``: no byte and no TLS handshake before.

    The kernel completes the TCP handshake by itself, so a plain client sees a slow first reply
    and a TLS client a slow handshake. To delay SYN itself needs packets.
    """

    NAME: ClassVar[str] = "connect_delay"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: connect_delay, delay: 200ms}",
        "{fault: connect_delay, delay: 50ms, when: {connection: every 2}}",
    )
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    delay_s: Annotated[DurationS, Field(description="from accepting to serving")]

    def on_accept(self, open_connections: int, random: Random) -> AcceptDecision:  # noqa: ARG002 - the contract's arguments
        """Later."""
        return Delay(self.delay_s)

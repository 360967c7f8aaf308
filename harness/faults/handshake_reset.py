"""A TLS handshake that ends in RST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.faults._base import HandshakeDecision, HandshakeEnding
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeReset:
    """Resets the connection as soon as the ClientHello has arrived (RFC 8446 section 4.1.2)."""

    NAME: ClassVar[str] = "handshake_reset"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: handshake_reset, when: {connection: first 2}}",
        "{fault: handshake_reset, when: {probability: 25%}}",
    )
    NEEDS_TERMINATION: ClassVar[bool] = False
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def on_handshake(self) -> HandshakeDecision:
        """RST."""
        return HandshakeEnding.RESET

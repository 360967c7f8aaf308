"""A TLS handshake that never gets done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.faults._base import HandshakeDecision, HandshakeEnding
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeHang:
    """Falls silent in the TLS handshake until healed; then the handshake goes on.

    ``after: client_hello`` never answers; ``after: server_hello`` sends the first half of the
    server's flight and then nothing.
    """

    NAME: ClassVar[str] = "handshake_hang"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: handshake_hang, when: {connection: 1}}",
        "{fault: handshake_hang, after: server_hello, during: outage}",
    )
    NEEDS_TERMINATION: ClassVar[bool] = True
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    after: Annotated[
        Literal["client_hello", "server_hello"], Field(description="where it falls silent")
    ] = "client_hello"

    def on_handshake(self) -> HandshakeDecision:
        """Silence."""
        return HandshakeEnding(self.after)

"""An abortive end: RST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.connection import Ending
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Resets the connection: RST on the wire, never FIN (RFC 9293 section 3.5.3).

    ``side`` says who gets the RST; the other side gets an orderly end. Bytes before the point
    have left when the RST does, but the receiver may lose those it had not read yet. Fired by
    time, it overtakes bytes that other faults hold back: they are lost, as on a real path.
    """

    NAME: ClassVar[str] = "reset"
    ALIASES: ClassVar[tuple[str, ...]] = ("reset_peer", "CONNECTION_RESET_BY_PEER")
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: reset, when: {idle: 1s}}",
        "{fault: reset, when: {response: every 10, byte: 512}, side: client}",
        "{fault: reset, when: {request: 2}, times: 3}",
    )
    ENDING: ClassVar[Ending] = Ending.RESET
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

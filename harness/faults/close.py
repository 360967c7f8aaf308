"""An orderly end: FIN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.connection import Ending
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Closes the connection with FIN, as a server does with ``close()``.

    The bytes before the point are delivered, then FIN; under TLS a close_notify goes first
    (RFC 8446 section 6.1). Afterwards nothing is read any more, so what the client still sends
    is answered by RST, as by any closed socket: that is the keep-alive race (RFC 9112 9.3.1).
    """

    NAME: ClassVar[str] = "close"
    ALIASES: ClassVar[tuple[str, ...]] = ("EMPTY_RESPONSE",)
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: close, when: {idle: 2s}}",
        "{fault: close, when: {response: 1, byte: 100}}",
        "{fault: close, when: {idle: 200ms, request: every 1}}",
    )
    ENDING: ClassVar[Ending] = Ending.FIN
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

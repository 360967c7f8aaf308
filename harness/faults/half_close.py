"""One direction ends, the other goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.connection import Ending
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfClose:
    """Ends one direction with FIN while the other goes on, as ``shutdown(SHUT_WR)`` does.

    With ``direction: downstream``, the default, the client reads an end of file, yet what it
    sends still reaches the server. Bytes that the silenced side sends later are discarded.
    """

    NAME: ClassVar[str] = "half_close"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: half_close, when: {response: 1, byte: 50}}",
        "{fault: half_close, when: {idle: 100ms}, direction: downstream}",
    )
    ENDING: ClassVar[Ending] = Ending.HALF
    DIRECTION: ClassVar[str] = "downstream"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

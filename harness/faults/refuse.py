"""Nobody listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Refuses connections: the port stays bound but doesn't listen, so SYN is answered by RST.

    Live connections are left alone. A refused attempt never becomes a connection, so it can't
    be counted or chosen by ``connection``; it has fired once a client's connect was refused.
    """

    NAME: ClassVar[str] = "refuse"
    ALIASES: ClassVar[tuple[str, ...]] = ("down",)
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: refuse, during: outage}",
        "{fault: refuse, at: 200ms, for: 300ms}",
    )
    LISTENS: ClassVar[Literal[False]] = False
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

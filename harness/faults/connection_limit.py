"""A server that takes so many connections and no more."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.faults._base import AcceptDecision, Admission
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimit:
    """Turns a connection away while ``limit`` others are open, as a server's maximum does.

    ``excess`` says how: ``reset`` (RST), ``close`` (FIN) or ``hang`` (silence until healed).
    """

    NAME: ClassVar[str] = "connection_limit"
    ALIASES: ClassVar[tuple[str, ...]] = ("max_connections",)
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: connection_limit, limit: 2}",
        "{fault: connection_limit, limit: 4, excess: close, during: rush}",
    )
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    limit: Annotated[int, Field(ge=0, description="how many may be open at once")]
    excess: Annotated[
        Literal["reset", "close", "hang"], Field(description="what the others get")
    ] = "reset"

    def on_accept(self, open_connections: int, random: Random) -> AcceptDecision:  # noqa: ARG002 - the contract's arguments
        """Nothing within the limit; beyond it, what ``excess`` says."""
        return Admission(self.excess) if open_connections >= self.limit else None

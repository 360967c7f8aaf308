"""Another backend takes over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import BackendChange, LiveConnections
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate:
    """Sends new connections to another backend, as a load balancer does in a deployment.

    Live connections to the retired backend stay as they are, and it still answers them; a pool
    leaves it as its connections end or grow too old. With ``drain`` each of them finishes its
    exchange and is then closed with FIN; with ``cut`` all are reset at once. Without ``to`` the
    next backend of the list takes over. It isn't undone by healing.
    """

    NAME: ClassVar[str] = "rotate"
    ALIASES: ClassVar[tuple[str, ...]] = ("failover",)
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: rotate, to: green, at: 300ms}",
        "{fault: rotate, to: green, at: 300ms, drain: true}",
        "{fault: rotate, cut: true, during: deploy}",
    )
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    to: Annotated[str | None, Field(description="the backend that takes over")] = None
    drain: Annotated[bool, Field(description="live connections finish, then are closed")] = False
    cut: Annotated[bool, Field(description="live connections are reset at once")] = False

    def __post_init__(self) -> None:
        if self.drain and self.cut:
            raise ValueError("drain lets exchanges finish and cut doesn't; give one of them")

    def change(self) -> BackendChange:
        """The successor, and what becomes of live connections."""
        live = LiveConnections.KEEP
        if self.drain:
            live = LiveConnections.DRAIN
        elif self.cut:
            live = LiveConnections.RESET
        return BackendChange(live, to=self.to)

    def backends(self) -> Iterable[str]:
        """The successor, if named."""
        return () if self.to is None else (self.to,)

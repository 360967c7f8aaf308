"""A backend dies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import BackendChange, LiveConnections
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Kills a backend: its live connections are reset, and it accepts no more until healed.

    If it is the one in use, the next backend takes over; if there is no other, clients are
    reset after connecting, as behind a load balancer without a healthy server.
    """

    NAME: ClassVar[str] = "kill"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: kill, backend: blue, at: 200ms}",
        "{fault: kill, during: outage}",
    )
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    backend: Annotated[str | None, Field(description="which; else the one in use")] = None

    def change(self) -> BackendChange:
        """The dead backend is taken out."""
        return BackendChange(LiveConnections.RESET, retire=self.backend, dead=True)

    def backends(self) -> Iterable[str]:
        """The victim, if named."""
        return () if self.backend is None else (self.backend,)

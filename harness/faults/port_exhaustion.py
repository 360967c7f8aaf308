"""A host that has no port left to dial from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import RUN_TRIGGERS
from harness.shape import HostState
from harness.units import YAML_CONFIG

PORTS_LIMIT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PortExhaustion:
    """Leaves the client's host ``ports`` ports to dial from: connects beyond fail at once.

    connect() fails with EADDRNOTAVAIL (connect(2)) once each port of ``ip_local_port_range``
    (ip(7)) has a connection to that server. Those in TIME-WAIT count: who closes first keeps the
    port for a minute (RFC 9293 section 3.6.1), so a client that reuses nothing runs out of ports
    while nothing is open. Connections that are open keep theirs, which don't count unless they
    are among the few. It has fired once a connect failed so; to a caller that is ``no_port``.
    """

    NAME: ClassVar[str] = "port_exhaustion"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: port_exhaustion, ports: 4}",
        "{fault: port_exhaustion, ports: 16, during: rush}",
    )
    TRIGGERS: ClassVar[frozenset[str]] = RUN_TRIGGERS
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    ports: Annotated[
        int, Field(ge=1, le=PORTS_LIMIT, description="how many there are, for each server's port")
    ]

    def on_host(self) -> HostState:
        """So few ports."""
        return HostState(ports=self.ports)

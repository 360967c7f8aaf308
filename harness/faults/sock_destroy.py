"""A client's own kernel that takes its socket away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class SockDestroy:
    """Destroys the client's own socket: ECONNABORTED for the client, RST for the other end.

    ``ss --kill`` (ss(8)) does so, and phones and VPNs do it to every socket of a network that is
    gone: SOCK_DESTROY in sock_diag(7). The error comes from the client's own kernel at once, also
    to who waits for a reply, and it is not ECONNRESET. Where ``at`` or ``during`` alone says when,
    it strikes who is connected at that instant; connections that open afterwards work.
    """

    NAME: ClassVar[str] = "sock_destroy"
    ALIASES: ClassVar[tuple[str, ...]] = ("SOCK_DESTROY",)
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: sock_destroy, when: {idle: 1s}}",
        "{fault: sock_destroy, when: {request: 3, connection: 1}}",
        "{fault: sock_destroy, at: 1s}",
    )
    DESTROYS: ClassVar[Literal[True]] = True
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

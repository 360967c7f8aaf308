"""A server that is too busy to accept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogFull:
    """Fills the queue of those who wait to be accepted: a connect gets no answer.

    listen(2)'s ``backlog`` says how many may wait, and the kernel drops the SYN of whoever comes
    beyond (tcp_abort_on_overflow in tcp(7) is off, as usual). SYN is sent again after a second and
    so on, so a connect takes a second longer, or times out. Live connections are left alone. It
    has fired once a packet was dropped so; that never becomes a connection, so it can't be
    counted or chosen by ``connection``.
    """

    NAME: ClassVar[str] = "backlog_full"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: backlog_full, during: overload}",
        "{fault: backlog_full, at: 200ms, for: 1500ms}",
    )
    LISTENS: ClassVar[Literal["full"]] = "full"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

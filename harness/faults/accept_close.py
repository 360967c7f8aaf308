"""Accepted, then closed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from harness.faults._base import AcceptDecision, Admission
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptClose:
    """Accepts a connection and closes it at once with FIN, as an overloaded server does."""

    NAME: ClassVar[str] = "accept_close"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = ("{fault: accept_close, when: {connection: first 3}}",)
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    def on_accept(self, open_connections: int, random: Random) -> AcceptDecision:  # noqa: ARG002 - the contract's arguments
        """FIN."""
        return Admission.CLOSE

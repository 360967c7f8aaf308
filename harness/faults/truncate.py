"""The end of TLS without a farewell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.connection import Ending
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate:
    """Ends a TLS connection with FIN but without close_notify: a truncation attack's shape.

    RFC 8446 section 6.1 wants a close_notify before the end, and RFC 9112 section 9.8 wants a
    client to treat its absence as an incomplete reply. Needs ``proxy: {tls: terminate}``.
    """

    NAME: ClassVar[str] = "truncate"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = ("{fault: truncate, when: {response: 1, byte: 200}}",)
    ENDING: ClassVar[Ending] = Ending.TRUNCATION
    NEEDS_TERMINATION: ClassVar[bool] = True
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

"""``handshakes``: TLS is set up no more often than needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._fields import AtMost
from harness.checks._run import until_healed
from harness.checks._verdicts import bounds, decide, many, unknown
from harness.history import History, TlsEstablished
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshakes:
    """The client makes no more full TLS handshakes than this.

    Counted are the handshakes the proxy completed with the client until healing, except resumed
    ones, which are cheap. Handshakes that failed are not counted; they show as connections opened.

    Evidence: the handshakes beyond the limit, or those there were. Unknown if no handshake was
    completed, as without TLS.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "handshakes"
    GROUP: ClassVar[str] = "load"
    REQUIREMENT: ClassVar[str] = (
        "A pool must spare the costly part of TLS: by reusing connections and resuming sessions."
    )
    SHORTHAND: ClassVar[str | None] = "at_most"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("handshakes: 8", "handshakes: {at_most: 8}")

    at_most: AtMost

    def judge(self, history: History) -> Finding:
        """Count the full handshakes."""
        expected = bounds(self.at_most, None, "full handshake")
        if history.first(TlsEstablished) is None:
            return unknown(self, expected, "no TLS handshake was completed")
        made = until_healed(history, TlsEstablished)
        full = [number for number, tls in made if not tls.resumed]
        actual = f"{many(len(full), 'full handshake')} and {len(made) - len(full)} resumed"
        failed = len(full) > self.at_most
        shown = full[self.at_most :] if failed else full
        return decide(self, history, expected, actual, failed=failed, evidence=shown)

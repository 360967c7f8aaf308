"""A certificate that must not be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import CertificateProblem, HandshakeDecision, PresentCertificate
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Presents a certificate with a problem; a client must refuse it (RFC 5280 section 6.1).

    ``expired`` and ``not_yet_valid`` are wrong in time, ``wrong_host`` names another host
    (RFC 9525 section 6), ``untrusted`` is signed by an authority the client doesn't know.
    """

    NAME: ClassVar[str] = "certificate"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: certificate, problem: expired}",
        "{fault: certificate, problem: wrong_host, when: {connection: every 2}}",
    )
    NEEDS_TERMINATION: ClassVar[bool] = True
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    problem: Annotated[CertificateProblem, Field(description="what is wrong with it")]

    def on_handshake(self) -> HandshakeDecision:
        """The bad certificate."""
        return PresentCertificate(self.problem)

"""The run's own certificate authority: made per run, its key never leaves memory."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import trustme

from harness.faults import CertificateProblem

NAMES_LIMIT = 64
"""How many server names get a certificate of their own; a client that asks for more is refused."""
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Authority:
    """Signs certificates for whatever host a client asks for."""

    def __init__(self) -> None:
        self._trusted = trustme.CA(organization_name="chaos-harness")
        self._untrusted: trustme.CA | None = None
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    @property
    def certificate_pem(self) -> bytes:
        """The authority's certificate, for clients that take a file."""
        return self._trusted.cert_pem.bytes()

    def client_context(self) -> ssl.SSLContext:
        """A context that trusts this authority and nobody else, and checks host names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._trusted.configure_trust(context)
        return context

    def server_context(self, problem: CertificateProblem | None = None) -> ssl.SSLContext:
        """A server's context; the certificate follows the name asked for (SNI, RFC 6066 3)."""
        context = self._context_for("", problem)
        context.sni_callback = lambda tls, name, _: self._choose(tls, name, problem)
        return context

    def _choose(
        self, tls: ssl.SSLObject | ssl.SSLSocket, name: str, problem: CertificateProblem | None
    ) -> int | None:
        if not name or name in LOCAL_NAMES:
            return None
        if (name, problem or "") not in self._contexts and len(self._contexts) >= NAMES_LIMIT:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        try:
            tls.context = self._context_for(name, problem)
        except ValueError:  # no name of a host
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        return None

    def _context_for(self, name: str, problem: CertificateProblem | None) -> ssl.SSLContext:
        key = (name, problem or "")
        if key not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._issue((name,) if name else LOCAL_NAMES, problem).configure_cert(context)
            self._contexts[key] = context
        return self._contexts[key]

    def _issue(
        self, names: tuple[str, ...], problem: CertificateProblem | None
    ) -> trustme.LeafCert:
        now = datetime.now(UTC).replace(tzinfo=None)
        match problem:
            case "expired":
                return self._trusted.issue_cert(*names, not_after=now - timedelta(days=1))
            case "not_yet_valid":
                return self._trusted.issue_cert(*names, not_before=now + timedelta(days=1))
            case "wrong_host":
                return self._trusted.issue_cert("somebody-else.invalid")
            case "untrusted":
                if self._untrusted is None:
                    self._untrusted = trustme.CA(organization_name="nobody you know")
                return self._untrusted.issue_cert(*names)
            case None:
                return self._trusted.issue_cert(*names)

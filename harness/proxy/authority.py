"""The run's own certificate authority: made per run, its key never leaves memory."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, partial
from typing import TypeVar

import trustme

from harness.faults import CertificateProblem

T = TypeVar("T")

NAMES_LIMIT = 64
"""How many server names get a certificate of their own; a client that asks for more is refused."""
SERIAL_AT = slice(13, 15)
"""Where in a certificate's DER the serial number begins: behind two headers and the version."""
FULL_SERIAL = b"\x02\x14"
"""An integer of 20 bytes, the longest there may be (RFC 5280 section 4.1.2.2)."""
SERIALS_LIMIT = 100
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Certificates:
    """A certificate authority and what it has issued.

    With ``repeatable`` all that differs from run to run has a fixed length: keys are RSA, whose
    signatures don't vary by a byte or two as those of ECDSA do, and serial numbers are full.
    """

    def __init__(self, *, repeatable: bool = False) -> None:
        self._kind = trustme.KeyType.RSA if repeatable else trustme.KeyType.ECDSA
        self._repeatable = repeatable
        self._issued: dict[tuple[tuple[str, ...], str], trustme.LeafCert] = {}
        self.trusted = self._authority("chaos-harness")

    @cached_property
    def untrusted(self) -> trustme.CA:
        """An authority that nobody has heard of."""
        return self._authority("nobody you know")

    def _authority(self, name: str) -> trustme.CA:
        return self._of_fixed_length(
            lambda: trustme.CA(organization_name=name, key_type=self._kind), lambda ca: ca.cert_pem
        )

    def leaf(self, names: tuple[str, ...], problem: CertificateProblem | None) -> trustme.LeafCert:
        """A server's certificate with its key, issued once."""
        key = (names, problem or "")
        if key not in self._issued:
            self._issued[key] = self._of_fixed_length(
                lambda: self._issue(names, problem), lambda leaf: leaf.cert_chain_pems[0]
            )
        return self._issued[key]

    def _of_fixed_length(
        self, make: Callable[[], T], certificate: Callable[[T], trustme.Blob]
    ) -> T:
        for _ in range(SERIALS_LIMIT):
            made = make()
            der = ssl.PEM_cert_to_DER_cert(certificate(made).bytes().decode("ascii"))
            if not self._repeatable or der[SERIAL_AT] == FULL_SERIAL:
                return made
        raise AssertionError("no serial number of full length")

    def _issue(
        self, names: tuple[str, ...], problem: CertificateProblem | None
    ) -> trustme.LeafCert:
        now = datetime.now(UTC).replace(tzinfo=None)
        issue = partial(self.trusted.issue_cert, key_type=self._kind)
        match problem:
            case "expired":
                return issue(*names, not_after=now - timedelta(days=1))
            case "not_yet_valid":
                return issue(*names, not_before=now + timedelta(days=1))
            case "wrong_host":
                return issue("somebody-else.invalid")
            case "untrusted":
                return self.untrusted.issue_cert(*names, key_type=self._kind)
            case None:
                return issue(*names)


@cache
def _repeatable_certificates() -> Certificates:
    """RSA keys take a while to make, and what runs in virtual time never leaves the process."""
    return Certificates(repeatable=True)


class Authority:
    """Signs certificates for whatever host a client asks for.

    A ``repeatable`` one makes each handshake as long as the last; its keys are the process's. Who
    asks for no name gets a certificate for this machine, and for the ``addresses`` of the run.
    """

    def __init__(self, *, repeatable: bool = False, addresses: tuple[str, ...] = ()) -> None:
        self._names = tuple(dict.fromkeys((*LOCAL_NAMES, *addresses)))
        self._certificates = _repeatable_certificates() if repeatable else Certificates()
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    @property
    def certificate_pem(self) -> bytes:
        """The authority's certificate, for clients that take a file."""
        return self._certificates.trusted.cert_pem.bytes()

    def client_context(self) -> ssl.SSLContext:
        """A context that trusts this authority and nobody else, and checks host names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._certificates.trusted.configure_trust(context)
        return context

    def server_pems(self) -> tuple[str, str]:
        """A server's certificate with its chain, and its key, for a program of its own."""
        leaf = self._certificates.leaf(self._names, None)
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        return chain.decode("ascii"), leaf.private_key_pem.bytes().decode("ascii")

    def server_context(self, problem: CertificateProblem | None = None) -> ssl.SSLContext:
        """A server's context; the certificate follows the name asked for (SNI, RFC 6066 3)."""
        context = self._context_for("", problem)
        context.sni_callback = lambda tls, name, _: self._choose(tls, name, problem)
        return context

    def _choose(
        self, tls: ssl.SSLObject | ssl.SSLSocket, name: str, problem: CertificateProblem | None
    ) -> int | None:
        if not name or name in self._names:
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
            names = (name,) if name else self._names
            self._certificates.leaf(names, problem).configure_cert(context)
            self._contexts[key] = context
        return self._contexts[key]

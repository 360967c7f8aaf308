"""Clients whose TLS keeps nobody out."""

import ssl

from saboteur import broken

from harness.clients.reference import ReferenceClient
from harness.pool.http_connector import HttpConnector


class _Trusting(HttpConnector):
    def __init__(self, *place, ssl_context, **rest):
        if ssl_context is not None:
            ssl_context.check_hostname = False
            ssl_context.verify_mode = ssl.CERT_NONE
        super().__init__(*place, ssl_context=ssl_context, **rest)


class CertificateNotVerified(ReferenceClient):
    """Turns verification off for the test server's sake, and ships it so."""

    client_class = broken(connector=_Trusting)


class _Indifferent(HttpConnector):
    def __init__(self, *place, ssl_context, **rest):
        if ssl_context is not None:
            ssl_context.check_hostname = False
        super().__init__(*place, ssl_context=ssl_context, **rest)


class HostNameNotChecked(ReferenceClient):
    """Verifies that a certificate is genuine, but not whose it is."""

    client_class = broken(connector=_Indifferent)


class _VerifiesOnce(HttpConnector):
    async def connect(self):
        made = await super().connect()
        if self._ssl_context is not None:
            self._ssl_context.check_hostname = False
            self._ssl_context.verify_mode = ssl.CERT_NONE
        return made


class VerifiedOnlyOnce(ReferenceClient):
    """Verifies the first connection's certificate and trusts the server from then on."""

    client_class = broken(connector=_VerifiesOnce)


class _Hopeful(HttpConnector):
    def is_permanent(self, error):
        return False


class BadCertificateTriedAgain(ReferenceClient):
    """Connects again and again to a server whose certificate will not get any better."""

    client_class = broken(connector=_Hopeful)

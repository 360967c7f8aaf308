"""Who holds which local port."""

from __future__ import annotations

import errno

from harness.fabric.virtual import linux
from harness.fabric.virtual.addresses import family_of, is_wildcard


class Claim:
    """A port at an address, held by one socket or by one connection."""

    __slots__ = ("host", "listening", "named", "port", "reuse")

    def __init__(self, host: str, port: int, *, named: bool, reuse: bool) -> None:
        self.host = host
        self.port = port
        self.named = named
        """Whether it was asked for by number: such a port outlasts what it was used for."""
        self.reuse = reuse
        self.listening = False

    def excludes(self, host: str, *, reuse: bool) -> bool:
        """Whether nobody else may have the port at this address.

        Two that both say SO_REUSEADDR share it as long as this one does not listen (socket(7)).
        """
        if family_of(self.host) != family_of(host) or (reuse and self.reuse and not self.listening):
            return False
        return self.host == host or is_wildcard(self.host) or is_wildcard(host)


class Ports:
    """Gives ports away and takes them back."""

    __slots__ = ("_claims", "_next")

    def __init__(self) -> None:
        self._claims: dict[int, dict[Claim, None]] = {}
        self._next = linux.EPHEMERAL_PORTS.start

    def claim(self, host: str, port: int, *, reuse: bool) -> Claim:
        """A port, any free one for 0; OSError EADDRINUSE."""
        named = port > 0
        claim = Claim(host, port or self._ephemeral(), named=named, reuse=reuse)
        self._check(claim)
        return self._hold(claim)

    def listen(self, claim: Claim) -> None:
        """Let it listen; OSError EADDRINUSE if that excludes another."""
        self._check(claim)
        claim.listening = True

    def share(self, claim: Claim) -> Claim:
        """Another of the same place: for a connection of the socket that holds it."""
        return self._hold(Claim(claim.host, claim.port, named=claim.named, reuse=claim.reuse))

    def release(self, claim: Claim) -> None:
        """Give it back."""
        there = self._claims[claim.port]
        del there[claim]
        if not there:
            del self._claims[claim.port]

    def _check(self, claim: Claim) -> None:
        for other in self._claims.get(claim.port, ()):
            if other is not claim and other.excludes(claim.host, reuse=claim.reuse):
                raise linux.error(errno.EADDRINUSE)

    def _hold(self, claim: Claim) -> Claim:
        self._claims.setdefault(claim.port, {})[claim] = None
        return claim

    def _ephemeral(self) -> int:
        ports = linux.EPHEMERAL_PORTS
        for _ in ports:
            port = self._next
            self._next = port + 1 if port + 1 in ports else ports.start
            if port not in self._claims:
                return port
        raise linux.error(errno.EADDRNOTAVAIL)

"""Literal addresses, as sockets take them."""

from __future__ import annotations

import errno
import ipaddress
from functools import lru_cache
from typing import TypeAlias

from harness.fabric.virtual import linux
from harness.packet import Address

AnyAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""What programs pass: for IPv6 it may have a flow label and a scope, which count for nothing."""

WILDCARDS = {linux.AF_INET: "0.0.0.0", linux.AF_INET6: "::"}  # noqa: S104 - nothing real is bound
_ANY = frozenset(WILDCARDS.values())


def parsed(address: AnyAddress, family: int) -> Address:
    """The host in its usual spelling, and the port.

    An empty host is the wildcard. OSError EINVAL for a name, EAFNOSUPPORT for the other family;
    OverflowError for what is no port.
    """
    host, port = address[0], address[1]
    if port not in linux.PORTS:
        raise OverflowError("port must be 0-65535.")
    return (_literal(host, family) if host else WILDCARDS[family]), port


@lru_cache(maxsize=4_096)
def _literal(host: str, family: int) -> str:
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        raise OSError(errno.EINVAL, f"{host!r} is no literal address") from None
    if family_of(str(literal)) != family:
        raise linux.error(errno.EAFNOSUPPORT)
    return str(literal)


def family_of(host: str) -> int:
    """AF_INET or AF_INET6."""
    return linux.AF_INET6 if ":" in host else linux.AF_INET


def is_wildcard(host: str) -> bool:
    """Whether it stands for every address of its family."""
    return host in _ANY

"""Where a backend listens, from the address that a test names. Nothing else is ever dialed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable

import trio

from harness.errors import InputError, Problem, SetupError
from harness.proxy import Address

RESOLVE_LIMIT_S = 10.0
ONLY = "backend"
"""What a proxy's backend is called if it has but one."""

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:/\[\]@]+)):(?P<port>\d{1,5})")


def parse(address: object) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:5432``, ``db.local:5432`` or ``[::1]:5432``.

    Raises InputError saying what would be right.
    """
    match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if match is None:
        message = f"{address!r} is not an address"
        raise InputError(Problem(message, "write HOST:PORT, such as 127.0.0.1:5432"))
    port = int(match["port"])
    if not 0 < port < 65536:
        raise InputError(Problem(f"there is no port {port}", "ports go from 1 to 65535"))
    return match["six"] or match["host"], port


async def resolve(host: str, port: int) -> Address:
    """The literal address of a host; IPv4 where it has one, as ``localhost`` does.

    Raises SetupError if nobody knows the host.
    """
    try:
        with trio.fail_after(RESOLVE_LIMIT_S):
            found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise SetupError(f"nobody knows where {host} is: {error.strerror or error}") from error
    except trio.TooSlowError as error:
        message = f"nobody said within {RESOLVE_LIMIT_S:.0f} s where {host} is"
        raise SetupError(message) from error
    return Address(_preferred(found), port)


def _preferred(found: Iterable[tuple[int, int, int, str, tuple[object, ...]]]) -> str:
    by_family = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return str(by_family[0][4][0])

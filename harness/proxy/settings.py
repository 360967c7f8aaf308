"""What a proxy is asked to be."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from harness.proxy.backends import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """What a proxy is: where it listens, what is behind it, what it does with TLS."""

    backends: dict[str, Address]
    tls: str = "off"
    protocol: str = "http"
    origin_tls: ssl.SSLContext | None = None
    origin_hostname: str = "localhost"
    round_robin: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0

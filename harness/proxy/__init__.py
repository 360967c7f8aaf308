"""The man in the middle between a client's pool and its server."""

from harness.proxy.authority import Authority
from harness.proxy.backends import Address, Backends
from harness.proxy.charge import Charge
from harness.proxy.injector import Injector
from harness.proxy.proxy import Proxy, open_proxy
from harness.proxy.settings import ProxySettings

__all__ = [
    "Address",
    "Authority",
    "Backends",
    "Charge",
    "Injector",
    "Proxy",
    "ProxySettings",
    "open_proxy",
]

"""This project's proxy in a process of its own, for the benchmark.

Its one argument is JSON: ``backend_port``, ``tls`` (off or terminate), ``delay_s``. It prints one
line of JSON once it serves, and ends when its stdin does.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import trio

from harness.bench.child import end_with_parent, raise_file_limit, say_hello
from harness.fabric import LoopbackFabric
from harness.faults import FaultSpec
from harness.faults.latency import fixed
from harness.history import History
from harness.proxy import Address, Authority, ProxySettings, open_proxy


async def serve(asked: dict[str, Any]) -> None:
    """Serve for ever, keeping a history as a run does."""
    backend = Address("127.0.0.1", asked["backend_port"])
    settings = ProxySettings(backends={"far end": backend}, tls=asked["tls"])
    authority = Authority() if asked["tls"] == "terminate" else None
    fabric, history = LoopbackFabric(), History()
    async with (
        fabric.running(),
        open_proxy(settings, fabric, authority=authority, on_event=history.events.append) as proxy,
    ):
        if asked["delay_s"]:
            proxy.arm([FaultSpec(fixed(asked["delay_s"]))])
        certificate = "" if authority is None else authority.certificate_pem.decode()
        say_hello(port=proxy.port.number, certificate=certificate)
        await trio.sleep_forever()


if __name__ == "__main__":
    raise_file_limit()
    end_with_parent()
    trio.run(serve, json.loads(sys.argv[1]))

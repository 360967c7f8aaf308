"""Which fabrics there are, and one made for a run."""

from __future__ import annotations

from harness.fabric import Fabric, LoopbackFabric
from harness.fabric.virtual import VirtualFabric
from harness.fabric.virtual.fabric import ETHERNET_MSS_BYTES, MSS_BYTES
from harness.scenario import Scenario
from harness.scenario.perturbing import packet_delay

FABRICS = ("loopback", "virtual")
"""What scenarios can run on: real sockets of this machine, or a network in virtual time."""


def make_fabric(name: str, scenario: Scenario, seed: int) -> Fabric:
    """A fabric for one run.

    Where faults strike packets these are as large as an Ethernet's; else as loopback's.
    """
    if name == "loopback":
        return LoopbackFabric()
    return VirtualFabric(
        seed=seed,
        delay=packet_delay(scenario.perturb, seed),
        mss_bytes=ETHERNET_MSS_BYTES if scenario.needs_packets else MSS_BYTES,
    )

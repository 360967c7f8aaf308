"""A fabric made for a run."""

from __future__ import annotations

from pathlib import Path

from harness.errors import Problem
from harness.fabric import Fabric, LoopbackFabric
from harness.fabric.virtual import VirtualFabric
from harness.fabric.virtual.fabric import ETHERNET_MSS_BYTES, MSS_BYTES
from harness.scenario import KERNEL_FABRIC, Scenario, Topology
from harness.scenario.perturbing import packet_delay


def make_fabric(name: str, scenario: Scenario, seed: int, *, capture: Path | None = None) -> Fabric:
    """A fabric for one run, which captures its packets into the folder ``capture``.

    Where faults strike packets these are as large as an Ethernet's; else as loopback's.
    """
    if name == "loopback":
        return LoopbackFabric()
    if name == KERNEL_FABRIC:
        # Linux's own, and slow to import: only who asks for it needs it.
        from harness.fabric.netns.access import probe  # noqa: PLC0415
        from harness.fabric.netns.fabric import NetnsFabric  # noqa: PLC0415

        topology = scenario.topology or Topology()
        backends = scenario.origin.backends if scenario.origin.is_built_in else ()
        reaches_out = scenario.origin.own is not None
        return NetnsFabric(topology, backends, probe(), reaches_out=reaches_out, capture=capture)
    return VirtualFabric(
        seed=seed,
        delay=packet_delay(scenario.perturb, seed),
        mss_bytes=ETHERNET_MSS_BYTES if scenario.needs_packets else MSS_BYTES,
    )


def capture_folder(folder: Path, scenario: Scenario, ordinal: int) -> Path:
    """Where the captures of one run go: ``folder/<id with - for />``, and which run it is."""
    identity = scenario.base_id.partition("[")[0].replace("/", "-")
    value = f"-{scenario.value}" if scenario.value else ""
    again = f"-{ordinal}" if ordinal > 1 else ""
    return folder / f"{identity}{value}{again}"


def capture_problem(scenario: Scenario, fabric: str) -> Problem | None:
    """Why a run's packets can't be captured, if they can't."""
    if fabric == KERNEL_FABRIC:
        return None
    message = f"--capture: {scenario.id} runs on {fabric}, which has no packets to capture"
    return Problem(message, f"add --on {KERNEL_FABRIC}")

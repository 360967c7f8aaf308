"""Which fabrics can play a scenario: what each part of it needs, and who has that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

FabricWord: TypeAlias = Literal["loopback", "virtual", "netns"]
FABRICS: tuple[FabricWord, ...] = get_args(FabricWord)
"""What scenarios can run on: real sockets of this machine, a network in virtual time, or hosts of
their own, each with a kernel's network to itself."""
PACKET_FABRICS: tuple[FabricWord, ...] = ("virtual", "netns")
"""The fabrics on which packets can be struck."""
KERNEL_FABRIC: FabricWord = "netns"
"""The fabric with links and hosts of its own."""
SERVER_FABRICS: tuple[FabricWord, ...] = ("loopback", "netns")
"""The fabrics with real time, which servers that are programs of their own need."""
DELAY_FABRIC: FabricWord = "virtual"
"""The fabric that can delay every packet by a seed: it has the time."""

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One part of a scenario that not every fabric has.

    ``what`` reads "blackhole needs packets", ``whose`` names the part alone.
    """

    path: Path
    whose: str
    lack: str
    fabrics: tuple[FabricWord, ...]
    is_key: bool = False

    @property
    def what(self) -> str:
        """What is needed, as a sentence without its end."""
        return f"{self.whose} needs {self.lack}"


def fabrics_of(fault: Any) -> tuple[FabricWord, ...]:
    """The fabrics on which a fault, or a class of them, can strike."""
    if hasattr(fault, "policy"):
        return PACKET_FABRICS
    of_a_kernel = hasattr(fault, "DESTROYS") or getattr(fault, "LISTENS", None) == "full"
    return (KERNEL_FABRIC,) if of_a_kernel or hasattr(fault, "on_host") else FABRICS


def needs_of(
    faults: Sequence[tuple[Any, Path]],
    *,
    server: str = "",
    delay: bool = False,
    hosts: bool = False,
) -> Iterator[Need]:
    """What the parts of a scenario need of a fabric, where any lacks it.

    ``faults`` are faults with their places; ``server`` names a server that is a program of its
    own; ``delay`` and ``hosts`` tell that packets are to be late and that there is a topology.
    """
    for fault, path in faults:
        fabrics = fabrics_of(fault)
        if fabrics != FABRICS:
            lack = "packets" if hasattr(fault, "policy") else "a kernel with links of its own"
            yield Need(path=(*path, "fault"), whose=fault.NAME, lack=lack, fabrics=fabrics)
    if delay:
        place: Path = ("perturb", "delay")
        fabrics = (DELAY_FABRIC,)
        yield Need(path=place, whose="delay", lack="virtual time", fabrics=fabrics, is_key=True)
    if hosts:
        lack, fabrics = "hosts of their own", (KERNEL_FABRIC,)
        yield Need(path=("topology",), whose="topology", lack=lack, fabrics=fabrics, is_key=True)
    if server:
        place = ("origin", "serve")
        yield Need(path=place, whose=server, lack="real time", fabrics=SERVER_FABRICS)

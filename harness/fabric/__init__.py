"""Fabrics: what lies beneath trio while a scenario runs."""

from harness.fabric._base import Alarm, Capabilities, Fabric, Guard, Port, Wire
from harness.fabric.bell import Bell
from harness.fabric.loopback import LoopbackFabric
from harness.fabric.tasks import open_tasks

__all__ = [
    "Alarm",
    "Bell",
    "Capabilities",
    "Fabric",
    "Guard",
    "LoopbackFabric",
    "Port",
    "Wire",
    "open_tasks",
]

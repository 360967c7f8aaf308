"""The virtual network: simulated TCP in virtual time, the same in every run.

``network`` and ``socket`` are the simulator, pure and driven by hand; ``clock`` lets trio's loop
drive it; ``trio_socket`` puts trio's socket API on top; ``fabric`` is what a scenario runs on.
"""

from harness.fabric.virtual.fabric import VirtualFabric
from harness.fabric.virtual.network import Network
from harness.fabric.virtual.running import run_virtually
from harness.fabric.virtual.shim import install_shim

__all__ = ["Network", "VirtualFabric", "install_shim", "run_virtually"]

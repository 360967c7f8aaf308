"""Clocks of the time module: virtual for a virtual run's own thread, real for everybody else."""

import threading
import time

import trio
from virtually import virtually

from harness.fabric.virtual.shim import WALL_ZERO_S, install_shim, real_monotonic

NAMES = ("monotonic", "perf_counter", "time")


def test_a_virtual_run_reads_virtual_clocks():
    install_shim()

    async def main(_):
        await trio.sleep(3600)
        return [getattr(time, name)() for name in NAMES], time.time_ns(), time.monotonic_ns()

    seconds, wall_ns, monotonic_ns = virtually(main)
    assert seconds == [3600.0, 3600.0, WALL_ZERO_S + 3600.0]
    assert (wall_ns, monotonic_ns) == (int((WALL_ZERO_S + 3600) * 1e9), int(3600 * 1e9))


def test_everybody_else_reads_real_ones():
    install_shim()
    read = []

    async def main(_):
        thread = threading.Thread(target=lambda: read.append(time.monotonic()))
        thread.start()
        thread.join()

    began = real_monotonic()
    virtually(main)
    assert began <= read[0] <= real_monotonic()
    assert began <= time.monotonic() <= real_monotonic()


def test_to_install_it_twice_changes_nothing():
    install_shim()
    before = [getattr(time, name) for name in NAMES]
    install_shim()
    assert [getattr(time, name) for name in NAMES] == before

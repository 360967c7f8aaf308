"""Files that can't take everything, over a ring that needs no kernel."""

import errno
import io

import pytest

from harness.fabric.netns import pcap
from harness.fabric.netns.capture import Tape, places
from harness.fabric.netns.layout import layout
from harness.scenario import Topology

PACKETS = [pcap.record(second, 0, bytes(100), 100) for second in range(10)]
SIZE = len(PACKETS[0])
HEADER = len(pcap.opening())


class Ring:
    def __init__(self, *batches):
        self.batches = list(batches)

    def read(self):
        batch = self.batches.pop(0) if self.batches else []
        return batch, bool(self.batches)

    def lost(self):
        return 0


class FullDisk(io.BytesIO):
    """Room for so many bytes; then a short write, then none."""

    def __init__(self, room):
        super().__init__()
        self.room = room

    def write(self, data):
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = min(len(data), self.room)
        self.room -= taken
        return super().write(data[:taken])


def test_what_waits_at_the_end_is_written():
    file = io.BytesIO()
    assert Tape(Ring(PACKETS[:4], PACKETS[4:]), "file", file, 10_000).finish() == ""
    assert file.getvalue() == pcap.opening() + b"".join(PACKETS)


def test_a_file_ends_at_its_limit_and_says_how_many_packets_are_missing():
    file = io.BytesIO()
    told = Tape(Ring(PACKETS), "file", file, HEADER + 3 * SIZE + 5).finish()
    assert told == "file: full; 7 more packets are not in it"
    assert file.getvalue() == pcap.opening() + b"".join(PACKETS[:3])


@pytest.mark.parametrize(
    ("room", "why"), [(2 * SIZE, "No space left on device"), (3 * SIZE, "no room for more")]
)
def test_a_disk_that_is_full_ends_the_file_and_not_the_run(room, why):
    ring = Ring(PACKETS[:2], PACKETS[2:6], PACKETS[6:])
    file = FullDisk(HEADER + room)
    tape = Tape(ring, "file", file, 10_000)
    assert tape.finish() == f"file: not complete: {why}"
    assert len(file.getvalue()) == HEADER + room


def test_each_host_has_a_file_but_the_proxy_one_for_each_of_its_wires():
    place = layout(Topology(clients=2, routers=2), ["blue"])
    assert [name for _, _, name in places(place)] == [
        "client-1", "client-2", "proxy-front", "proxy-back", "backend-blue"
    ]  # fmt: skip


def test_beside_a_sidecar_the_loopback_is_a_wire_as_well():
    place = layout(Topology(proxy="client"), ["blue"])
    assert places(place)[-1] == ("client-1", "lo", "client-1-lo")


def test_names_of_backends_become_names_of_files_that_differ():
    place = layout(Topology(), ["a/b", "a:b", "a_b"])
    names = [name for _, _, name in places(place)]
    assert len(set(names)) == len(names)
    assert not any("/" in name or ":" in name for name in names)

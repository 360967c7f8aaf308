import shutil
import struct

import pytest
import trio
from lab import BACK, FRONT, exchange, lab, why_not

from harness.checks import Verdict
from harness.errors import InputError, SetupError
from harness.fabric.netns import capture
from harness.runner import run_scenario
from harness.scenario import Topology, read_text

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "never")

TCP = 6


def read(path):
    """Every packet of a file: its time in nanoseconds, the bytes kept, and how long it was."""
    data = path.read_bytes()
    assert struct.unpack_from("<I", data) == (0xA1B23C4D,)
    packets, at = [], 24
    while at < len(data):
        seconds, nanoseconds, kept, length = struct.unpack_from("<IIII", data, at)
        packets.append((seconds * 10**9 + nanoseconds, data[at + 16 : at + 16 + kept], length))
        at += 16 + kept
    return packets


def idents(path):
    """The TCP packets of a file: (ident, sequence number, flags), in order."""
    frames = [frame for _, frame, _ in read(path) if frame[12:14] == b"\x08\0" and frame[23] == TCP]
    return [
        (*struct.unpack_from("!H", f, 18), *struct.unpack_from("!I", f, 38), f[47]) for f in frames
    ]


def seen_by(observer):
    return [(packet.ident, packet.seq, packet.flags) for packet in observer.seen]


async def test_each_host_has_a_file_with_every_packet_up_to_the_last_in_order(tmp_path):
    folder = tmp_path / "new" / "folder"
    async with lab(watch=(FRONT, BACK), capture=folder) as box:
        client, server = await box.pair()
        await exchange(client, server, b"?" * 40_000, b"!" * 40_000)
        client.close()
        server.close()
        await trio.sleep(0.1)
        wires = {"client-1": box.client, "proxy-front": box.others[0], "proxy-back": box.others[1]}
        seen = {name: seen_by(observer) for name, observer in wires.items()}
    assert sorted(path.name for path in folder.iterdir()) == [
        "backend-blue.pcap", "client-1.pcap", "proxy-back.pcap", "proxy-front.pcap"
    ]  # fmt: skip
    for name, packets in seen.items():
        assert len(packets) > 50
        assert idents(folder / f"{name}.pcap")[: len(packets)] == packets
        times = [at for at, _, _ in read(folder / f"{name}.pcap")]
        assert times == sorted(times)


async def test_what_passes_just_before_the_end_is_in_the_file(tmp_path):
    async with lab(capture=tmp_path) as box:
        client, _ = await box.pair()
        for number in range(200):
            client.sock.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
            await client.sock.send(b"x")
            if number % 50 == 0:
                await trio.lowlevel.checkpoint()
        last = seen_by(box.client)[-1]
    assert last in idents(tmp_path / "client-1.pcap")


async def test_beside_a_sidecar_the_loopback_has_a_file_and_each_packet_is_in_it_once(tmp_path):
    async with lab(watch=(), topology=Topology(proxy="client"), capture=tmp_path) as box:
        await box.pair()
    assert {path.name for path in tmp_path.iterdir()} == {
        "backend-blue.pcap", "client-1.pcap", "client-1-lo.pcap"
    }  # fmt: skip
    packets = idents(tmp_path / "client-1-lo.pcap")
    assert len([flags for _, _, flags in packets if flags == 0x02]) == 1


async def test_a_file_that_is_full_says_so_and_is_whole(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(capture, "CAPTURE_LIMIT_BYTES", 5_000)
    async with lab(capture=tmp_path) as box:
        client, server = await box.pair()
        await exchange(client, server, b"?" * 40_000, b"!" * 40_000)
    path = tmp_path / "client-1.pcap"
    assert 2_000 < path.stat().st_size <= 5_000
    assert read(path)[-1][2] > 0
    assert f"capture: {path}: full; " in capsys.readouterr().err


async def test_what_comes_faster_than_it_is_read_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(capture, "SLOTS", 32)
    monkeypatch.setattr(capture, "READ_S", 1_000)
    async with lab(capture=tmp_path) as box:
        client, server = await box.pair()
        for _ in range(40):
            await exchange(client, server)
    assert "packets came too fast and are not in it" in capsys.readouterr().err
    assert 32 <= len(read(tmp_path / "client-1.pcap")) < 100


async def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"can't capture packets: .*file"):
        async with lab(capture=tmp_path / "file" / "folder"):
            pass


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
async def test_tcpdump_reads_it_and_finds_no_packet_damaged(tmp_path):
    async with lab(capture=tmp_path) as box:
        client, server = await box.pair()
        await exchange(client, server, b"?" * 5_000, b"!" * 5_000)
    for name in ("client-1", "proxy-front"):
        command = ["tcpdump", "-nn", "-v", "-r", "-"]
        with (tmp_path / f"{name}.pcap").open("rb") as file:
            told = await trio.run_process(command, stdin=file, capture_stdout=True)
        assert b"Flags [S]" in told.stdout
        assert b"(correct)" in told.stdout
        assert b"incorrect" not in told.stdout


SCENARIO = """\
scenario: captured
level: must
workload:
  - {phase: load, callers: 2, calls: 6}
expect: {errors: 0}
"""


def test_each_run_has_a_folder_by_its_scenarios_id(tmp_path):
    scenario = read_text(SCENARIO, file="mine.yaml", id="of/mine")
    for ordinal in (1, 2):
        result = run_scenario(scenario, fabric="netns", capture=tmp_path, ordinal=ordinal)
        assert result.verdict is Verdict.PASS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["of-mine", "of-mine-2"]
    assert len(idents(tmp_path / "of-mine" / "client-1.pcap")) > 20


def test_a_run_on_a_fabric_without_packets_is_refused(tmp_path):
    scenario = read_text(SCENARIO, file="mine.yaml")
    with pytest.raises(InputError, match="add --on netns"):
        run_scenario(scenario, fabric="loopback", capture=tmp_path)

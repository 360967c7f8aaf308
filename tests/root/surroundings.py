"""What a run on the netns fabric could leave behind or change: the host's network, processes.

As a program it kills so many runs and says what was left of each:

    python tests/root/surroundings.py 50
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

MARK = "CHAOS_TEST_MARK"
GONE_S = 15.0
"""What a killed run has started has ended by itself after so long, or never will."""
POLL_S = 0.02
SYSCTLS = ("/proc/sys/net/ipv4", "/proc/sys/net/ipv6", "/proc/sys/net/core")
LISTS = ("link", "address", "route show table all", "-6 route show table all", "rule", "-6 rule",
         "neighbour", "netns list")  # fmt: skip
PASSING = {"valid_life_time", "preferred_life_time", "expires", "age", "used", "confirmed",
           "updated", "probes", "state", "lladdr", "refcnt"}  # fmt: skip
"""What a network that nobody touches changes by itself."""

SCENARIO = """\
scenario: to-be-killed
level: must
proxy: {tls: TLS}
workload:
  - {phase: load, callers: 4, calls: 2000, every: 5ms, timeout: 2s}
faults:
  - {fault: blackhole, at: 300ms, for: 300ms}
  - {fault: latency, delay: 2ms}
  - {fault: bandwidth, rate: 10Mbit/s}
  - {fault: link_down, at: 900ms, for: 100ms}
  - {fault: port_exhaustion, ports: 50, at: 1200ms}
expect: {errors: {at_most: 2000}}
"""
WAYS = {
    "one process": [],
    "two at once": ["--jobs", "2", "--repeat", "4"],
    "a client's process": ["--client", "urllib3"],
    "a capture": ["--capture", "captures"],
}


def host_network() -> dict[str, str]:
    """The host's own network, word for word."""
    found = {}
    for name in LISTS:
        command = ["ip", *name.split()] if name == "netns list" else ["ip", "-j", *name.split()]
        found[name] = _settled(_output(command))
    if shutil.which("nft"):
        found["nft"] = _output(["nft", "list", "ruleset"])
    for root in map(Path, SYSCTLS):
        for path in sorted(root.rglob("*")):
            with suppress(OSError):
                if path.is_file() and path.stat().st_mode & 0o444:
                    found[str(path)] = path.read_text()
    found["mounts"] = Path("/proc/self/mountinfo").read_text()
    found["named"] = str(sorted(path.name for path in Path("/run").glob("netns/*")))
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    names = sorted(before.keys() | after.keys())
    return [f"{n}: {before.get(n)!r} is now {after.get(n)!r}" for n in names
            if before.get(n) != after.get(n)]  # fmt: skip


def processes_of(mark: str) -> list[str]:
    """Every process that was started by a run with this mark, however it was detached."""
    return [str(pid) for pid in _pids() if f"{MARK}={mark}".encode() in _bytes(pid, "environ")]


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _bytes(pid: int, name: str) -> bytes:
    try:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return b""
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _settled(text: str) -> str:
    """JSON without what passes; any other text as it is."""
    with suppress(ValueError):
        return json.dumps([{k: v for k, v in row.items() if k not in PASSING}
                           for row in json.loads(text)], sort_keys=True)  # fmt: skip
    return text


class Run:
    """A ``harness run --on netns`` of its own session, with temporary files of its own."""

    def __init__(
        self, folder: Path, *options: str, tls: str = "off", scenario: str = SCENARIO
    ) -> None:
        self.mark = uuid.uuid4().hex
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        file = folder / "killed.yaml"
        file.write_text(scenario.replace("TLS", tls))
        command = [sys.executable, "-m", "harness", "run", str(file)]
        self.process = subprocess.Popen(
            [*command, "--on", "netns", *options],
            cwd=folder,
            env={**os.environ, MARK: self.mark, "TMPDIR": str(self.temporary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill_after(self, seconds: float) -> bool:
        """Kill the harness alone, by SIGKILL; whether it was still running."""
        time.sleep(seconds)
        runs = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        return runs

    def stop(self, number: int) -> int:
        """Ask the harness to end, by a signal, and wait; its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """The exit code; ``said`` is then what it has printed."""
        self.said = self.process.communicate(timeout=60)[0].decode()
        return self.process.returncode

    def left(self, within_s: float = GONE_S) -> list[str]:
        """What is left once all that would end by itself has ended."""
        give_up = time.monotonic() + within_s
        while (found := self.living()) and time.monotonic() < give_up:
            time.sleep(POLL_S)
        left = [f"process {pid}: {_bytes(int(pid), 'cmdline')!r}" for pid in found]
        for pid in found:  # so that the next test has a clean start
            with suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
        return left + [f"file {path}" for path in sorted(self.temporary.rglob("*"))]

    def living(self) -> list[str]:
        """The processes of this run that live."""
        group = [str(pid) for pid in _pids() if self._is_of_session(pid)]
        return sorted({*processes_of(self.mark), *group})

    def _is_of_session(self, pid: int) -> bool:
        fields = _bytes(pid, "stat").rpartition(b")")[2].split()
        return len(fields) > 3 and int(fields[3]) == self.process.pid


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(times: int) -> int:
    """Kill so many runs at random moments of all their ways."""
    chance = random.Random(times)
    before, bad, running = host_network(), 0, 0
    for number in range(times):
        way = list(WAYS)[number % len(WAYS)]
        tls = "terminate" if number % 3 == 2 else "off"
        seconds = chance.uniform(0.2, 4.0)
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder), *WAYS[way], tls=tls)
            running += run.kill_after(seconds)
            left = run.left() + differences(before, host_network())
        bad += bool(left)
        _say(f"{number + 1}: {way}, tls {tls}, after {seconds:.2f} s: {left or 'nothing left'}")
    _say(f"{times} runs, {running} of them killed while they ran; something was left of {bad}")
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))

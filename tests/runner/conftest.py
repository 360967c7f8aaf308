"""Small scenarios and clients that misbehave, for tests of the runner."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from harness.scenario import read_text

MINI = """
scenario: mini
about: A few calls, one fault that fires for sure.
seed: 3
client: {pool: {size: 2}}
workload:
  - {phase: work, callers: 2, calls: 6, unsafe: 50%, timeout: 300ms}
faults: [{fault: latency, delay: 1ms}]
expect: {errors: 0, at_most_once: true, no_leaks: true, slots_conserved: true}
"""

CLIENT = """
import time
import trio
from harness.clients import Reply
from harness.clients.reference import ReferenceClient


class Mine(ReferenceClient):
"""


@pytest.fixture
def mini():
    return read_text(MINI, file="mini.yaml")


@pytest.fixture
def scenario():
    """Make a scenario of the mini one with other sections."""

    def make(**sections: str):
        lines = [line for line in MINI.splitlines() if line.partition(":")[0] not in sections]
        text = "\n".join(lines)
        if "workload" in sections:
            text = text.replace(
                "  - {phase: work, callers: 2, calls: 6, unsafe: 50%, timeout: 300ms}", ""
            )
        for key, value in sections.items():
            text += f"\n{key}: {value}\n"
        return read_text(text, file="mini.yaml")

    return make


@pytest.fixture
def client_file(tmp_path: Path):
    """Write a client that is the reference one but for these methods; its ``FILE:CLASS``."""

    def write(body: str, name: str = "mine.py") -> str:
        path = tmp_path / name
        indented = "\n".join("    " + line for line in dedent(body).strip().splitlines())
        path.write_text(CLIENT + indented + "\n")
        return f"{path}:Mine"

    return write

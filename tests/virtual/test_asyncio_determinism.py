"""The same story in every process, whatever the seed of its hashes."""

import os
import subprocess
import sys
from pathlib import Path

from talkers import ALL

import harness

STORY = Path(__file__).with_name("story.py")
PROCESSES = 3
LIMIT_S = 300


def tell(authority, hash_seed):
    root = str(Path(harness.__file__).parents[1])
    words = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": root}
    command = [sys.executable, str(STORY), str(authority.place)]
    done = subprocess.run(
        command, env=words, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_library_tells_the_same_story_in_every_process(authority):
    first, *others = [tell(authority, seed) for seed in range(PROCESSES)]
    for other in others:
        assert other.splitlines() == first.splitlines()
    for talker in ALL:
        for way in ("plain", "tls"):
            assert f"{talker.__name__} {way} " in first

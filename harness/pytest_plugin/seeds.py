"""The seed of a session: given, in the configuration, drawn, or nobody's choice."""

from __future__ import annotations

from random import SystemRandom

import pytest

import harness

DEFAULT_SEED = 0
"""That of proxies where no seed is given; scenarios have their own."""
RANDOM = "random"
RANDOM_LIMIT = 2**32

WORKER_INPUT = "chaos_seed"
"""Under this name pytest-xdist hands the seed to its workers."""

_SEED = pytest.StashKey["int | None"]()


def settle_seed(config: pytest.Config) -> None:
    """Read the seed, or draw it; a worker of pytest-xdist has that of its session.

    Raises UsageError if it is no number.
    """
    given = config.getoption("chaos_seed") or config.getini("chaos_seed")
    if given == RANDOM:
        given = str(SystemRandom().randrange(RANDOM_LIMIT))
    given = getattr(config, "workerinput", {}).get(WORKER_INPUT, given)
    try:
        config.stash[_SEED] = int(given) if given else None
    except ValueError:
        raise pytest.UsageError(
            f"--chaos-seed: {given!r} is no whole number; write 7, or {RANDOM}"
        ) from None


def hand_on(config: pytest.Config, worker_input: dict[str, object]) -> None:
    """Give a worker of pytest-xdist the seed of its session."""
    seed = config.stash[_SEED]
    worker_input[WORKER_INPUT] = "" if seed is None else str(seed)


def scenario_seed(config: pytest.Config) -> int | None:
    """The seed that overrides those of scenarios; None if none was given."""
    return config.stash[_SEED]


def proxy_seed(config: pytest.Config) -> int:
    """The seed of proxies."""
    seed = config.stash[_SEED]
    return DEFAULT_SEED if seed is None else seed


def told(config: pytest.Config) -> str:
    """What a session says of it."""
    seed = config.stash[_SEED]
    if seed is None:
        return f"chaos-harness: {harness.__version__}, seed {DEFAULT_SEED}; scenarios: their own"
    return f"chaos-harness: {harness.__version__}, --chaos-seed {seed}"

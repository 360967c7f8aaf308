"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from harness.runner.executors import PROCESS

F = TypeVar("F", bound=Callable[..., Any])


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def client_option(command: F) -> F:
    """``--client NAME|FILE:CLASS``."""
    return click.option(
        "--client",
        default="reference",
        show_default=True,
        metavar="NAME|FILE:CLASS",
        help="Who is tested: a name of `harness list clients`, or a class of your own.",
    )(command)


def seed_option(command: F) -> F:
    """``--seed N``."""
    return click.option(
        "--seed", type=int, metavar="N", help="Every random decision comes from it."
    )(command)


def jobs_option(command: F) -> F:
    """``--jobs N``: None stands for ``cores()``."""
    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Run so many at once.  [default: the number of cores]",
    )(command)


def json_option(command: F) -> F:
    """``--json F``."""
    return click.option(
        "--json",
        "json_file",
        metavar="F",
        help="Also write everything as JSON to this file; - is standard output.",
    )(command)


def executor_option(command: F) -> F:
    """``--executor NAME``."""
    return click.option(
        "--executor",
        default=PROCESS,
        show_default=True,
        metavar="NAME[:ADDRESS]",
        help="Who carries runs out: process (this machine), dask:ADDRESS (its scheduler), or "
        "MODULE:FACTORY[:ADDRESS] for another engine: the factory gets the address and returns "
        "a concurrent.futures.Executor. A FILE:CLASS client must be at that path on every worker.",
    )(command)


def strict_option(command: F) -> F:
    """``--strict``."""
    return click.option(
        "--strict", is_flag=True, help="Scenarios of level should count as well; info never does."
    )(command)

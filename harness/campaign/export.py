"""Writing a failure down, so that it can be run, judged and replayed by anybody."""

from __future__ import annotations

from pathlib import Path

from harness.campaign.minimise import Minimal, as_kept
from harness.campaign.story import story
from harness.campaign.target import telling
from harness.errors import InputError, Problem
from harness.result import RunResult
from harness.runner import kept

STORY = "story.txt"


def export(minimal: Minimal, folder: Path) -> RunResult:
    """The run, its scenario now at ``folder/<id>-<seed>/scenario.yaml``; raises InputError.

    Beside it are its history, what it ran with, and the story: the layout of a kept run.
    """
    place = folder / f"{minimal.result.scenario.id.replace('/', '-')}-{minimal.seed}"
    result = as_kept(minimal, str(place / kept.SCENARIO))
    kept.write(result, place)
    text = "".join(f"{line}\n" for line in lines(minimal))
    try:
        (place / STORY).write_text(text, encoding="utf-8")
    except OSError as error:
        problem = Problem(f"can't be written: {error.strerror}", "use another --out", str(place))
        raise InputError(problem) from error
    return result


def lines(minimal: Minimal) -> list[str]:
    """The story of the failure."""
    finding = telling(minimal.result, minimal.target.check)
    return [] if finding is None else story(minimal.result.history, finding)

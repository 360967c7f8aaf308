"""Running scenarios and judging what happened."""

from harness.result import Progress, RunResult
from harness.runner.jobs import RunOptions, run_all
from harness.runner.run import environment, judge, run_scenario
from harness.runner.stage import Interrupted

__all__ = [
    "Interrupted",
    "Progress",
    "RunOptions",
    "RunResult",
    "environment",
    "judge",
    "run_all",
    "run_scenario",
]

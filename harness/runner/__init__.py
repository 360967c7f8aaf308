"""Running scenarios and judging what happened."""

from harness.result import Progress, RunResult
from harness.runner.executors import check_executor, completed, open_executor
from harness.runner.fabrics import capture_problem
from harness.runner.jobs import RunOptions, run_all, spread
from harness.runner.oversight import Interrupted
from harness.runner.run import environment, judge, must_be_confined, run_scenario

__all__ = [
    "Interrupted",
    "Progress",
    "RunOptions",
    "RunResult",
    "capture_problem",
    "check_executor",
    "completed",
    "environment",
    "judge",
    "must_be_confined",
    "open_executor",
    "run_all",
    "run_scenario",
    "spread",
]

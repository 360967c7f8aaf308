"""Running scenarios and judging what happened."""

from harness.result import Progress, RunResult
from harness.runner.executors import check_executor, completed, open_executor
from harness.runner.fabrics import FABRICS
from harness.runner.jobs import RunOptions, run_all
from harness.runner.oversight import Interrupted
from harness.runner.run import environment, judge, run_scenario

__all__ = [
    "FABRICS",
    "Interrupted",
    "Progress",
    "RunOptions",
    "RunResult",
    "check_executor",
    "completed",
    "environment",
    "judge",
    "open_executor",
    "run_all",
    "run_scenario",
]

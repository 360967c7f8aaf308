"""What the harness itself costs on this machine, beside a direct connection and other proxies."""

from harness.bench.figures import BenchReport, to_json
from harness.bench.measure import run_bench
from harness.bench.table import render

__all__ = ["BenchReport", "render", "run_bench", "to_json"]

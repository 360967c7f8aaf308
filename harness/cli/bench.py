"""``harness bench``."""

from __future__ import annotations

import click

from harness.bench import render, run_bench, to_json
from harness.campaign.pace import measure_pace, pace_lines, pace_to_json
from harness.cli.choosing import settle
from harness.cli.options import json_option
from harness.cli.output import STDOUT, json_problems, write_json
from harness.cli.screen import Screen, screen
from harness.cli.teaching import Taught


@click.command("bench", cls=Taught)
@click.option("--quick", is_flag=True, help="One short round instead of five: a first impression.")
@click.option(
    "--on",
    "fabric",
    type=click.Choice(("loopback", "virtual")),
    default="loopback",
    show_default=True,
    help="Measure the proxy on real sockets, or how fast virtual time is.",
)
@json_option
def bench_command(quick: bool, fabric: str, json_file: str | None) -> None:
    """What the harness itself costs here, beside a direct connection and other proxies.

    Measures the proxy with no fault at work, with latency and with TLS, beside no proxy at all,
    and beside HAProxy and socat where they are installed. With --on virtual: how much simulated
    time passes in a second, how many small runs a second one core makes, and what two jobs add.
    Leave the machine alone meanwhile.

    Examples:
      harness bench --quick
      harness bench --json bench.json
      harness bench --on virtual

    Exit codes:
      0  here are the figures
      3  a mistake in an option
      4  set-up failed
    """
    settle(json_problems(json_file))
    shown = screen(err=json_file == STDOUT)
    measured = _Measured(screen(err=True))
    rounds, seconds = (1, 0.3) if quick else (5, 1.0)
    if fabric == "virtual":
        try:
            pace = measure_pace(rounds=rounds, seconds=seconds, on_progress=measured.on_progress)
        finally:
            measured.end()
        shown.show("\n".join(pace_lines(pace)) + "\n")
        write_json(pace_to_json(pace), json_file)
        return
    try:
        report = run_bench(
            rounds=rounds, seconds_per_measure=seconds, on_progress=measured.on_progress
        )
    finally:
        measured.end()
    shown.show(render(report))
    write_json(to_json(report), json_file)


class _Measured:
    """What is measured now: one line that is drawn anew, and only for a person who waits."""

    def __init__(self, shown: Screen) -> None:
        self._shown = shown

    def on_progress(self, what: str) -> None:
        if self._shown.live:
            self._shown.show(f"\r\x1b[2K{what}")

    def end(self) -> None:
        if self._shown.live:
            self._shown.show("\r\x1b[2K")

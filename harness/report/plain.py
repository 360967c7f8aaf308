"""One run as one line for pipes: the verdict, the id, then ``key=value`` for grep and awk."""

from __future__ import annotations

from collections.abc import Iterable

from harness.history import RecoveryProbed
from harness.report.drawing import padded, printable
from harness.result import RunResult
from harness.units import format_duration


def plain_line(result: RunResult, rounds: int = 1) -> str:
    """``pass     idle/fin/race  calls=240 errors=0 …``: the same fields in the same order."""
    fields = {
        "calls": result.calls,
        "errors": result.errors,
        "opened": result.connections_opened,
        "recovery": recovery_text(result),
        "took": format_duration(result.took_s),
        "level": result.scenario.level,
        "client": result.client,
        "seed": result.seed,
        "round": f"{result.round}/{max(rounds, result.round)}",
    }
    told = " ".join(f"{name}={printable(str(value))}" for name, value in fields.items())
    line = f"{padded(result.verdict.value, 7)}  {printable(result.scenario.id)}  {told}"
    if result.setup_error:
        return f"{line}  set-up failed: {printable(result.setup_error)}"
    return f"{line}  {not_supported(result.unsupported)}" if result.unsupported else line


def not_supported(words: Iterable[str]) -> str:
    """``not supported: pre_ping, recycle``: why nothing ran, in the words of the contract."""
    return f"not supported: {printable(', '.join(words))}"


def recovery_text(result: RunResult) -> str:
    """``12ms``; ``never`` if no round of probes went well for good; ``-`` if none was made."""
    if result.recovery_s is not None:
        return format_duration(result.recovery_s)
    return "never" if result.history.first(RecoveryProbed) else "-"

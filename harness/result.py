"""What a run came to: pure values, made by the runner and drawn by ``report``."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile

from harness.checks import Finding, Verdict, worst
from harness.choice import ClientChoice
from harness.history import (
    CallFailed,
    CallInvoked,
    CallUnknown,
    ConnectionOpened,
    FaultFired,
    Healed,
    History,
    RecoveryProbed,
)
from harness.scenario.model import Scenario

HARNESS_ENDS = frozenset({"cancelled", "abandoned"})
"""Kinds of failed calls that the harness itself asked for; they are no errors of the client."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come; sent now and then while it goes on."""

    scenario: str
    phase: str = ""
    calls: int = 0
    failed: int = 0
    fired: int = 0
    round: int = 1


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run of one scenario: its verdict, what led to it, and how to repeat it.

    ``repeat`` is the command that repeats it where ``harness run`` alone can't. ``unsupported``
    is what the scenario needs and the client hasn't got: then nothing ran.
    """

    scenario: Scenario
    choice: ClientChoice
    seed: int
    fabric: str
    history: History
    findings: tuple[Finding, ...]
    took_s: float
    round: int = 1
    setup_error: str = ""
    unsupported: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    repeat: str = ""

    @property
    def client(self) -> str:
        """What a report calls the client."""
        return self.choice.label

    @property
    def verdict(self) -> Verdict:
        """The worst finding; what couldn't be set up, or be made with this client, is unknown."""
        if self.setup_error or self.unsupported:
            return Verdict.UNKNOWN
        return worst(finding.verdict for finding in self.findings)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that are not ``pass``, worst first."""
        bad = [finding for finding in self.findings if finding.verdict is not Verdict.PASS]
        return tuple(sorted(bad, key=lambda finding: finding.verdict is not Verdict.FAIL))

    @property
    def calls(self) -> int:
        """Calls of the workload; probes of the recovery are not among them."""
        return len(self.history.of(CallInvoked)) - sum(
            event.calls for _, event in self.history.of(RecoveryProbed)
        )

    @property
    def errors(self) -> int:
        """Calls that failed before the faults were healed, but for those the harness cut off."""
        return sum(
            isinstance(event, CallFailed | CallUnknown) and event.kind not in HARNESS_ENDS
            for event in takewhile(lambda event: not isinstance(event, Healed), self.history.events)
        )

    @property
    def fired(self) -> int:
        """How often faults struck."""
        return len(self.history.of(FaultFired))

    @property
    def connections_opened(self) -> int:
        """Connections that reached the proxy, recovery included."""
        return len(self.history.of(ConnectionOpened))

    @property
    def recovery_s(self) -> float | None:
        """From healing to the end of the first round of probes that all succeeded, for good."""
        healed = self.history.first(Healed)
        since: float | None = None
        for _, probe in self.history.of(RecoveryProbed):
            if probe.together:
                continue
            if probe.ok < probe.calls:
                since = None
            elif since is None:
                since = probe.at_s
        return None if since is None or healed is None else since - healed.at_s

    def command(self) -> str:
        """The exact command that repeats it."""
        if self.repeat:
            return self.repeat
        fabric = "" if self.fabric == self.scenario.home else f" --on {self.fabric}"
        name = self.scenario.file or self.scenario.base_id
        value = self.scenario.value.rpartition("=")[2]
        chosen = f" --value {value}" if value else ""
        return f"harness run {name}{self.choice.options}{fabric} --seed {self.seed}{chosen}"

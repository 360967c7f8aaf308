"""Histories told in a few words: what an event says when a test doesn't care is filled in."""

from __future__ import annotations

from typing import Any

import pytest

from harness import history as ev
from harness.checks import Finding, Verdict

DEFAULTS: dict[type[ev.Event], dict[str, Any]] = {
    ev.RunStarted: {
        "scenario": "x",
        "seed": 0,
        "client": "fake",
        "fabric": "virtual",
        "pool_size": 2,
        "pool_max_overflow": 0,
        "pool_timeout_s": 1.0,
    },
    ev.RecoveryProbed: {"round": 1},
    ev.Leaked: {"what": "sockets", "count": 1},
    ev.CallInvoked: {"caller": 0, "phase": "work", "unsafe": False, "expected_bytes": 10},
    ev.CallOk: {"took_s": 0.1, "reply_bytes": 10, "expected_bytes": 10},
    ev.CallFailed: {"took_s": 0.1, "kind": "reset", "message": "connection reset by peer"},
    ev.CallUnknown: {"took_s": 0.1, "kind": "timeout", "message": "no reply within 1s"},
    ev.CallCancelled: {"after_s": 0.1},
    ev.ClientFailed: {"kind": "other", "message": "it broke"},
    ev.ClientOpened: {"took_s": 0.1},
    ev.ClientClosed: {"took_s": 0.1},
    ev.TlsFailed: {"reason": "reset"},
    ev.DialFailed: {"backend": "blue", "reason": "refused"},
    ev.ClientEndClosed: {"how": "fin"},
    ev.ConnectionClosed: {"by": "client", "how": "fin"},
    ev.FaultArmed: {"fault": "reset"},
    ev.FaultFired: {"index": 0, "fault": "reset"},
    ev.BackendRetired: {"backend": "blue", "successor": "green", "drain": False},
    ev.Executed: {"backend": "blue", "unsafe": False},
    ev.DirtyCheckout: {"backend": "blue"},
    ev.Dialed: {"outcome": "ok", "took_s": 0.0},
}


class Story:
    """A history under construction."""

    def __init__(self) -> None:
        self.history = ev.History()

    def tell(self, told: type[ev.Event], at_s: float = 0.0, /, **values: Any) -> int:
        """Add an event and get its id."""
        if told is ev.CallOk:
            values.setdefault("reply_nonce", values["nonce"])
        return self.history.add(told(at_s=at_s, **(DEFAULTS.get(told, {}) | values)))

    def call(
        self, nonce: str, at_s: float = 0.0, *, runs: int = 1, took_s: float = 0.1, **asked: Any
    ) -> list[int]:
        """A call that ends well, and how often it ran; the ids of its events in order."""
        ran: dict[str, Any] = {"nonce": nonce, "unsafe": asked.get("unsafe", False)}
        return [
            self.tell(ev.CallInvoked, at_s, nonce=nonce, **asked),
            *(self.tell(ev.Executed, at_s + took_s / 2, **ran) for _ in range(runs)),
            self.tell(ev.CallOk, at_s + took_s, nonce=nonce, took_s=took_s),
        ]

    def ends(self, at_s: float = 100.0, **values: Any) -> int:
        """The run is over."""
        return self.tell(ev.RunEnded, at_s, **values)

    def judge(self, check: Any, verdict: str, *evidence: int, saying: str = "") -> Finding:
        """Judge the history so far and compare with what should be found."""
        found = check.judge(self.history)
        assert found.verdict == Verdict(verdict), found
        if evidence:
            assert found.evidence == evidence, found
        assert saying in found.actual, found
        return found


@pytest.fixture
def story() -> Story:
    return Story()

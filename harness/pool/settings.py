"""The bounds of a pool, in SQLAlchemy's words where it has one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite

_COUNTS_FROM = {"size": 1, "max_overflow": 0, "min_idle": 0, "max_waiters": 0}
_MAY_BE_ZERO = frozenset({"bypass_window_s", "backoff_base_s", "backoff_cap_s", "grace_s"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """Every bound a pool keeps. Times are in seconds; ``None`` switches the feature off.

    Raises ``ValueError``, which says what would be right, for a bound that makes no sense.
    """

    size: int = 5
    """Connections kept open between uses."""
    max_overflow: int = 10
    """Further connections opened while all are busy, closed when nobody waits for them."""
    timeout_s: float = 30.0
    """What a caller waits altogether: in the queue, for a connect and for a ping."""
    recycle_s: float | None = None
    """A connection older than this is never handed out."""
    idle_timeout_s: float | None = None
    """A connection unused for longer than this is closed, and never handed out."""
    pre_ping: bool = False
    """Whether a connection must answer a ping before it is handed out."""
    bypass_window_s: float = 0.5
    """A connection known to be alive this recently is handed out without a ping."""
    min_idle: int = 0
    """Idle connections that are kept ready in the background; at most ``size``."""
    connect_timeout_s: float = 5.0
    """The limit of one connect attempt, with its TLS handshake."""
    ping_timeout_s: float = 1.0
    """The limit of one check before a hand-out, with its ping."""
    close_timeout_s: float = 1.0
    """How long a polite close may take before the connection is dropped."""
    grace_s: float = 5.0
    """How long connections in use may finish when the pool is closed."""
    backoff_base_s: float = 0.05
    """The upper limit of the pause after the first failed connect; it doubles from there."""
    backoff_cap_s: float = 2.0
    """The upper limit of every such pause."""
    max_waiters: int = 10_000
    """Callers that may queue; one more is refused at once."""

    def __post_init__(self) -> None:
        for field in fields(self):
            self._check(field.name, getattr(self, field.name))
        if self.min_idle > self.size:
            raise ValueError(f"min_idle is {self.min_idle}; at most size ({self.size}) can be kept")
        if self.backoff_cap_s < self.backoff_base_s:
            raise ValueError(
                f"backoff_cap_s is {self.backoff_cap_s}; it must be at least "
                f"backoff_base_s ({self.backoff_base_s})"
            )

    @property
    def limit(self) -> int:
        """Connections that may exist at any moment: open, being opened or being closed."""
        return self.size + self.max_overflow

    @staticmethod
    def _check(name: str, value: float | None) -> None:
        if value is None or isinstance(value, bool):
            return
        if name in _COUNTS_FROM and (not isinstance(value, int) or value < _COUNTS_FROM[name]):
            raise ValueError(f"{name} is {value}; use a whole number from {_COUNTS_FROM[name]}")
        if not isfinite(value) or value < 0:
            raise ValueError(f"{name} is {value}; use seconds from 0")
        if value == 0 and name.endswith("_s") and name not in _MAY_BE_ZERO:
            raise ValueError(f"{name} is 0; use more than 0 seconds")

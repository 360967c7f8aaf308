"""A proxy and its faults as a test holds them."""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from harness.errors import HarnessError, InputError, Problem
from harness.marking import file_prefix
from harness.serve.facts import ConnectionFacts, Ledger, many
from harness.serve.words import FaultWords, When

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")

WAIT_S = 5.0
"""How long waits last unless told otherwise."""
POLL_S = 0.005
EVENTS_KEPT = 20_000
"""``proxy.events`` keeps so many; older ones are dropped."""
SHOWN_CONNECTIONS = 20
"""A message tells of so many connections, the latest."""


class NeverFired(HarnessError, AssertionError):  # noqa: N818 - states what did not happen
    """A fault was healed and had never struck, so what was tested was not what was meant."""


class NotInTime(HarnessError, AssertionError):  # noqa: N818 - states what did not happen
    """What was waited for had not come about at the end of the wait."""


class Process(Protocol):
    """Who carries requests to the process that has the proxy."""

    def ask(self, do: str, **words: Any) -> dict[str, Any]:
        """The reply to a request."""


class ServedProxy:
    """A proxy that serves in another process; a context manager that closes it.

    Whatever it tells is asked for at that moment, which takes about a millisecond. A socket that
    was closed just now may not have reached the proxy yet: wait for what should follow, with
    ``wait_until``. Waits block their thread. In a test on asyncio or trio let the loop run on:
    ``while not fault.fired: await sleep(0.01)``.
    """

    def __init__(
        self,
        process: Process,
        opened: Mapping[str, Any],
        *,
        tls: str,
        seed: int,
        folder: Path | None = None,
    ) -> None:
        self.host: str = opened["host"]
        self.port: int = opened["port"]
        self.ca_pem: str = opened["ca_pem"]
        self.tls = tls
        self.seed = seed
        self.is_closed = False
        self.dropped_events = 0
        self.faults: list[ArmedFault] = []
        self._process = process
        self._number: int = opened["proxy"]
        self._folder = folder
        self._ca_file: str | None = None
        self._ledger = Ledger()
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS_KEPT)
        self._seen = 0
        self._last: dict[str, Any] = {"opened": 0, "open_now": 0, "fired": {}}

    # --- where it is ------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """``127.0.0.1:40123``."""
        return f"{self.host}:{self.port}"

    def url(self, scheme: str = "", path: str = "") -> str:
        """``http://127.0.0.1:40123``, or https where there is TLS; any other scheme as given."""
        scheme = scheme or ("http" if self.tls == "off" else "https")
        return f"{scheme}://{self.address}{path}"

    def ssl_context(self) -> ssl.SSLContext:
        """A client's context that trusts this proxy's certificate and no other.

        Raises InputError if the proxy doesn't terminate TLS.
        """
        import ssl  # noqa: PLC0415 - the pytest plugin is loaded in every run of anybody's tests

        return ssl.create_default_context(cadata=self._certificate())

    @property
    def ca_file(self) -> str:
        """The path of a file with the certificate to trust, which goes when the proxy is closed.

        Its key never leaves the proxy's memory. Raises InputError without TLS termination.
        """
        if self._ca_file is None:
            certificate = self._certificate()
            handle, self._ca_file = tempfile.mkstemp(
                ".pem", file_prefix("chaos-ca"), self._folder, text=True
            )
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(certificate)
        return self._ca_file

    def _certificate(self) -> str:
        if not self.ca_pem:
            message = f"this proxy has no certificate: its tls is {self.tls}"
            raise InputError(Problem(message, "open it with tls='terminate'"))
        return self.ca_pem

    # --- faults -----------------------------------------------------------------------------

    def fault(
        self,
        fault: FaultWords | str | Mapping[str, Any],
        *,
        when: When | Mapping[str, Any] | None = None,
        may_miss: bool = False,
        **words: Any,
    ) -> ArmedFault:
        """A fault at work from now on: ``with proxy.fault(Reset(), when=Idle(2)) as fault:``.

        It is healed when the block ends; then NeverFired is raised if it never struck, unless
        ``may_miss``, or the block failed by itself. Instead of ``Reset()`` its word does,
        ``"reset"``, and instead of ``Idle(2)`` a mapping, ``{"idle": "2s"}``. Further words are
        those of a scenario: ``direction``, ``side``, ``times``, ``once``, what the fault takes.
        Raises InputError with every mistake.
        """
        conditions = dict(when.words if isinstance(when, When) else when or {})
        if isinstance(fault, FaultWords):
            entry = fault.entry
        else:
            entry = {"fault": fault} if isinstance(fault, str) else dict(fault)
        entry = entry | words | ({"when": conditions} if conditions else {})
        number = self._ask("arm", fault=entry)["fault"]
        armed = ArmedFault(self, number, entry, may_miss=may_miss)
        self.faults.append(armed)
        return armed

    def refuse(self) -> ArmedFault:
        """The port shut: who connects is refused, live connections stay.

        Shutting it counts as striking, because who is refused never reaches the proxy.
        """
        return self.fault("refuse")

    def heal_all(self) -> None:
        """Take every fault away; what was ended stays ended."""
        self._ask("heal")

    def phase(self, name: str) -> None:
        """Begin a phase, for faults that say ``During(name)``."""
        self._ask("phase", name=name)

    # --- what is known ----------------------------------------------------------------------

    @property
    def connections(self) -> list[ConnectionFacts]:
        """What is known of each connection, in the order of accepting."""
        self.look()
        return list(self._ledger.connections.values())

    @property
    def opened(self) -> int:
        """How many connections were accepted."""
        return int(self.look()["opened"])

    @property
    def open_now(self) -> int:
        """How many connections are open."""
        return int(self.look()["open_now"])

    @property
    def reused(self) -> int:
        """How many connections carried more than one exchange."""
        return sum(facts.reused for facts in self.connections)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What the proxy saw and did, in order: ``{"type": "ConnectionOpened", "at_s": ...}``."""
        self.look()
        return list(self._events)

    def look(self) -> dict[str, Any]:
        """The latest counts; everything that is known is brought up to date."""
        more = not self.is_closed
        while more:
            more = self._take_in(self._ask("look", after=self._seen))
        return self._last

    def _take_in(self, news: dict[str, Any]) -> bool:
        """Take in what a look brought; whether more is there."""
        self._seen = news["next"]
        self.dropped_events += news["dropped"]
        self._events.extend(news["events"])
        self._ledger.fold(news["events"], news["live"])
        self._last = news
        return bool(news["more"])

    def fired(self, number: int) -> int:
        """How often a fault has struck, by its number."""
        return int(self.look()["fired"].get(str(number), 0))

    def wait_until(self, condition: Callable[[ServedProxy], T], timeout_s: float = WAIT_S) -> T:
        """What the condition gives once it is true: ``proxy.wait_until(lambda p: p.opened)``.

        Raises NotInTime, saying what there is instead.
        """
        __tracebackhide__ = True  # pytest then shows the test's own line
        deadline = time.monotonic() + timeout_s
        while not (found := condition(self)):
            if time.monotonic() >= deadline:
                raise NotInTime(f"not so within {timeout_s:g} s; {self.summary()}")
            time.sleep(POLL_S)
        return found

    def summary(self) -> str:
        """Its faults and its latest connections, a line each."""
        connections = self.connections
        head = f"proxy {self.address}: {many(self._last['opened'], 'connection')} opened"
        faults = [f"  {fault}" for fault in self.faults]
        lines = [f"  {facts}" for facts in connections[-SHOWN_CONNECTIONS:]]
        return "\n".join([f"{head}, {self._last['open_now']} open now", *faults, *lines])

    # --- its end ----------------------------------------------------------------------------

    def close(self) -> None:
        """Close it and every connection through it; what is known stays. Harmless twice."""
        if self.is_closed:
            return
        try:
            self.look()
            self._take_in(self._ask("close", after=self._seen))
        finally:
            self.is_closed = True
            if self._ca_file is not None:
                Path(self._ca_file).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<proxy {self.address}{', closed' if self.is_closed else ''}>"

    def _ask(self, do: str, **words: Any) -> dict[str, Any]:
        if self.is_closed:
            raise InputError(Problem(f"{self!r} can't {do} any more", "open another one"))
        return self._process.ask(do, proxy=self._number, **words)

    def ask_heal(self, number: int) -> int:
        """Heal a fault; how often it has struck."""
        return int(self._ask("heal", fault=number)["fired"].get(str(number), 0))


class ArmedFault:
    """A fault at work; a context manager that heals it."""

    def __init__(
        self, proxy: ServedProxy, number: int, entry: Mapping[str, Any], *, may_miss: bool
    ) -> None:
        self.entry = dict(entry)
        self.may_miss = may_miss
        self._proxy = proxy
        self._number = number
        self._final: int | None = None

    @property
    def fired(self) -> int:
        """How often it has struck so far."""
        return self._proxy.fired(self._number) if self._final is None else self._final

    def wait_fired(self, timeout_s: float = WAIT_S, times: int = 1) -> int:
        """How often it has struck, once that is so often. Raises NotInTime."""
        __tracebackhide__ = True
        self._proxy.wait_until(lambda _: self.fired >= times, timeout_s)
        return self.fired

    def heal(self) -> int:
        """Take it away: what it held goes on, what it ended stays ended. How often it struck."""
        if self._final is None:
            closed = self._proxy.is_closed
            self._final = self.fired if closed else self._proxy.ask_heal(self._number)
        return self._final

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True  # pytest then shows the test's own line
        if not self.heal() and not self.may_miss and kind is None:
            what = f"the fault {self._described()} never fired, so nothing was tested"
            hint = "say may_miss=True if that is all right"
            raise NeverFired(f"{what}; {hint}\n{self._proxy.summary()}")

    def _described(self) -> str:
        words = {word: value for word, value in self.entry.items() if word != "fault"}
        told = ", ".join(f"{word}: {value}" for word, value in words.items())
        return f"{self.entry['fault']}{f' ({told})' if told else ''}"

    def __repr__(self) -> str:
        state = "at work" if self._final is None else "healed"
        return f"<fault {self._described()}, {state}, fired {many(self.fired, 'time')}>"

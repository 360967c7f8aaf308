"""A reply before the request has been read to its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import DirectionWord
from harness.faults._replies import Replies
from harness.timeline import Data, Fin, Item, Reset
from harness.units import YAML_CONFIG

EndWord: TypeAlias = Literal["close", "reset", "linger", "stay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyResponse:
    """Answers before the request has arrived whole, as a server does that has seen enough of it.

    An upload that is too large or that nobody is allowed to make is answered with a status and
    ``Connection: close`` while it is still being sent (RFC 9112 section 9.5). Then the server
    closes: what is still sent is answered by RST. With ``reset`` it resets at once; with
    ``linger`` it sends FIN and reads on for as long as the client sends (section 9.6). A client
    that looks only at its failed write never learns what the server said. With ``stay`` nothing
    is said of closing, and the rest of the upload is read: a client that stops sending it must
    close (section 9.3), or its next request is taken for the rest of this one.
    """

    NAME: ClassVar[str] = "early_response"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: early_response, when: {request: every 4, byte: 20000}}",
        "{fault: early_response, status: 503, then: reset, when: {request: 2}}",
    )
    DIRECTION: ClassVar[DirectionWord] = "downstream"
    ALTERS: ClassVar[bool] = True
    WHOLE_CONNECTION: ClassVar[bool] = True
    PROTOCOL: ClassVar[str] = "http"
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    status: Annotated[int, Field(ge=400, le=599, description="what it answers")] = 413
    then: Annotated[
        EndWord,
        Field(description="the end of the connection: at once, by RST, FIN but reading on, none"),
    ] = "close"

    def stage(self, context: StageContext, shared: object) -> EarlyResponseStage:  # noqa: ARG002 - the contract's arguments
        """Answers at once, then lets nothing more through."""
        return EarlyResponseStage(_reply(self.status, self.then), self.then, context.now)


def _reply(status: int, then: EndWord) -> bytes:
    phrase = next((known.phrase for known in HTTPStatus if known == status), "Refused")
    farewell = "" if then == "stay" else "Connection: close\r\n"
    return f"HTTP/1.1 {status} {phrase}\r\n{farewell}Content-Length: 0\r\n\r\n".encode("ascii")


@dataclass(slots=True)
class EarlyResponseStage:
    """Sends ``reply`` and the end; the server's own reply to that request is for nobody."""

    reply: bytes
    then: EndWord
    begun_at: float
    _done: bool = False
    _own: Replies | None = None

    def feed(self, item: Item) -> Iterator[Item]:
        """The reply and the end, if they haven't left yet; later replies, where there are any."""
        if not self._done:
            yield from self.expire(item.due)
        if self.then != "stay":
            return
        if isinstance(item, Data) and self._own is not None:
            item = self._without_own(item, self._own)
        if not isinstance(item, Data) or item.payload:
            yield item

    def _without_own(self, item: Data, own: Replies) -> Data:
        """What stands behind the server's own reply."""
        rest, is_whole = item.payload, False
        while rest and not is_whole:
            _, rest, is_whole = own.take(rest)
        if is_whole:
            self._own = None
        return Data(item.due, rest, item.place.after(len(item.payload) - len(rest)))

    def deadline(self) -> float | None:
        """At once, once."""
        return None if self._done else self.begun_at

    def expire(self, now: float) -> tuple[Item, ...]:
        """The reply, and how the connection ends."""
        self._done = True
        early = Data(now, self.reply)
        match self.then:
            case "stay":
                self._own = Replies(b"", b"")
                return (early,)
            case "reset":
                return (early, Reset(now))
            case _:
                return (early, Fin(now, full=self.then == "close"))

    def heal(self, now: float) -> tuple[Item, ...]:  # noqa: ARG002 - the contract's argument
        """Nothing was held."""
        return ()

"""Bytes that nobody has sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.connection import StageContext
from harness.faults._base import DirectionWord
from harness.timeline import Data, Item, Place
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """Sends ``text`` as if the far end had: on an idle connection, bytes that nobody asked for.

    Servers do so: a 408 as they give up an idle connection (RFC 9110 section 15.5.9), a reply
    sent twice, a log line on the wrong descriptor. Whoever takes such bytes for the next reply
    hands every caller the reply of the one before. Once for each connection it fires on.
    """

    NAME: ClassVar[str] = "insert"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        '{fault: insert, text: "junk", when: {idle: 100ms}}',
        '{fault: insert, text: "HTTP/1.1 408 Request Timeout\\r\\n\\r\\n", when: {idle: 2s}}',
    )
    DIRECTION: ClassVar[DirectionWord] = "downstream"
    ALTERS: ClassVar[bool] = True
    WHOLE_CONNECTION: ClassVar[bool] = True
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    text: Annotated[str, Field(min_length=1, description="the bytes, in UTF-8")]

    def stage(self, context: StageContext, shared: object) -> InsertStage:  # noqa: ARG002 - the contract's arguments
        """Sends the text at once."""
        return InsertStage(self.text.encode(), context.now)


@dataclass(slots=True)
class InsertStage:
    """Sends ``payload`` before anything else, then lets everything through."""

    payload: bytes
    begun_at: float
    _done: bool = False

    def feed(self, item: Item) -> Iterator[Item]:
        """The item, behind the text if that hasn't left yet."""
        if not self._done:
            self._done = True
            place = item.place if isinstance(item, Data) else Place()
            yield Data(item.due, self.payload, place)
        yield item

    def deadline(self) -> float | None:
        """At once, once."""
        return None if self._done else self.begun_at

    def expire(self, now: float) -> tuple[Item, ...]:
        """The text."""
        self._done = True
        return (Data(now, self.payload),)

    def heal(self, now: float) -> tuple[Item, ...]:  # noqa: ARG002 - the contract's argument
        """Nothing was held."""
        return ()

"""What travels on a connection, and what a fault may do with it: items and the stage contract.

A direction of a connection is a sequence of items: ``Data``, then at most one ``Fin`` or
``Reset``. Each carries ``due``, the instant at which it may leave towards the other end. A fault
at work on one direction is a *stage*: items go in, items come out, some of them later. Stages
never sleep and never see a socket; the proxy's shell asks for deadlines and performs what is due.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from random import Random
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from harness.remembering import Remembering


class Direction(StrEnum):
    """Which way bytes travel: ``upstream`` is towards the server."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"

    @cached_property
    def opposite(self) -> Direction:
        """The other way."""
        return Direction.DOWNSTREAM if self is Direction.UPSTREAM else Direction.UPSTREAM

    @cached_property
    def sink(self) -> Side:
        """The end that receives what travels this way."""
        return Side.BACKEND if self is Direction.UPSTREAM else Side.CLIENT

    @cached_property
    def source(self) -> Side:
        """The end that sent what travels this way."""
        return self.opposite.sink


class Side(StrEnum):
    """One end of a proxied connection."""

    CLIENT = "client"
    BACKEND = "backend"

    @cached_property
    def inbound(self) -> Direction:
        """The direction that brings bytes to this end."""
        return Direction.DOWNSTREAM if self is Side.CLIENT else Direction.UPSTREAM


class Place(NamedTuple):
    """Where in a conversation a byte stands.

    ``exchange`` counts from 1 and is found from turn-taking: bytes upstream after bytes
    downstream begin a new one. ``message_byte`` is the offset in this request or response,
    ``stream_byte`` the offset in this direction of the connection.
    """

    exchange: int = 1
    message_byte: int = 0
    stream_byte: int = 0

    def after(self, count_bytes: int) -> Place:
        """The place that many bytes further in the same message."""
        return Place(self.exchange, self.message_byte + count_bytes, self.stream_byte + count_bytes)


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes that may leave at ``due``."""

    due: float
    payload: bytes
    place: Place = Place()

    def split(self, offset: int) -> tuple[Data, Data]:
        """The first ``offset`` bytes and the rest, each knowing its place."""
        return (
            replace(self, payload=self.payload[:offset]),
            Data(self.due, self.payload[offset:], self.place.after(offset)),
        )


@dataclass(frozen=True, slots=True)
class Fin:
    """An orderly end at ``due``.

    ``full`` closes the whole end, as ``close()`` does; otherwise only this direction ends, as
    ``shutdown(SHUT_WR)`` does (half-close). ``notify`` is False for an end of TCP that skips
    TLS's close_notify (RFC 8446 section 6.1), which is a truncation.
    """

    due: float
    full: bool = False
    notify: bool = True


@dataclass(frozen=True, slots=True)
class Reset:
    """An abortive end at ``due``: RST on the wire (RFC 9293 section 3.5.3)."""

    due: float


Item: TypeAlias = Data | Fin | Reset


def postponed(item: Item, due: float) -> Item:
    """The same item, due at ``due`` at the earliest."""
    return item if item.due >= due else replace(item, due=due)


class Draws:
    """Random decisions keyed by what they are about, so that timing can't change them.

    ``draws.random(exchange)`` is the same generator for the same seed, scope and key, whatever
    was drawn before, in whatever order tasks ran and however the bytes were cut into chunks.
    """

    __slots__ = ("_scope",)

    def __init__(self, *scope: object) -> None:
        self._scope = scope

    def scoped(self, *key: object) -> Draws:
        """Draws of a narrower scope: one connection, one direction."""
        return Draws(*self._scope, *key)

    def random(self, *key: object) -> Random:
        """A generator that belongs to this key alone."""
        text = "\x1f".join(str(part) for part in (*self._scope, *key))
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return Random(int.from_bytes(digest, "big"))

    def chance(self, probability: float, *key: object) -> bool:
        """True with ``probability``, always the same for the same key."""
        return self.random(*key).random() < probability


class Stage(Protocol):
    """One fault at work on one direction of one connection."""

    def feed(self, item: Item) -> Iterable[Item]:
        """What leaves when ``item`` arrives; an item's ``due`` is the present or later."""

    def heal(self, now: float) -> Iterable[Item]:
        """What was held, let go: the fault is over."""


@runtime_checkable
class TimedStage(Stage, Protocol, metaclass=Remembering):
    """A stage that also acts when nothing arrives."""

    def deadline(self) -> float | None:
        """When to call ``expire``, or None."""

    def expire(self, now: float) -> Iterable[Item]:
        """What leaves now that the deadline has passed."""


@runtime_checkable
class HoldingStage(Stage, Protocol, metaclass=Remembering):
    """A stage that keeps bytes back; what it holds counts against the link's bound."""

    @property
    def held_bytes(self) -> int:
        """How many bytes it keeps."""

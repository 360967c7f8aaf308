"""PostgreSQL's protocol 3 as its front end speaks it: requests to bytes, bytes to messages.

Chapters of the manual, "Frontend/Backend Protocol": "Message Flow" for what follows what, "Message
Formats" for the bytes, "Error and Notice Message Fields" for the letters of an error.

Every message but the first of a connection is a letter, a length that counts itself, and a body;
integers are big-endian, texts end with a zero byte. A request is over when ``ReadyForQuery``
comes: its status says whether the session is idle, in a transaction or in a failed one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from harness.wire.errors import WireError

PROTOCOL_3 = 3 << 16
SSL_REQUEST_CODE = 80877103
CANCEL_REQUEST_CODE = 80877102
HEAD_BYTES = 5
MESSAGE_LIMIT_BYTES = 128 * 2**20
"""The longest message that is read; the server itself stops at 1 GiB."""

IDLE, IN_TRANSACTION, FAILED = "I", "T", "E"
"""What ``ReadyForQuery`` says of the session."""


# --- to the server --------------------------------------------------------------------------


def ssl_request() -> bytes:
    """Ask for TLS; the server answers with one bare byte, ``S`` for yes or ``N`` for no."""
    return struct.pack("!ii", 8, SSL_REQUEST_CODE)


def startup(parameters: Mapping[str, str]) -> bytes:
    """Begin a session: ``user``, ``database`` and any settings of it."""
    pairs = b"".join(_text(name) + _text(value) for name, value in parameters.items())
    body = struct.pack("!i", PROTOCOL_3) + pairs + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def cancel_request(process: int, secret: bytes) -> bytes:
    """Ask, on a connection of its own, that what another one does be cancelled."""
    body = struct.pack("!ii", CANCEL_REQUEST_CODE, process) + secret
    return struct.pack("!i", len(body) + 4) + body


def password(answer: str) -> bytes:
    """Answer a request for a password, in clear or as MD5."""
    return _message(b"p", _text(answer))


def sasl_initial(mechanism: str, data: bytes) -> bytes:
    """Choose a SASL mechanism and begin it."""
    return _message(b"p", _text(mechanism) + struct.pack("!i", len(data)) + data)


def sasl_response(data: bytes) -> bytes:
    """Go on with SASL."""
    return _message(b"p", data)


def query(sql: str) -> bytes:
    """A simple query: statements without parameters, separated by semicolons."""
    return _message(b"Q", _text(sql))


def extended_query(sql: str, values: Sequence[str | None]) -> bytes:
    """One statement with parameters, all as text: Parse, Bind, Execute, Sync."""
    parse = _text("") + _text(sql) + struct.pack("!h", 0)
    bind = _text("") + _text("") + struct.pack("!hh", 0, len(values))
    for value in values:
        bind += _value(value)
    bind += struct.pack("!h", 0)
    execute = _text("") + struct.pack("!i", 0)
    return (
        _message(b"P", parse) + _message(b"B", bind) + _message(b"E", execute) + _message(b"S", b"")
    )


def terminate() -> bytes:
    """Say goodbye; the server closes the connection."""
    return _message(b"X", b"")


def _message(letter: bytes, body: bytes) -> bytes:
    return letter + struct.pack("!i", len(body) + 4) + body


def _text(text: str) -> bytes:
    raw = text.encode()
    if b"\0" in raw:
        raise ValueError(f"{text!r} has a zero byte, which no text of this protocol can have")
    return raw + b"\0"


def _value(value: str | None) -> bytes:
    if value is None:
        return struct.pack("!i", -1)
    raw = value.encode()
    return struct.pack("!i", len(raw)) + raw


# --- from the server ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Authentication:
    """A step of the login: 0 is done, 3 a password, 5 MD5, 10 to 12 SASL."""

    code: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class BackendKey:
    """What a cancel request must name."""

    process: int
    secret: bytes


@dataclass(frozen=True, slots=True)
class ParameterStatus:
    """A setting of the session as it is now."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ReadyForQuery:
    """The request is over; ``status`` is I (idle), T (in a transaction) or E (in a failed one)."""

    status: str


@dataclass(frozen=True, slots=True)
class DataRow:
    """One row: a value for each column, None for NULL."""

    values: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class CommandComplete:
    """A statement is done; the tag names it, as ``SELECT 1``."""

    tag: str


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """What went wrong, by the letters of its fields; after FATAL the server closes."""

    fields: tuple[tuple[str, str], ...]

    def field(self, letter: str) -> str:
        """One field, or empty."""
        return next((value for key, value in self.fields if key == letter), "")

    @property
    def code(self) -> str:
        """The SQLSTATE, as 57P01."""
        return self.field("C")

    @property
    def is_fatal(self) -> bool:
        """Whether it ends the session (FATAL or PANIC)."""
        return (self.field("V") or self.field("S")) in {"FATAL", "PANIC"}

    def __str__(self) -> str:
        return f"{self.field('S')} {self.code}: {self.field('M')}"


@dataclass(frozen=True, slots=True)
class NoticeResponse:
    """What the server wants to be known, by the letters of its fields."""

    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Other:
    """A message that tells this project nothing, such as ParseComplete."""

    letter: str
    body: bytes


Message: TypeAlias = (
    Authentication
    | BackendKey
    | ParameterStatus
    | ReadyForQuery
    | DataRow
    | CommandComplete
    | ErrorResponse
    | NoticeResponse
    | Other
)


@dataclass(slots=True)
class Reader:
    """Makes messages of bytes as they come; ``limit_bytes`` bounds one message."""

    limit_bytes: int = MESSAGE_LIMIT_BYTES
    _rest: bytearray = field(default_factory=bytearray)

    @property
    def has_rest(self) -> bool:
        """Whether a message has begun that isn't complete."""
        return bool(self._rest)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete with ``data``; raises WireError for one that can't be."""
        self._rest += data
        while (size_bytes := self._next_bytes()) and len(self._rest) >= size_bytes:
            letter, body = chr(self._rest[0]), bytes(self._rest[HEAD_BYTES:size_bytes])
            del self._rest[:size_bytes]
            yield _parsed(letter, body)

    def _next_bytes(self) -> int:
        """How long the next message is altogether; 0 as long as nobody knows."""
        if len(self._rest) < HEAD_BYTES:
            return 0
        (counted,) = struct.unpack_from("!i", self._rest, 1)
        if not 4 <= counted <= self.limit_bytes:
            letter = bytes(self._rest[:1])
            raise WireError(f"message {letter!r} says that it is {counted} bytes long")
        return int(counted) + 1


def _parsed(letter: str, body: bytes) -> Message:
    try:
        return _message_of(letter, body)
    except (struct.error, IndexError, ValueError) as error:
        raise WireError(f"message {letter!r} is not as it should be: {error}") from error


def _message_of(letter: str, body: bytes) -> Message:
    read = _READERS.get(letter)
    return Other(letter, body) if read is None else read(body)


def _authentication(body: bytes) -> Authentication:
    return Authentication(struct.unpack_from("!i", body)[0], body[4:])


def _key(body: bytes) -> BackendKey:
    return BackendKey(struct.unpack_from("!i", body)[0], body[4:])


def _parameter(body: bytes) -> ParameterStatus:
    name, value, _ = body.split(b"\0", 2)
    return ParameterStatus(name.decode(), value.decode())


def _ready(body: bytes) -> ReadyForQuery:
    status = body.decode("ascii")
    if status not in {IDLE, IN_TRANSACTION, FAILED}:
        raise ValueError(f"no session is in state {status!r}")
    return ReadyForQuery(status)


def _values(body: bytes) -> Iterator[bytes | None]:
    (count,) = struct.unpack_from("!h", body)
    at = 2
    for _ in range(count):
        (size_bytes,) = struct.unpack_from("!i", body, at)
        at += 4
        if size_bytes > len(body) - at:
            raise ValueError("a value is longer than its row")
        yield None if size_bytes < 0 else body[at : at + size_bytes]
        at += max(size_bytes, 0)


def _fields(body: bytes) -> Iterator[tuple[str, str]]:
    for part in body.split(b"\0"):
        if part:
            yield chr(part[0]), part[1:].decode(errors="replace")


_READERS: dict[str, Callable[[bytes], Message]] = {
    "R": _authentication,
    "K": _key,
    "S": _parameter,
    "Z": _ready,
    "D": lambda body: DataRow(tuple(_values(body))),
    "C": lambda body: CommandComplete(body.rstrip(b"\0").decode()),
    "E": lambda body: ErrorResponse(tuple(_fields(body))),
    "N": lambda body: NoticeResponse(tuple(_fields(body))),
}
"""By letter; what isn't here is read as ``Other``."""

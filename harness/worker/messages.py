"""What travels between the harness and a client in its own process: lines of JSON, both ways.

``PROTOCOL.md`` beside the clients says it for people. Here each message is made and read, and
nothing else happens: no descriptor is touched. Fields that are not known are ignored on both
sides; a known one with a wrong value is a ``ValueError`` that says which and why.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Dict, Tuple, Union

from harness.errors import ERROR_KINDS, Problem
from harness.worker.contract import Asked, Call, Pool, Reply, Settings
from harness.worker.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 1
"""The version of the protocol; another one is refused."""
LINE_LIMIT_BYTES = 96 * 2**20
"""A line may be so long: the largest reply there is, in base64."""
SHOWN_CHARACTERS = 160
"""So much of a line that makes no sense is shown."""

Message = Dict[str, Any]


def encode(message: Message) -> bytes:
    """A message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The object on a line. Raises ValueError if there is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("this is not JSON") from None
    if isinstance(message, dict):
        return message
    raise ValueError("this is not a JSON object")


def shown(line: bytes) -> str:
    """A line as it is quoted: shortened, in characters that any terminal shows."""
    text = line[: SHOWN_CHARACTERS + 1].decode("utf-8", "replace").rstrip("\n")
    return ascii(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "...")


# --- from the harness -----------------------------------------------------------------------


def hello_request() -> Message:
    """The first line."""
    return {"op": "hello", "protocol": PROTOCOL}


def open_request(number: int, settings: Settings) -> Message:
    """Where to connect, and what the pool should be like."""
    return {
        "id": number,
        "op": "open",
        "settings": {
            "url": settings.url,
            "host": settings.host,
            "port": settings.port,
            "serve": settings.serve,
            "tls": settings.tls,
            "server_hostname": settings.server_hostname,
            "ca_pem": settings.ca_pem.decode("ascii"),
            "ca_file": settings.ca_file,
            "user": settings.user,
            "password": settings.password,
            "database": settings.database,
            "idiomatic": settings.idiomatic,
            "seed": settings.seed,
            "pool": asdict(settings.pool),
        },
    }


def settings_of(message: Message, report_leak: Callable[[str], None]) -> Settings:
    """The settings of an ``open`` line."""
    words = dict(message["settings"])
    words.pop("url", None)
    pool = Pool(**_known(Pool, words.pop("pool")))
    ca_pem = words.pop("ca_pem", "").encode("ascii")
    return Settings(pool=pool, ca_pem=ca_pem, report_leak=report_leak, **_known(Settings, words))


def call_request(
    number: int, call: Call, serve: str, *, cancellable: bool = False, step: int | None = None
) -> Message:
    """One call, with everything ready made for the protocol that is served.

    ``cancellable`` says that the caller will be cancelled, perhaps; ``step`` where it is to be.
    """
    words: Message = {
        "nonce": call.nonce,
        "unsafe": call.unsafe,
        "timeout_s": call.timeout_s,
        "body": call.body.decode("ascii"),
        "abandon": call.abandon,
        "session": call.session,
        "cancellable": cancellable,
        "cancel_step": step,
        "asked": asdict(call.asked),
    }
    words.update(_READY_MADE[serve](call))
    return {"id": number, "op": "call", "call": words}


_READY_MADE: dict[str, Callable[[Call], Message]] = {
    "http": lambda call: {"method": call.method, "target": call.target},
    "echo": lambda call: {"line": call.line.decode("ascii")},
    "postgres": lambda call: {
        "sql": call.sql("numeric"),
        "arguments": list(call.sql_arguments.values()),
    },
    "redis": lambda call: {"commands": call.redis_commands},
}


def call_of(message: Message) -> Call:
    """The call of a ``call`` line."""
    words = message["call"]
    return Call(
        asked=Asked(**_known(Asked, words["asked"])),
        unsafe=words["unsafe"],
        body=words["body"].encode("ascii"),
        timeout_s=words["timeout_s"],
        abandon=words["abandon"],
        session=words["session"],
    )


def _known(of: type[Any], words: Message) -> Message:
    """Without the fields that a later version may have added."""
    return {key: value for key, value in words.items() if key in of.__dataclass_fields__}


# --- from the client ------------------------------------------------------------------------


def reply_answer(number: int, reply: Reply) -> Message:
    """What a call got."""
    try:
        body = {"body": reply.body.decode("utf-8")}
    except UnicodeDecodeError:
        body = {"body_base64": b64encode(reply.body).decode("ascii")}
    return {"id": number, "reply": dict(body, status=reply.status)}


def error_answer(number: int, outcome: Outcome) -> Message:
    """How a call, ``open`` or ``close`` failed."""
    return {
        "id": number,
        "error": {
            "kind": outcome.kind,
            "certainty": outcome.certainty,
            "message": outcome.message,
        },
    }


def hello_answer(
    name: str,
    runs_on: str,
    serves: tuple[str, ...],
    supports: tuple[str, ...] | None,
    versions: dict[str, str],
) -> Message:
    """Who the client is and what it can do; without ``supports`` it is judged by everything."""
    answer: Message = {
        "op": "hello",
        "protocol": PROTOCOL,
        "name": name,
        "runs_on": runs_on,
        "serves": serves,
        "versions": versions,
    }
    if supports is not None:
        answer["supports"] = supports
    return answer


def hello_problems(problems: tuple[Problem, ...], missing: str = "") -> Message:
    """Why there is no client to speak of; ``missing`` names a library that is not installed."""
    return {
        "op": "hello",
        "protocol": PROTOCOL,
        "problems": [asdict(problem) for problem in problems],
        "missing": missing,
    }


@dataclass(frozen=True)
class Hello:
    """How a client introduces itself; with ``problems`` or ``missing`` there is none."""

    name: str = ""
    runs_on: str = ""
    serves: Tuple[str, ...] = ()
    supports: Union[Tuple[str, ...], None] = None
    versions: Dict[str, str] = field(default_factory=dict)
    problems: Tuple[Problem, ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class Answer:
    """The answer to one request: a reply, an outcome, ``cancelled``, or simply done."""

    number: int
    reply: Union[Reply, None] = None
    outcome: Union[Outcome, None] = None
    cancelled: bool = False


@dataclass(frozen=True)
class SocketDialed:
    """The client tried to connect."""

    outcome: str
    local_port: int = 0
    took_s: float = 0.0


@dataclass(frozen=True)
class SocketGone:
    """A socket that was connected is closed; ``lost``: by nobody but the garbage collector."""

    local_port: int
    lost: bool = False


@dataclass(frozen=True)
class Cancelling:
    """A call is being cancelled, at this very instant."""

    number: int


@dataclass(frozen=True)
class LeakTold:
    """The client's pool says itself that a connection was not given back."""

    where: str


News = Union[SocketDialed, SocketGone, Cancelling, LeakTold, None]


def hello_of(message: Message) -> Hello:
    """The hello on a client's first line. Raises ValueError if it is none, or another version's."""
    if message.get("op") != "hello":
        raise ValueError('the first line must be {"op": "hello", "protocol": 1, ...}')
    version = message.get("protocol")
    if version != PROTOCOL:
        raise ValueError(f"it speaks protocol {version!r}, and this is protocol {PROTOCOL}")
    problems = tuple(Problem(**_known(Problem, words)) for words in message.get("problems", ()))
    supports = message.get("supports")
    versions = _get(message, "versions", dict, {})
    return Hello(
        name=_get(message, "name", str, ""),
        runs_on=_get(message, "runs_on", str, ""),
        serves=_words(message.get("serves", []), "serves"),
        supports=None if supports is None else _words(supports, "supports"),
        versions={str(name): str(version) for name, version in versions.items()},
        problems=problems,
        missing=_get(message, "missing", str, ""),
    )


def answer_of(message: Message) -> Answer:
    """The answer on a line that has an ``id``. Raises ValueError if it makes no sense."""
    number = _number(message)
    if "reply" in message:
        return Answer(number, reply=_reply(_get(message, "reply", dict)))
    if "error" in message:
        return Answer(number, outcome=_outcome(_get(message, "error", dict)))
    if message.get("cancelled") is True:
        return Answer(number, cancelled=True)
    if message.get("ok") is True:
        return Answer(number)
    raise ValueError("an answer has one of: reply, error, cancelled: true, ok: true")


def news_of(message: Message) -> News:
    """The news on a line that has an ``event``; None for an event that isn't known."""
    event = message.get("event")
    if event == "dialed":
        return SocketDialed(
            outcome=_get(message, "outcome", str),
            local_port=_get(message, "local_port", int, 0),
            took_s=float(_get(message, "took_s", (int, float), 0.0)),
        )
    if event == "socket_closed":
        return SocketGone(_get(message, "local_port", int), _get(message, "lost", bool, False))
    if event == "cancelling":
        return Cancelling(_number(message))
    if event == "leak":
        return LeakTold(_get(message, "where", str))
    return None


def _number(message: Message) -> int:
    number = message.get("id")
    if isinstance(number, int) and not isinstance(number, bool):
        return number
    raise ValueError(f"its id is {_short(number)}; it must be the number of a request")


def _reply(words: Message) -> Reply:
    status = _get(words, "status", int, 200)
    if "body_base64" not in words:
        return Reply(_get(words, "body", str).encode(), status)
    try:
        return Reply(b64decode(_get(words, "body_base64", str), validate=True), status)
    except ValueError:
        raise ValueError("its body_base64 is not base64") from None


def _outcome(words: Message) -> Outcome:
    kind = _get(words, "kind", str)
    certainty = _get(words, "certainty", str, "unknown")
    if kind not in ERROR_KINDS:
        raise ValueError(f"its kind is {kind!r}; kinds are {', '.join(ERROR_KINDS)}")
    if certainty == "failed":
        return Outcome("failed", kind, _get(words, "message", str, ""))
    if certainty == "unknown":
        return Outcome("unknown", kind, _get(words, "message", str, ""))
    raise ValueError(f"its certainty is {certainty!r}; it is failed or unknown")


_NEEDED = object()


def _get(words: Message, name: str, kind: Any, default: Any = _NEEDED) -> Any:
    value = words.get(name, default)
    if value is _NEEDED:
        raise ValueError(f"it has no {name}")
    right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not right:
        raise ValueError(f"its {name} is {_short(value)}, which is of the wrong type")
    return value


def _words(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"its {name} must be a list of strings")
    return tuple(value)


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else text[:40] + "..."

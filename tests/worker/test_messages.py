"""Messages: what goes in comes out on the other side, and what makes no sense is refused."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ERROR_KINDS, Problem
from harness.worker.contract import Asked, Call, Pool, Reply, Settings
from harness.worker.messages import (
    Answer,
    Cancelling,
    Hello,
    LeakTold,
    SocketDialed,
    SocketGone,
    answer_of,
    call_of,
    call_request,
    decode,
    encode,
    error_answer,
    hello_answer,
    hello_of,
    hello_problems,
    news_of,
    open_request,
    reply_answer,
    settings_of,
    shown,
)
from harness.worker.outcome import Outcome

CALL = Call(
    Asked("n-1", size_bytes=300, slow_s=0.5, framing="chunked", together=2, group="g"),
    unsafe=True,
    body=b"xx",
    timeout_s=1.5,
    abandon="exception",
    session=True,
)


def travelled(message):
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    return decode(line)


def test_settings_arrive_as_they_were_sent():
    settings = Settings(
        host="127.0.0.1",
        port=5432,
        pool=Pool(size=7, recycle_s=2.5, pre_ping=True),
        serve="postgres",
        tls=True,
        ca_pem=b"PEM\n",
        ca_file="/tmp/ca",
        user="u",
        password="p",
        database="d",
        idiomatic=True,
        seed=9,
    )
    assert settings_of(travelled(open_request(1, settings)), lambda _: None) == settings


def test_settings_of_a_later_version_are_understood_as_far_as_they_go():
    message = open_request(1, Settings("h", 1))
    message["settings"]["weather"] = message["settings"]["pool"]["colour"] = "fine"
    assert settings_of(message, lambda _: None) == Settings("h", 1)


@pytest.mark.parametrize("serve", ["http", "echo", "postgres", "redis"])
def test_a_call_arrives_as_it_was_sent_with_everything_ready_made(serve):
    message = travelled(call_request(2, CALL, serve, cancellable=True, step=4))
    assert call_of(message) == CALL
    assert (message["call"]["cancellable"], message["call"]["cancel_step"]) == (True, 4)
    made = {
        "http": {"method": "POST", "target": CALL.target},
        "echo": {"line": CALL.line.decode()},
        "postgres": {"sql": CALL.sql("numeric"), "arguments": [*CALL.sql_arguments.values()]},
        "redis": {"commands": [list(words) for words in CALL.redis_commands]},
    }
    assert made[serve].items() <= message["call"].items()


@given(st.binary(max_size=100), st.integers(100, 599))
def test_a_reply_arrives_to_the_byte(body, status):
    reply = Reply(body, status)
    assert answer_of(travelled(reply_answer(3, reply))) == Answer(3, reply=reply)


@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_an_outcome_arrives_whatever_its_kind(kind):
    outcome = Outcome("failed", kind, "why")
    assert answer_of(travelled(error_answer(3, outcome))) == Answer(3, outcome=outcome)


def test_an_outcome_is_unknown_unless_it_says_failed():
    assert answer_of({"id": 1, "error": {"kind": "reset"}}).outcome == Outcome(
        "unknown", "reset", ""
    )


def test_a_hello_arrives_with_what_the_client_can_do():
    message = travelled(hello_answer("mine", "asyncio", ("http",), ("size",), {"httpx": "1"}))
    assert hello_of(message) == Hello("mine", "asyncio", ("http",), ("size",), {"httpx": "1"})
    assert hello_of(hello_answer("mine", "", (), None, {}) | {"serves": []}).supports is None


def test_a_hello_may_say_why_there_is_no_client():
    problem = Problem("no such class", "write one", file="a.py", line=3, column=1)
    assert hello_of(travelled(hello_problems((problem,)))).problems == (problem,)
    assert hello_of(travelled(hello_problems((), missing="httpx"))).missing == "httpx"


@pytest.mark.parametrize(
    ("message", "news"),
    [
        ({"event": "dialed", "outcome": "refused"}, SocketDialed("refused")),
        (
            {"event": "dialed", "outcome": "ok", "local_port": 4, "took_s": 1},
            SocketDialed("ok", 4, 1.0),
        ),
        ({"event": "socket_closed", "local_port": 4}, SocketGone(4)),
        ({"event": "socket_closed", "local_port": 4, "lost": True}, SocketGone(4, lost=True)),
        ({"event": "cancelling", "id": 2}, Cancelling(2)),
        ({"event": "leak", "where": "a.py:3"}, LeakTold("a.py:3")),
        ({"event": "moonrise"}, None),
    ],
)
def test_news_are_what_they_say(message, news):
    assert news_of(message) == news


@pytest.mark.parametrize(
    ("read", "message", "says"),
    [
        (answer_of, {"id": "2", "ok": True}, "its id is '2'"),
        (answer_of, {"id": True, "ok": True}, "its id is True"),
        (answer_of, {"ok": True}, "its id is None"),
        (answer_of, {"id": 1}, "one of: reply, error"),
        (answer_of, {"id": 1, "ok": 1}, "one of: reply, error"),
        (answer_of, {"id": 1, "reply": "x"}, "its reply is 'x'"),
        (answer_of, {"id": 1, "reply": {}}, "it has no body"),
        (answer_of, {"id": 1, "reply": {"body": "", "status": True}}, "its status is True"),
        (answer_of, {"id": 1, "reply": {"body_base64": "?"}}, "not base64"),
        (answer_of, {"id": 1, "error": {"kind": "bad"}}, "kinds are refused"),
        (answer_of, {"id": 1, "error": {"kind": "reset", "certainty": "x"}}, "failed or unknown"),
        (news_of, {"event": "dialed"}, "it has no outcome"),
        (news_of, {"event": "socket_closed", "local_port": "1"}, "its local_port is '1'"),
        (hello_of, {"op": "hi"}, "the first line must be"),
        (hello_of, {"op": "hello", "protocol": "1"}, "it speaks protocol '1'"),
        (hello_of, {"op": "hello", "protocol": 1, "serves": "http"}, "serves must be a list"),
        (hello_of, {"op": "hello", "protocol": 1, "supports": [1]}, "supports must be a list"),
        (hello_of, {"op": "hello", "protocol": 1, "versions": []}, "its versions is []"),
        (decode, b"nonsense", "not JSON"),
        (decode, b"[" * 100_000, "not JSON"),
        (decode, b"\xff", "not JSON"),
        (decode, b"null", "not a JSON object"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(read, message, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        read(message)


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=5)))
def test_no_object_does_more_than_be_refused(words):
    for read in (answer_of, news_of, hello_of):
        try:
            read(words)
        except ValueError as error:
            json.dumps(str(error))


def test_a_line_is_shown_short_and_in_harmless_characters():
    assert shown(b"\x1b[2Jok\n") == r"'\x1b[2Jok'"
    assert len(shown(b"x" * 10_000)) < 200

"""HTTP replies are found in a stream, whatever their framing, and said farewell to."""

import itertools

import h11
import pytest
from fake_shell import DOWN, Play, fault, when
from hypothesis import given
from hypothesis import strategies as st

from harness.faults._replies import HEAD_LIMIT_BYTES, Replies

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4;ext=1\r\nwiki\r\nA\r\n0123456789\r\n0\r\nTrailer: yes\r\n\r\n"
)
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=60\r\n\r\nhello"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
EOF_FRAMED = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nuntil the end"
REPLIES = st.lists(st.sampled_from([CHUNKED, LENGTH, EMPTY]), min_size=1, max_size=4)


def pieces(stream, cuts):
    places = sorted({cut % len(stream) for cut in cuts} | {0, len(stream)})
    return [stream[a:b] for a, b in itertools.pairwise(places)]


def passed(stream, cuts=()):
    """What passes, and how many replies were complete."""
    replies, out, complete = Replies(b"Keep-Alive", b"timeout=1"), b"", 0
    for piece in pieces(stream, cuts):
        rest = piece
        while rest:
            passing, rest, done = replies.take(rest)
            out += passing
            complete += done
    return out + replies.restart(), complete


@given(REPLIES, st.lists(st.integers(0, 500), max_size=12))
def test_every_reply_is_found_and_marked_whatever_the_chunks(replies, cuts):
    stream = b"".join(replies)
    out, complete = passed(stream, cuts)
    assert complete == len(replies)
    assert out.count(b"Keep-Alive: timeout=1\r\n") == len(replies)
    assert b"timeout=60" not in out
    assert passed(stream) == (out, complete)


@given(st.sampled_from([CHUNKED, LENGTH, EMPTY]))
def test_a_marked_reply_still_means_the_same_to_another_reader(reply):
    def read(data):
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        client.send(h11.EndOfMessage())
        client.receive_data(data)
        body = b""
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            assert event is not h11.NEED_DATA
            body += event.data if isinstance(event, h11.Data) else b""
        return body

    assert read(passed(reply)[0]) == read(reply)


def test_an_interim_reply_is_not_the_reply():
    out, complete = passed(INTERIM + LENGTH)
    assert out.startswith(INTERIM)
    assert complete == 1


def test_a_reply_that_ends_with_the_connection_never_ends_before():
    out, complete = passed(EOF_FRAMED + LENGTH)
    assert complete == 0
    assert out.endswith(b"until the end" + LENGTH)


@pytest.mark.parametrize(
    "stream",
    [b"+PONG\r\n", b"R\x00\x00\x00\x08\x00\x00\x00\x00", b"HTTP/1." + b"x" * HEAD_LIMIT_BYTES],
)
def test_what_is_no_http_passes_as_it_is(stream):
    assert passed(stream, [1, 3, 5]) == (stream, 0)


def test_a_broken_chunk_size_is_not_waited_for():
    stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\nrest"
    out, complete = passed(stream)
    assert out.endswith(b"nonsense\r\nrest")
    assert complete == 0


# --- the fault ------------------------------------------------------------------------------


def goodbye(**conditions):
    timeout_s = conditions.pop("timeout_s", None)
    return fault("goodbye", when(**conditions), timeout_s=timeout_s)


@given(
    st.sampled_from([CHUNKED, LENGTH, EMPTY]),
    st.lists(st.integers(0, 500), max_size=8),
    st.binary(max_size=20),
)
def test_fin_follows_the_last_byte_of_the_reply(reply, cuts, after):
    play = Play(goodbye(response=1)).ask()
    for piece in pieces(reply + after, cuts):
        play.reply(piece)
    assert play.ends(DOWN) == ["close"]
    body = reply.partition(b"\r\n\r\n")[2]
    head, _, rest = play.passed(DOWN).partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    assert rest == body


def test_an_interim_reply_does_not_end_the_connection():
    play = Play(goodbye()).ask().reply(INTERIM)
    assert (play.passed(DOWN), play.ends(DOWN)) == (INTERIM, [])
    assert play.reply(LENGTH).ends(DOWN) == ["close"]


def test_an_announced_timeout_is_kept_and_counts_idle_time_only():
    play = Play(goodbye(timeout_s=2.0)).ask().reply(LENGTH).wait(1.9)
    play.ask().wait(10.0)
    assert play.ends(DOWN) == []
    play.reply(LENGTH[:20]).wait(10.0)
    assert play.ends(DOWN) == []  # in the middle of a reply
    play.reply(LENGTH[20:]).wait(1.99)
    assert play.ends(DOWN) == []
    assert play.wait(0.01).ends(DOWN) == ["close"]


def test_a_reply_without_the_body_it_names_is_followed_by_another():
    play = Play(goodbye(timeout_s=2.0)).ask(b"HEAD").reply(LENGTH[:-5]).ask(b"GET").reply(LENGTH)
    assert play.passed(DOWN).count(b"timeout=2") == 2


def test_the_place_of_a_body_behind_a_rewritten_head_is_the_origins():
    play = Play(goodbye(timeout_s=1.0)).ask().reply(LENGTH)
    places = {item.payload: item.place.message_byte for _, item in play.out[DOWN]}
    assert places[b"hello"] == LENGTH.index(b"hello")

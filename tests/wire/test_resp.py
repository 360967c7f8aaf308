import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import WireError, resp

LINES = st.text(st.characters(codec="ascii", exclude_characters="\r\n"), max_size=20)
VALUES = st.recursive(
    st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.binary(max_size=40),
        LINES,
        LINES.map(resp.ErrorReply),
        st.none(),
    ),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


def said(value):
    match value:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % value
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(value), value)
        case str():
            return b"+%b\r\n" % value.encode()
        case resp.ErrorReply():
            return b"-%b\r\n" % value.text.encode()
        case list():
            return b"*%d\r\n%b" % (len(value), b"".join(map(said, value)))


@given(st.lists(VALUES, max_size=5), st.lists(st.integers(0, 30), max_size=10))
def test_replies_are_the_same_however_their_bytes_are_cut(values, sizes):
    reader, rest, got = resp.Reader(), b"".join(map(said, values)), []
    for size in sizes:
        got += reader.feed(rest[:size])
        rest = rest[size:]
    got += reader.feed(rest)
    assert got == values
    assert not reader.has_rest


@pytest.mark.parametrize("part", [b"+O", b"$3\r\n", b"$3\r\nab", b"*2\r\n", b"*2\r\n:1\r\n"])
def test_an_incomplete_reply_is_known_to_have_begun(part):
    reader = resp.Reader()
    assert list(reader.feed(part)) == []
    assert reader.has_rest


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (b"HTTP/1.1 200 OK\r\n", "no reply begins"),
        (b"\r\n", "no reply begins"),
        (b":x\r\n", "no number"),
        (b":" + b"9" * 5000 + b"\r\n", "no number"),
        (b"$-2\r\n", "-2 bytes long"),
        (b"$1001\r\n", "1001 bytes long"),
        (b"*-2\r\n", "too much"),
        (b"*9999999\r\n", "too much"),
        (b"*1\r\n" * 40, "too much"),
        (b"$1\r\nabc", "longer than it says"),
        (b"+" + b"x" * 70_000, "line is longer"),
    ],
)
def test_what_is_no_reply_is_an_error(odd, says):
    with pytest.raises(WireError, match=says):
        list(resp.Reader(limit_bytes=1000).feed(odd))


@given(st.binary(max_size=200))
def test_nonsense_gives_replies_or_an_error_and_nothing_else(noise):
    try:
        list(resp.Reader().feed(noise))
    except WireError:
        return


def test_commands_are_arrays_of_bytes():
    assert resp.command(["GET", b"a\r\n"]) == b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n"
    assert resp.pipeline([["PING"], ["PING"]]) == resp.command(["PING"]) * 2


def test_an_error_is_known_by_its_first_word():
    (error,) = resp.Reader().feed(b"-LOADING the dataset\r\n")
    assert (error.code, error.text) == ("LOADING", "LOADING the dataset")

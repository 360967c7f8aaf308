import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import WireError
from harness.wire import postgres as pg


def message(letter, body):
    return letter + struct.pack("!i", len(body) + 4) + body


def row(*values):
    parts = b"".join(
        struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v for v in values
    )
    return message(b"D", struct.pack("!h", len(values)) + parts)


TALK = {
    message(b"R", struct.pack("!i", 0)): pg.Authentication(0),
    message(b"R", struct.pack("!i", 5) + b"salt"): pg.Authentication(5, b"salt"),
    message(b"K", struct.pack("!i", 7) + b"key!"): pg.BackendKey(7, b"key!"),
    message(b"S", b"TimeZone\0UTC\0"): pg.ParameterStatus("TimeZone", "UTC"),
    message(b"Z", b"T"): pg.ReadyForQuery("T"),
    message(b"C", b"COMMIT\0"): pg.CommandComplete("COMMIT"),
    message(b"1", b""): pg.Other("1", b""),
    message(b"N", b"SNOTICE\0Mhello\0\0"): pg.NoticeResponse((("S", "NOTICE"), ("M", "hello"))),
    row(b"a", None, b""): pg.DataRow((b"a", None, b"")),
    row(b"x" * 3000): pg.DataRow((b"x" * 3000,)),
}


@given(
    st.lists(st.sampled_from(sorted(TALK)), max_size=8), st.lists(st.integers(0, 400), max_size=8)
)
def test_messages_are_the_same_however_their_bytes_are_cut(talk, sizes):
    reader, rest, got = pg.Reader(), b"".join(talk), []
    for size in sizes:
        got += reader.feed(rest[:size])
        rest = rest[size:]
    got += reader.feed(rest)
    assert got == [TALK[said] for said in talk]
    assert not reader.has_rest


def test_an_incomplete_message_is_known_to_have_begun():
    reader = pg.Reader()
    assert list(reader.feed(row(b"abc")[:-1])) == []
    assert reader.has_rest


def test_an_error_says_its_code_its_words_and_whether_it_is_the_end():
    body = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"
    (error,) = pg.Reader().feed(message(b"E", body))
    assert (error.code, error.is_fatal) == ("57P01", True)
    assert str(error) == "FATAL 57P01: terminating connection"


def test_an_error_in_another_language_is_known_by_the_field_that_is_never_translated():
    (error,) = pg.Reader().feed(message(b"E", b"SFATAL\0VERROR\0C22012\0\0"))
    assert not error.is_fatal


@pytest.mark.parametrize(
    "odd",
    [
        b"D" + struct.pack("!i", 3),
        b"D" + struct.pack("!i", 2**31 - 1),
        message(b"Z", b"?"),
        message(b"Z", b""),
        message(b"D", struct.pack("!hi", 1, 9) + b"short"),
        message(b"S", b"no zero"),
        message(b"K", b"x"),
    ],
)
def test_what_is_no_message_is_an_error(odd):
    with pytest.raises(WireError):
        list(pg.Reader().feed(odd))


def test_a_message_longer_than_the_limit_is_refused_before_it_is_there():
    with pytest.raises(WireError, match="1001 bytes long"):
        list(pg.Reader(limit_bytes=1000).feed(b"D" + struct.pack("!i", 1001)))


@given(st.binary(max_size=200))
def test_nonsense_gives_messages_or_an_error_and_nothing_else(noise):
    reader = pg.Reader(limit_bytes=100)
    try:
        list(reader.feed(noise))
    except WireError:
        return
    assert len(reader._rest) < 110


def test_requests_are_as_the_manual_says():
    assert pg.ssl_request() == bytes.fromhex("0000000804d2162f")
    assert pg.cancel_request(1, b"\0\0\0\2") == bytes.fromhex("0000001004d2162e0000000100000002")
    assert pg.startup({"user": "me"}) == bytes.fromhex("0000001100030000") + b"user\0me\0\0"
    assert pg.query("SELECT 1") == b"Q\0\0\0\x0dSELECT 1\0"
    assert pg.terminate() == b"X\0\0\0\4"


def test_a_statement_with_parameters_binds_them_as_text_and_ends_with_sync():
    asked = pg.extended_query("SELECT $1, $2", ["a", None])
    assert asked.startswith(b"P\0\0\0\x15\0SELECT $1, $2\0\0\0")
    assert struct.pack("!hh", 0, 2) + b"\0\0\0\1a\xff\xff\xff\xff\0\0" in asked
    assert asked.endswith(b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\4")


def test_a_text_with_a_zero_byte_would_end_too_soon():
    with pytest.raises(ValueError, match="zero byte"):
        pg.query("SELECT '\0'")

import struct

import pytest

from harness.wire import WireError
from harness.wire import postgres as pg
from harness.wire.login import Login, LoginError, md5_answer
from harness.wire.scram import Scram

# RFC 7677 section 3 shows this conversation.
NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = (
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)
PROOF = b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_scram_says_what_the_rfc_says():
    scram = Scram("user", "pencil", NONCE)
    assert scram.first == b"n,,n=user,r=" + NONCE.encode()
    assert scram.final(SERVER_FIRST).endswith(PROOF)
    scram.verify(SERVER_FINAL)


@pytest.mark.parametrize(
    ("first", "says"),
    [
        (SERVER_FIRST.replace(b"r=rO", b"r=xx"), "nonce"),
        (SERVER_FIRST.replace(b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", b""), "nonce"),
        (SERVER_FIRST.replace(b"4096", b"0"), "iterations"),
        (SERVER_FIRST.replace(b"4096", b"99999999"), "iterations"),
        (SERVER_FIRST.replace(b"W22Z", b"!!!!"), "base64"),
        (b"\xff", "no text"),
        (b"", "nonce"),
    ],
)
def test_scram_refuses_what_a_server_must_not_say(first, says):
    with pytest.raises(WireError, match=says):
        Scram("user", "pencil", NONCE).final(first)


def test_a_server_that_does_not_know_the_password_is_refused():
    scram = Scram("user", "pencil", NONCE)
    scram.final(SERVER_FIRST)
    with pytest.raises(WireError, match="doesn't know"):
        scram.verify(SERVER_FINAL.replace(b"6rri", b"6rrj"))


def test_names_are_escaped_and_passwords_that_would_need_preparing_are_refused():
    assert b"n=a=3Db=2Cc," in Scram("a=b,c", "x", "n").first
    with pytest.raises(WireError, match="SASLprep"):
        Scram("user", "pässwörd", NONCE).final(SERVER_FIRST)


def step(code, data=b""):
    return pg.Authentication(code, data)


def login():
    return Login("user", "pencil", "db", NONCE)


def test_a_login_without_a_password_comes_to_be_ready():
    here = login()
    assert here.begin() == pg.startup({"user": "user", "database": "db"})
    for message in (step(0), pg.ParameterStatus("a", "b"), pg.BackendKey(3, b"k")):
        assert here.answer(message) == b""
    assert not here.is_ready
    here.answer(pg.ReadyForQuery("I"))
    assert here.is_ready
    assert here.key == pg.BackendKey(3, b"k")


def test_a_password_is_sent_as_it_is_asked_for():
    assert login().answer(step(3)) == pg.password("pencil")
    assert login().answer(step(5, b"salt")) == pg.password(md5_answer("user", "pencil", b"salt"))
    assert md5_answer("user", "pencil", b"salt") == "md5" + _md5_by_hand()


def _md5_by_hand():
    from hashlib import md5

    return md5(md5(b"penciluser").hexdigest().encode() + b"salt").hexdigest()


def test_scram_is_chosen_among_what_is_offered_and_both_sides_prove_themselves():
    here = login()
    offered = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
    assert here.answer(step(10, offered)) == pg.sasl_initial(
        "SCRAM-SHA-256", b"n,,n=user,r=" + NONCE.encode()
    )
    assert here.answer(step(11, SERVER_FIRST)).endswith(PROOF)
    assert here.answer(step(12, SERVER_FINAL)) == b""
    assert here.answer(step(0)) == b""


def test_a_server_that_skips_its_own_proof_is_refused():
    here = login()
    here.answer(step(10, b"SCRAM-SHA-256\0\0"))
    here.answer(step(11, SERVER_FIRST))
    with pytest.raises(WireError, match="without proving"):
        here.answer(step(0))


def test_what_is_not_known_here_is_named():
    with pytest.raises(WireError, match="authentication 7"):
        login().answer(step(7))
    with pytest.raises(WireError, match="offers SCRAM-SHA-1"):
        login().answer(step(10, b"SCRAM-SHA-1\0\0"))
    with pytest.raises(WireError, match="before the login"):
        login().answer(pg.ReadyForQuery("I"))


def test_a_refusal_says_why():
    body = b"SFATAL\0VFATAL\0C53300\0Mtoo many clients already\0\0"
    (error,) = pg.Reader().feed(b"E" + struct.pack("!i", len(body) + 4) + body)
    with pytest.raises(LoginError, match="FATAL 53300: too many clients already") as raised:
        login().answer(error)
    assert raised.value.response.code == "53300"

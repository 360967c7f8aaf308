"""Socket programs do the same on the simulated network as on the kernel's: results, errno, states.

Timers, loss and everything else that loopback can't show in a moment is tested in virtual time,
in ``tests/fabric/virtual``.
"""

import sys
from random import Random

import pytest
from arms_programs import random_program
from arms_sockets import Step, difference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the simulation imitates Linux, and this is another kernel"
)

RECEIVE, SEND, BOTH = 0, 1, 2
PROGRAMS = 1_000
BLOCKS = 10


def program(text: str) -> list[Step]:
    """One step a line or behind a semicolon; numbers are numbers."""
    steps = text.replace("\n", ";").split(";")
    return [
        tuple(int(word) if word.isdigit() else word for word in step.split())
        for step in steps
        if step.strip()
    ]


LISTENING = "socket l; bind l; listen l"
PAIR = f"{LISTENING}; socket a; connect a l; accept l b"

SCRIPTED = {
    "bytes arrive in order, and several sends are read as one": f"""
        {PAIR}; send a 10; send a 5; recv b 100; send b 7; recv a 3; recv a 100; recv a 1""",
    "reading in pieces keeps the order": f"""
        {PAIR}; send a 100; recv b 30; recv_into b 30; peek b 5; recv b 100; recv b 1""",
    "a peek takes nothing": f"{PAIR}; send a 9; peek b 4; peek b 100; recv b 100; peek b 1",
    "nothing to read means EAGAIN": f"{PAIR}; recv a 1; peek b 1; recv_into b 8",
    "sending and reading nothing is harmless": f"{PAIR}; send a 0; recv b 0; recv b 1",
    "FIN ends reading once all bytes are read": f"""
        {PAIR}; send a 5; close a; recv b 3; recv b 3; recv b 3; recv b 3""",
    "the other direction goes on after a half-close": f"""
        {PAIR}; shutdown a 1; recv b 1; send b 20; recv a 100; send a 1; shutdown b 1; recv a 1""",
    "who has shut down both directions is gone once the other has, too": f"""
        {PAIR}; shutdown a 2; recv a 1; send a 1; shutdown b 2; peername a; peername b""",
    "both half-close, one after the other": f"""
        {PAIR}; shutdown a 1; shutdown b 1; recv a 1; recv b 1; peername a; shutdown a 1""",
    "the first write after the peer has closed is taken, the next says EPIPE": f"""
        {PAIR}; close b; send a 3; send a 3; recv a 1; recv a 1; error a""",
    "close with unread bytes resets": f"""
        {PAIR}; send a 10; close b; recv a 1; recv a 1; send a 1""",
    "bytes that came before RST can still be read, then the error is told once": f"""
        {PAIR}; send b 10; abort b; recv a 4; recv a 100; recv a 1; recv a 1; send a 1""",
    "sending tells the error of a reset, then EPIPE": f"""
        {PAIR}; abort b; send a 1; send a 1; recv a 1""",
    "SO_ERROR tells the error of a reset and takes it away": f"""
        {PAIR}; abort b; error a; error a; recv a 1; send a 1""",
    "peeking tells the error and takes it away": f"{PAIR}; abort b; peek a 1; peek a 1; error a",
    "after FIN and then RST reading says end, and writing EPIPE": f"""
        {PAIR}; shutdown b 1; abort b; recv a 1; error a; send a 1""",
    "RST after a half-close of ours is ECONNRESET": f"{PAIR}; shutdown a 1; abort b; recv a 1",
    "bytes that arrive after shutdown of both directions reset": f"""
        {PAIR}; shutdown a 2; send b 5; send b 5; recv b 1; error a""",
    "bytes that arrive after shutdown of reading can be read": f"""
        {PAIR}; shutdown a 0; recv a 1; send b 5; recv a 2; recv a 10; recv a 1""",
    "a port nobody listens at refuses, and the socket can try again": f"""
        {LISTENING}; socket n; bind n; socket a; connect a n; error a; connect a l; accept l b;
        send a 3; recv b 3""",
    "a port refuses once its listener is closed": f"""
        {LISTENING}; close l; socket a; connect a l; peername a; sockname a""",
    "closing a listener resets who was not accepted": f"""
        {LISTENING}; socket a; connect a l; send a 3; close l; recv a 1; send a 1""",
    "an accepted connection survives its listener": f"{PAIR}; close l; send a 4; recv b 4",
    "who was reset before being accepted is accepted all the same": f"""
        {LISTENING}; socket a; connect a l; send a 3; abort a; accept l b; peername b;
        recv b 10; recv b 1; recv b 1""",
    "who has closed before being accepted is accepted all the same": f"""
        {LISTENING}; socket a; connect a l; send a 3; close a; accept l b; recv b 10; recv b 1;
        send b 1; send b 1""",
    "accept() takes them in order of arrival": f"""
        {LISTENING}; socket a; socket c; connect a l; connect c l; send c 9; send a 2;
        accept l x; recv x 100; accept l y; recv y 100; accept l z""",
    "a backlog of n admits n+1": """
        socket l; bind l; listen l 1; socket a; socket b; connect a l; connect b l;
        accept l x; accept l y; accept l z""",
    "one more than the backlog admits has to wait": """
        socket l; bind l; listen l 0; socket a; socket b; connect a l; connect b l;
        connect b l; send b 1; recv b 1; error b; peername b; shutdown b 1; error b""",
    "listening again changes the backlog": """
        socket l; bind l; listen l 0; listen l 3; socket a; socket b; connect a l; connect b l""",
    "a fresh socket has no peer and can't be read or written": """
        socket a; recv a 1; send a 1; peername a; sockname a; shutdown a 1; accept a b; error a""",
    "a listener can't be read, written or connected": f"""
        {LISTENING}; recv l 1; send l 1; peername l; connect l l; bind l; listening l; error l""",
    "shutdown of a listener's reading ends its listening": f"""
        {LISTENING}; shutdown l 1; listening l; shutdown l 0; listening l; accept l b; listen l;
        socket a; connect a l""",
    "a connected socket can't connect, listen or be bound": f"""
        {PAIR}; connect a l; listen a; bind a; connect b l; listen b; accept a c""",
    "a reset socket can't connect again": f"{PAIR}; abort b; connect a l; error a; connect a l",
    "two can't bind the same port": """
        socket a; bind a; socket b; bind b a; bind a; option b reuse_address 1; bind b a""",
    "two that reuse an address share a port until one listens": """
        socket a; option a reuse_address 1; bind a; socket b; option b reuse_address 1; bind b a;
        listen a; listen b; socket c; option c reuse_address 1; bind c a""",
    "a port is taken while an accepted connection lives, unless the address is reused": f"""
        {PAIR}; close l; socket m; bind m l; option m reuse_address 1; bind m l""",
    "a port is taken by TIME-WAIT, unless the address is reused": """
        socket l; option l reuse_address 1; bind l; listen l; socket a; connect a l; accept l b;
        close b; close a; close l; socket m; bind m l; option m reuse_address 1; bind m l""",
    "a listener without a name gets a port": "socket l; listen l; sockname l; listening l",
    "a closed socket says EBADF": f"""
        {PAIR}; close a; send a 1; recv a 1; peek a 1; shutdown a 1; peername a; sockname a;
        error a; close a; connect a l""",
    "options are remembered, and buffers doubled": """
        socket a; option a type; option a keepalive 1; option a keep_idle 30;
        option a keep_interval 5; option a keep_count 4; option a keep_idle 0; option a no_delay 1;
        option a user_timeout 1500; option a send_buffer 20000; option a receive_buffer 30000""",
}

BUFFERS = {
    "who isn't read from is stopped, and goes on once it is": f"""
        {PAIR}; fill a; send a 1; drain b; send a 1; recv b 1; fill b; drain a; drain b""",
    "FIN follows what was kept": f"{PAIR}; fill a; shutdown a 1; send a 1; drain b; recv b 1",
    "what was kept still arrives after close": f"{PAIR}; fill a; close a; drain b; recv b 1",
    "RST throws away what was kept": f"{PAIR}; fill a; abort a; drain b; recv b 1",
    "a reader that closes ends a writer that is stopped": f"{PAIR}; fill a; close b; send a 1",
    "small buffers stop a writer sooner": f"""
        {LISTENING}; option l receive_buffer 4096; socket a; option a send_buffer 4096;
        connect a l; accept l b; send a 1000; drain b; send b 5; recv a 9""",
}


@pytest.mark.parametrize("name", SCRIPTED)
def test_a_scripted_program_does_the_same(name):
    told = difference(program(SCRIPTED[name]))
    assert not told, told


@pytest.mark.parametrize("name", BUFFERS)
def test_a_program_that_fills_buffers_does_the_same(name):
    told = difference(program(BUFFERS[name]), look=False)
    assert not told, told


@pytest.mark.parametrize("block", range(BLOCKS))
@settings(
    max_examples=PROGRAMS // BLOCKS,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_random_program_does_the_same(block, seed):
    told = difference(random_program(Random(f"{block} {seed}")))
    assert not told, told

"""The reference on PostgreSQL and Redis, against servers that say exactly what a test wants."""

import struct
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import pytest
import trio
import trio.testing

from harness.clients._postgres import PostgresCalls
from harness.clients._redis import RedisCalls
from harness.errors import CallFailed, ConnectFailed
from harness.pool import PoolSettings
from harness.wire import resp
from harness.worker.contract import Abandoned, Asked, Call, Settings, repeated_name


def message(letter, body=b""):
    return letter + struct.pack("!i", len(body) + 4) + body


def error(code, severity="ERROR"):
    fields = {"S": severity, "V": severity, "C": code, "M": "no"}
    return message(
        b"E", b"".join(k.encode() + v.encode() + b"\0" for k, v in fields.items()) + b"\0"
    )


def ready(status):
    return message(b"Z", status)


def row(value):
    return message(b"D", struct.pack("!hi", 1, len(value)) + value)


FAREWELL = error("57P01", "FATAL")
WELCOME = message(b"R", struct.pack("!i", 0)) + ready(b"I")
BEGUN, DONE = message(b"C", b"BEGIN\0") + ready(b"T"), message(b"C", b"DONE\0") + ready(b"I")


def result(nonce):
    return row(repeated_name(nonce, 16)) + message(b"C", b"SELECT 1\0") + ready(b"T")


class Server:
    """Listens; ``talk`` is a list of lists: for each connection what it says, request by request.

    A coroutine function among them is run instead. What came is kept in ``heard``.
    """

    def __init__(self, talk):
        self.talk = list(talk)
        self.heard = []
        self.ended = []

    async def serve(self, stream):
        number = len(self.heard)
        self.heard.append([])
        self.ended.append(trio.Event())
        try:
            for answer in self.talk[number]:
                if callable(answer):
                    await answer(stream)
                    continue
                said = await stream.receive_some(65_536)
                if not said:
                    return
                self.heard[number].append(bytes(said))
                await stream.send_all(answer)
            await self._until_the_end(stream, number)
        except trio.BrokenResourceError:
            pass
        finally:
            self.ended[number].set()
            await trio.aclose_forcefully(stream)

    async def _until_the_end(self, stream, number):
        while said := await stream.receive_some(65_536):
            self.heard[number].append(bytes(said))


@asynccontextmanager
async def open_calls(calls_class, talk, **bounds):
    server = Server(talk)
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1")
        (listener,) = await nursery.start(serve)
        port = listener.socket.getsockname()[1]
        settings = Settings(
            "127.0.0.1", port, serve="postgres", user="me", password=bounds.pop("password", "")
        )
        bounds = {"size": 1, "max_overflow": 0, "timeout_s": 5.0, "backoff_base_s": 0.0} | bounds
        calls = calls_class(
            settings, PoolSettings(**bounds), random=Random(1), on_event=lambda _: None
        )
        async with calls.pool:
            yield calls, server
        nursery.cancel_scope.cancel()


def call(nonce="n", **words):
    return Call(asked=Asked(nonce, size_bytes=16), timeout_s=words.pop("timeout_s", 5.0), **words)


def texts(server, number):
    return b"".join(server.heard[number])


async def hang_up(stream):
    await stream.send_eof()
    await trio.sleep_forever()


# --- PostgreSQL -----------------------------------------------------------------------------


async def test_a_call_is_a_transaction_of_its_own():
    async with open_calls(PostgresCalls, [[WELCOME, BEGUN, result("n"), DONE]]) as (calls, server):
        assert (await calls.make(call())).body == repeated_name("n", 16)
    _, begin, asked, commit = server.heard[0][:4]
    assert b"BEGIN" in begin
    assert b"SELECT chaos_call($1, $2, $3, $4, $5, $6, $7, $8)" in asked
    assert b"COMMIT" in commit


async def test_the_server_is_told_goodbye():
    async with open_calls(PostgresCalls, [[WELCOME, BEGUN, result("n"), DONE]]) as (calls, server):
        await calls.make(call())
    with trio.fail_after(5):
        await server.ended[0].wait()
    assert server.heard[0][-1] == b"X\0\0\0\4"


async def test_a_session_is_reset_behind_a_call_that_changed_it_and_only_then():
    talk = [WELCOME, *[BEGUN, result("n"), DONE] * 2, DONE]
    async with open_calls(PostgresCalls, [talk]) as (calls, server):
        await calls.make(call())
        assert b"DISCARD ALL" not in texts(server, 0)
        await calls.make(call(session=True))
        assert b"DISCARD ALL" in texts(server, 0)


async def test_an_error_of_the_server_is_told_and_rolled_back_and_the_session_kept():
    failed = error("22012") + ready(b"E")
    talk = [WELCOME, BEGUN, failed, DONE, BEGUN, result("n"), DONE]
    async with open_calls(PostgresCalls, [talk]) as (calls, server):
        with pytest.raises(CallFailed, match="22012") as raised:
            await calls.make(call(unsafe=True))
        assert (raised.value.kind, raised.value.sent) == ("protocol", True)
        await calls.make(call())
    assert b"ROLLBACK" in texts(server, 0)
    assert len(server.heard) == 1


async def test_a_caller_who_raises_in_a_transaction_leaves_a_clean_session():
    talk = [WELCOME, BEGUN, result("n"), DONE, BEGUN, result("m"), DONE]
    async with open_calls(PostgresCalls, [talk]) as (calls, server):
        with pytest.raises(Abandoned):
            await calls.make(call(abandon="exception"))
        await calls.make(call("m"))
    assert texts(server, 0).index(b"ROLLBACK") < texts(server, 0).index(b"COMMIT")


async def test_a_farewell_on_an_idle_session_costs_no_call():
    async def says_farewell(stream):
        await stream.send_all(FAREWELL)
        await stream.send_eof()

    talk = [
        [WELCOME, BEGUN, result("n"), DONE, says_farewell],
        [WELCOME, BEGUN, result("m"), DONE],
    ]
    async with open_calls(PostgresCalls, talk) as (calls, server):
        await calls.make(call())
        with trio.fail_after(5):
            await server.ended[0].wait()
        assert (await calls.make(call("m", unsafe=True))).body == repeated_name("m", 16)


@pytest.mark.parametrize("unsafe", [False, True])
async def test_a_call_met_by_a_farewell_is_made_again_only_if_it_is_safe(unsafe):
    talk = [[WELCOME, BEGUN, FAREWELL, hang_up], [WELCOME, BEGUN, result("n"), DONE]]
    async with open_calls(PostgresCalls, talk) as (calls, server):
        if unsafe:
            with pytest.raises(CallFailed, match="57P01") as raised:
                await calls.make(call(unsafe=True))
            assert (raised.value.kind, raised.value.sent) == ("closed", True)
        else:
            await calls.make(call())
        assert len(server.heard) == 1 + (not unsafe)


async def test_a_commit_without_an_answer_is_an_outcome_that_is_not_known():
    talk = [[WELCOME, BEGUN, result("n"), message(b"C", b"COMMIT\0")[:-1], hang_up]]
    async with open_calls(PostgresCalls, talk) as (calls, _):
        with pytest.raises(CallFailed) as raised:
            await calls.make(call(unsafe=True))
        assert (raised.value.kind, raised.value.sent) == ("closed", True)


@pytest.mark.parametrize("asked", [0, 1, 2])
async def test_a_session_whose_caller_was_cancelled_is_closed(asked):
    silent = [WELCOME, BEGUN, result("n"), DONE][: asked + 1]
    talk = [[*silent, b""], [WELCOME, BEGUN, result("m"), DONE]]
    async with open_calls(PostgresCalls, talk) as (calls, server):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(calls.make, call())
                while not server.heard or len(server.heard[0]) < asked + 2:
                    await trio.testing.wait_all_tasks_blocked(0.001)
                scope.cancel()
        assert (await calls.make(call("m"))).body == repeated_name("m", 16)
        with trio.fail_after(5):
            await server.ended[0].wait()


async def test_patience_that_ends_within_a_result_costs_the_session():
    talk = [[WELCOME, BEGUN, result("n")[:20]], [WELCOME, BEGUN, result("m"), DONE]]
    async with open_calls(PostgresCalls, talk) as (calls, _):
        with pytest.raises(CallFailed, match="no whole reply in time") as raised:
            await calls.make(call(timeout_s=0.05))
        assert raised.value.kind == "timeout"
        assert (await calls.make(call("m"))).body == repeated_name("m", 16)


async def test_a_wrong_password_is_told_at_once_and_not_tried_again():
    refused = error("28P01", "FATAL")
    async with open_calls(PostgresCalls, [[refused, hang_up]] * 5) as (calls, server):
        with pytest.raises(ConnectFailed, match="28P01"):
            await calls.make(call())
        assert len(server.heard) == 1


async def test_a_server_that_is_starting_up_is_tried_again():
    talk = [[error("57P03", "FATAL"), hang_up], [WELCOME, BEGUN, result("n"), DONE]]
    async with open_calls(PostgresCalls, talk) as (calls, _):
        assert (await calls.make(call())).body == repeated_name("n", 16)


async def test_what_is_no_postgres_is_told_as_a_breach_of_the_protocol():
    talk = [[WELCOME, b"HTTP/1.1 400 Bad Request\r\n\r\n", hang_up]]
    async with open_calls(PostgresCalls, talk) as (calls, _):
        with pytest.raises(CallFailed) as raised:
            await calls.make(call(unsafe=True))
        assert raised.value.kind == "protocol"


# --- Redis ----------------------------------------------------------------------------------


def bulk(nonce):
    body = repeated_name(nonce, 16)
    return b"$%d\r\n%b\r\n" % (len(body), body)


async def test_commands_go_out_together_and_the_last_reply_is_the_calls():
    asked = Call(asked=Asked("n", size_bytes=16, slow_s=0.01), timeout_s=5.0)
    async with open_calls(RedisCalls, [[b"*-1\r\n" + bulk("n")]]) as (calls, server):
        assert (await calls.make(asked)).body == repeated_name("n", 16)
    assert server.heard[0] == [resp.pipeline(asked.redis_commands)]


async def test_an_error_among_the_replies_is_told_and_the_connection_kept():
    async with open_calls(RedisCalls, [[b"-ERR no\r\n", bulk("m")]]) as (calls, server):
        with pytest.raises(CallFailed, match="ERR no"):
            await calls.make(call(unsafe=True))
        await calls.make(call("m"))
        assert len(server.heard) == 1


async def test_a_connection_that_owes_a_reply_is_not_used_again():
    talk = [[b""], [bulk("m")]]
    async with open_calls(RedisCalls, talk) as (calls, server):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(calls.make, call())
                while not server.heard or not server.heard[0]:
                    await trio.testing.wait_all_tasks_blocked(0.001)
                scope.cancel()
        assert (await calls.make(call("m"))).body == repeated_name("m", 16)


async def test_a_reply_too_many_costs_the_connection_at_once_or_before_its_next_use():
    talk = [[bulk("n") + bulk("x")], [bulk("m")]]
    async with open_calls(RedisCalls, talk) as (calls, _):
        with pytest.raises(CallFailed, match="more replies than commands"):
            await calls.make(call(unsafe=True))
        assert (await calls.make(call("m"))).body == repeated_name("m", 16)


async def test_a_password_is_given_first_and_a_wrong_one_not_twice():
    async with open_calls(RedisCalls, [[b"+OK\r\n", bulk("n")]], password="x") as (calls, server):
        await calls.make(call())
        assert server.heard[0][0] == resp.command(["AUTH", "me", "x"])
    wrong = [[b"-WRONGPASS no\r\n", hang_up]] * 5
    async with open_calls(RedisCalls, wrong, password="x") as (calls, server):
        with pytest.raises(ConnectFailed, match="WRONGPASS"):
            await calls.make(call())
        assert len(server.heard) == 1


async def test_a_ping_is_a_question_of_its_own():
    talk = [[bulk("n"), b"+PONG\r\n", bulk("m")]]
    async with open_calls(RedisCalls, talk, pre_ping=True, bypass_window_s=0.0) as (calls, server):
        await calls.make(call())
        await trio.sleep(0.001)
        await calls.make(call("m"))
        assert server.heard[0][1] == resp.command(["PING"])

"""An asyncio client under the contract that the runner knows."""

import asyncio

import trio
from kit import virtually

from harness.clients import Call, Settings
from harness.clients._asyncio import AsyncioClient, hosted, runs_on
from harness.worker.contract import Asked

STEPS = 4


class OnAsyncio:
    RUNS_ON = "asyncio"

    def __init__(self):
        self.log = []

    async def open(self, settings):
        await asyncio.sleep(1)
        self.log.append(settings.port)

    async def call(self, call):
        for _ in range(STEPS):
            await asyncio.sleep(0)
        self.log.append(call.nonce)
        return call.nonce.encode()

    async def close(self):
        await asyncio.sleep(1)
        self.log.append("closed")


class OnTrio(OnAsyncio):
    RUNS_ON = "trio"


def a_call(nonce="n1"):
    return Call(asked=Asked(nonce=nonce))


def test_a_client_says_what_it_runs_on_and_is_taken_for_trio_s_otherwise():
    assert (runs_on(OnAsyncio), runs_on(OnTrio()), runs_on(object)) == ("asyncio", "trio", "trio")


def test_the_runner_s_three_methods_run_on_the_loop():
    client = OnAsyncio()

    async def main(world):
        async with hosted(client, world.network) as adapter:
            await adapter.open(Settings(host="127.0.0.1", port=80))
            assert await adapter.call(a_call()) == b"n1"
            await adapter.close()
        return world.network.now

    assert virtually(main) == 2.0
    assert client.log == [80, "n1", "closed"]


def test_a_scope_cancelled_after_a_step_ends_the_call_there():
    client = OnAsyncio()

    async def main(world):
        async with hosted(client, world.network) as adapter:
            await adapter.call(a_call("whole"))
            assert adapter.steps_of("whole") == STEPS + 1
            assert adapter.steps_of("none") == 0
            for step in range(1, STEPS + 2):
                with trio.CancelScope() as scope:
                    undo = adapter.after_step(step, scope.cancel)
                    await adapter.call(a_call(f"n{step}"))
                undo()
                assert scope.cancelled_caught == (step <= STEPS)

    virtually(main)
    assert client.log == ["whole", f"n{STEPS + 1}"]


async def test_a_client_on_trio_is_itself_on_any_fabric():
    client = OnTrio()
    async with hosted(client, None) as same:
        assert same is client


def test_the_steps_of_the_last_calls_are_remembered_no_more_than_that(monkeypatch):
    monkeypatch.setattr("harness.clients._asyncio.KEPT_CALLS", 2)

    async def main(world):
        async with hosted(OnAsyncio(), world.network) as adapter:
            assert isinstance(adapter, AsyncioClient)
            for nonce in ("a", "b", "c"):
                await adapter.call(a_call(nonce))
            return [adapter.steps_of(nonce) for nonce in ("a", "b", "c")]

    assert virtually(main) == [0, STEPS + 1, STEPS + 1]

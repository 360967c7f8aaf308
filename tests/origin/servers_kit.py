"""Real servers of the harness in a test: what a caller does there, and what is told."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager

import trio

from harness.history import Executed
from harness.origin import open_servers
from harness.origin.sessions import Place, postgres_session
from harness.scenario import Origin
from harness.worker.contract import Asked, Call

PATIENCE_S = 20.0


class Behind:
    """An open origin, and what it told."""

    def __init__(self, origin, events):
        self.origin = origin
        self.events = events

    def place(self, backend="blue"):
        host, port = self.origin.addresses[backend]
        return Place(host, port, self.origin.user, self.origin.password, self.origin.database)

    def session(self, backend="blue"):
        return postgres_session(self.place(backend))

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def executed(self):
        return [(event.nonce, event.backend, event.unsafe) for event in self.of(Executed)]


@asynccontextmanager
async def behind(serve, *backends, **words):
    """An origin as a scenario would ask for it; its events are all there after the block."""
    zero, events = trio.current_time(), []
    wanted = Origin(serve=serve, backends=backends or ("blue",))
    async with open_servers(wanted, on_event=events.append, zero=lambda: zero, **words) as origin:
        yield Behind(origin, events)


def call_for(nonce, *, unsafe=False, session=False, **asked):
    return Call(Asked(nonce=nonce, **asked), unsafe=unsafe, session=session)


def literal(value):
    return f"'{value}'" if isinstance(value, str | bool) else str(value)


async def run(session, call):
    """The reply to a call in this session, as one statement without parameters."""
    arguments = ", ".join(literal(value) for value in call.sql_arguments.values())
    ((body,),) = await session.ask(f"SELECT chaos_call({arguments})")
    return body.encode()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition):
    with trio.fail_after(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another process
            await trio.sleep(0.01)

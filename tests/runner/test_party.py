"""Several clients on hosts of their own, which look like one."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from harness.clients import Call
from harness.runner.party import Member, Party, members_of
from harness.worker.contract import Asked


class Hosts:
    """A fabric that remembers on which host something was done."""

    def __init__(self):
        self.here = ""

    @contextmanager
    def at(self, host):
        before, self.here = self.here, host
        try:
            yield
        finally:
            self.here = before


class Recorder:
    def __init__(self, fabric, log, fails=False):
        self.fabric, self.log, self.fails = fabric, log, fails

    async def open(self, settings):
        self.log.append(("open", self.fabric.here, settings))

    async def call(self, call):
        self.log.append(("call", self.fabric.here, call.nonce))
        return b"reply"

    async def close(self):
        self.log.append(("close", self.fabric.here))
        if self.fails:
            raise ValueError(self.fabric.here)


@pytest.fixture
def fabric():
    return Hosts()


def party_of(fabric, log, number=2, failing=()):
    hosts = [f"client-{n}" for n in range(1, number + 1)]
    members = [Member(Recorder(fabric, log, host in failing), host) for host in hosts]
    return Party(members, fabric)


def call(nonce):
    return Call(asked=Asked(nonce=nonce))


async def test_each_is_opened_on_its_host_and_calls_go_in_turn(fabric):
    log = []
    party = party_of(fabric, log)
    await party.open("settings")
    for nonce in "abc":
        assert await party.call(call(nonce)) == b"reply"
    assert log == [
        ("open", "client-1", "settings"),
        ("open", "client-2", "settings"),
        ("call", "client-1", "a"),
        ("call", "client-2", "b"),
        ("call", "client-1", "c"),
    ]
    assert fabric.here == ""


async def test_they_are_closed_the_other_way_round(fabric):
    log = []
    await party_of(fabric, log, number=3).close()
    assert log == [("close", f"client-{n}") for n in (3, 2, 1)]


async def test_one_that_cannot_be_closed_keeps_no_other_open(fabric):
    log = []
    with pytest.raises(ValueError, match="client-2"):
        await party_of(fabric, log, failing={"client-1", "client-2"}).close()
    assert len(log) == 2


def test_a_turn_is_a_client_and_the_host_to_be_on(fabric):
    party = party_of(fabric, [])
    client, there = party.turn()
    with there:
        assert fabric.here == "client-1"
    assert client is party.members[0].client
    assert party.turn()[0] is party.members[1].client


def test_the_members_of_one_client_are_itself(fabric):
    alone = SimpleNamespace()
    assert members_of(alone) == (alone,)
    party = party_of(fabric, [])
    assert members_of(party) == tuple(member.client for member in party.members)

"""Several clients of one kind, each on a host of its own, that look like one to the workload."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import cycle
from typing import NamedTuple

from harness.clients import Call, Client, Reply, Settings
from harness.fabric import Fabric


class Member(NamedTuple):
    """One of them, and the host it is on."""

    client: Client
    host: str


class Party:
    """Opens and closes all; calls go to one after the other."""

    def __init__(self, members: Sequence[Member], fabric: Fabric) -> None:
        self.members = tuple(members)
        self.gates = tuple(
            gate for member in members for gate in getattr(member.client, "gates", ())
        )
        self._fabric = fabric
        self._turns = cycle(self.members)

    async def open(self, settings: Settings) -> None:
        """Open all, in order."""
        for member in self.members:
            with self._at(member):
                await member.client.open(settings)

    async def call(self, call: Call) -> Reply | bytes:
        """The next one's answer."""
        member = next(self._turns)
        with self._at(member):
            return await member.client.call(call)

    async def close(self) -> None:
        """Close all, the last one first: it may have nurseries within those of the others.

        Raises what the first of them raised that could not be closed, after all have been asked.
        """
        errors: list[Exception] = []
        for member in reversed(self.members):
            try:
                with self._at(member):
                    await member.client.close()
            except Exception as error:  # noqa: BLE001 - it is raised once all are closed
                errors.append(error)
        if errors:
            raise errors[0]

    def turn(self) -> tuple[Client, AbstractContextManager[None]]:
        """Whose turn it is, and the host to be on for it."""
        member = next(self._turns)
        return member.client, self._at(member)

    def _at(self, member: Member) -> AbstractContextManager[None]:
        return self._fabric.at(member.host)


def members_of(client: Client) -> tuple[Client, ...]:
    """The clients that stand behind one: itself, or those of a party."""
    if isinstance(client, Party):
        return tuple(member.client for member in client.members)
    return (client,)

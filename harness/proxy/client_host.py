"""The client's host as faults hold it: its addresses, its link, its ports and its sockets."""

from __future__ import annotations

from harness.connection import Connection, Fired
from harness.fabric import Fabric
from harness.proxy.charge import Charge
from harness.proxy.injector import Injector
from harness.shape import UNTOUCHED_HOST


class ClientHost:
    """Brings the host from what it is to what the faults of a run want it to be."""

    def __init__(self, injector: Injector, fabric: Fabric) -> None:
        self._injector = injector
        self._fabric = fabric
        self._state = UNTOUCHED_HOST
        self._destroyers: set[str] = set()

    def conduct(self, now: float) -> None:
        """What the host is from now on. Raises SetupError if the fabric can't hold it so."""
        for _ in range(self._injector.address_changes(now)):
            self._fabric.change_address()
        if self._injector.addresses_return(now):
            self._fabric.restore_address()
        state = self._injector.host_state(now)
        if state != self._state:
            self._fabric.hold_host(state)
            self._state = state

    def destroy(
        self, connection: Connection, port: int, charge: Charge, fired: Fired, now: float
    ) -> None:
        """Take the client's socket away.

        Nothing has fired if the client let go of it before, nor on a connection that opened once
        the run's own instant had passed.
        """
        if self._came_later(connection, charge) or not self._fabric.destroy(port):
            fired.armed.fired -= 1
            return
        by = f"fault:{charge.spec.name}"
        self._destroyers.add(by)
        connection.blame(by, "reset")
        self._injector.tell_fired(charge, now, connection.life.ordinal, fired.where)

    def _came_later(self, connection: Connection, charge: Charge) -> bool:
        """Whether ``at`` or ``during`` named the instant alone, and it had passed before."""
        when = charge.spec.when
        names_it = when.only_window and (when.at_s is not None or when.during is not None)
        return names_it and connection.life.opened > charge.opened(self._injector.scene)

    def has_destroyed(self, connection: Connection) -> bool:
        """Whether the end of a connection is this host's doing, and not its client's own."""
        return connection.ended_by in self._destroyers

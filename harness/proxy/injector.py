"""Which faults of the run strike where: asked by the proxy's shell at each site.

Pure: it knows the scene (phase, clock), draws by key, and says what becomes of a connection being
accepted, a handshake, the listening port, the backends. Faults on the bytes of connections are
handed out as ``Armed``, those on packets have a site of their own (``packets``). Every firing is
told to ``on_event`` once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from harness.connection import Armed
from harness.faults import (
    AcceptDecision,
    AcceptFault,
    BackendChange,
    BackendFault,
    CallerFault,
    Cancellation,
    FaultSpec,
    HandshakeDecision,
    HandshakeFault,
    HostFault,
    ListenFault,
    PacketFault,
    ShapingFault,
    SocketFault,
    StreamFault,
    StrikeFault,
)
from harness.history import Event, FaultArmed, FaultFired, FaultHealed
from harness.proxy.arranging import KERNEL_MEANS, Arranged, arrange, link_sides
from harness.proxy.charge import Charge
from harness.proxy.packets import PacketSite
from harness.shape import HostState, Means, Shaping
from harness.timeline import Draws, Side
from harness.trigger import Scene, window_opens

CONNECTION_FAULTS = (StreamFault, StrikeFault, PacketFault, SocketFault)
"""Sites whose triggers are watched on each connection."""


class Injector:
    """The faults of one run."""

    def __init__(
        self,
        seed: int,
        scene: Scene,
        on_event: Callable[[Event], None],
        zero: float,
        *,
        means: frozenset[Means] = frozenset(),
        unlinked: frozenset[Side] = frozenset(),
    ) -> None:
        self.scene = scene
        self._means = means
        self._unlinked = unlinked
        self.charges: list[Charge] = []
        self.packets = PacketSite(scene, self._packet_struck)
        self._at_site: dict[type, list[Charge]] = {}
        self._cancelling: dict[str, Charge] = {}
        self._seed = seed
        self._on_event = on_event
        self._zero = zero
        self._is_moved = False

    def arm(self, specs: Sequence[FaultSpec], now: float) -> list[Charge]:
        """Let these faults wait for their triggers.

        Raises SetupError if nothing here can perform one of them.
        """
        charges: list[Charge] = []
        arranged = [Arranged(c.spec, c.means) for c in self.charges if not c.healed]
        for index, spec in enumerate(specs, start=len(self.charges)):
            charge = Charge(index, spec, Draws(self._seed, index), now)
            charge.means = arrange(spec, self._means, arranged, self._unlinked)
            charge.sides = link_sides(spec, self._unlinked)
            arranged.append(Arranged(spec, charge.means))
            if isinstance(spec.fault, CONNECTION_FAULTS) and not charge.on_link:
                charge.armed = spec.arm(index, self._seed)
            charges.append(charge)
        for charge in charges:
            told = FaultArmed(
                at_s=now - self._zero,
                index=charge.index,
                fault=charge.spec.name,
                means=charge.means,
            )
            self._tell(told)
        self.charges += charges
        self._at_site.clear()
        self.packets.add(charges)
        return charges

    def heal(self, charge: Charge, now: float) -> None:
        """The fault strikes no more."""
        if not charge.healed:
            charge.healed = True
            if charge.armed is not None:
                charge.armed.healed = True
            self._tell(
                FaultHealed(at_s=now - self._zero, index=charge.index, fault=charge.spec.name)
            )

    def stream_faults(self) -> list[Armed]:
        """What a new connection must carry."""
        return [c.armed for c in self.charges if c.armed is not None and not c.healed]

    # --- the sites --------------------------------------------------------------------------

    def on_accept(
        self, ordinal: int, backend: str, open_connections: int, now: float
    ) -> tuple[AcceptDecision, Charge | None]:
        """What becomes of a connection just accepted, and by which fault."""
        for charge in self._open(AcceptFault, now):
            fault = charge.spec.fault
            assert isinstance(fault, AcceptFault)
            if charge.chooses(ordinal, backend):
                random = charge.draws.random(ordinal, "decision")
                decision = fault.on_accept(open_connections, random)
                if decision is not None:
                    self.fire(charge, now, ordinal, "at accept")
                    return decision, charge
        return None, None

    def on_handshake(
        self, ordinal: int, backend: str, now: float
    ) -> tuple[HandshakeDecision | None, Charge | None]:
        """What becomes of a TLS handshake, and by which fault."""
        for charge in self._open(HandshakeFault, now):
            fault = charge.spec.fault
            assert isinstance(fault, HandshakeFault)
            if charge.chooses(ordinal, backend):
                self.fire(charge, now, ordinal, "in the TLS handshake")
                return fault.on_handshake(), charge
        return None, None

    def listens(self, now: float) -> bool | Literal["full"]:
        """Whether the port should let anybody in; ``full`` if its queue should be."""
        states = [listening_of(charge) for charge in self._open(ListenFault, now)]
        return True if not states else False if False in states else "full"

    def note_refused(self, now: float) -> None:
        """A client's connect was refused: the faults that keep the port shut have struck."""
        for charge in self._open(ListenFault, now):
            if not listening_of(charge):
                self.fire(charge, now, 0, "connect refused")

    def host_state(self, now: float) -> HostState:
        """How the client's host should be held; what packets show of it is none of this."""
        states = [
            charge.spec.fault.on_host()
            for charge in self._open(HostFault, now)
            if isinstance(charge.spec.fault, HostFault)
            and (charge.means == "host" or not isinstance(charge.spec.fault, PacketFault))
        ]
        ports = [state.ports for state in states if state.ports is not None]
        link_up = all(state.link_up for state in states)
        return HostState(link_up=link_up, ports=min(ports, default=None))

    def shapings(self, now: float) -> tuple[Shaping, ...]:
        """What links do now that are the kernel's to shape."""
        return tuple(
            Shaping(
                index=charge.index,
                shape=charge.spec.fault.shape(),
                means=charge.means,
                sides=charge.sides,
                directions=charge.spec.effect_directions(),
                seed=charge.draws.random("shape").getrandbits(63),
            )
            for charge in self.charges
            if charge.means
            and charge.means in KERNEL_MEANS
            and isinstance(charge.spec.fault, ShapingFault)
            and not charge.healed
            and charge.in_window(self.scene, now)
        )

    def note_no_port(self, now: float) -> None:
        """A client's host had no port to dial from: the faults that take them have struck."""
        for charge in self._open(HostFault, now):
            fault = charge.spec.fault
            if isinstance(fault, HostFault) and fault.on_host().ports is not None:
                self.fire(charge, now, 0, "no port to dial from")

    def backend_changes(self, now: float) -> Iterator[tuple[BackendChange, Charge]]:
        """The changes of backends whose time has come, each once an occasion."""
        for charge in self._open(BackendFault, now):
            fault = charge.spec.fault
            assert isinstance(fault, BackendFault)
            if self._is_new_occasion(charge):
                yield fault.change(), charge

    def address_changes(self, now: float) -> int:
        """How many times the client's host gets another address now, each once an occasion."""
        moving = [c for c in self._open(PacketFault, now) if c.changes_address]
        self._is_moved = self._is_moved or bool(moving)
        return sum(map(self._is_new_occasion, moving))

    def addresses_return(self, now: float) -> bool:
        """Whether the client's host gets its former addresses back now: nothing moves it more."""
        moving = any(c.changes_address for c in self._open(PacketFault, now))
        returns, self._is_moved = self._is_moved and not moving, moving
        return returns

    def _is_new_occasion(self, charge: Charge) -> bool:
        occasion = self.scene.phase_ordinal if charge.spec.when.during is not None else 0
        before, charge.occasion = charge.occasion, occasion
        return occasion != before

    def on_call(self, key: str, now: float) -> Cancellation | None:
        """How the caller of this call is cancelled, if at all."""
        for charge in self._open(CallerFault, now):
            fault = charge.spec.fault
            assert isinstance(fault, CallerFault)
            charge.asked += 1
            which = getattr(fault, "call", None)
            if (which is None or charge.asked in which) and charge.lucky(key):
                charge.fired += 1
                self._cancelling[key] = charge
                return fault.on_call(charge.draws.random(key, "cancel"))
        return None

    def note_cancelled(self, key: str, now: float) -> None:
        """The caller of this call was cancelled: the fault that wanted it has struck."""
        charge = self._cancelling.pop(key, None)
        if charge is not None:
            self.tell_fired(charge, now, 0, f"call {key}")

    def recoveries(self, now: float) -> Iterator[str]:
        """The backends that live again: the faults that killed them are healed or over."""
        killed = [charge for charge in self.charges if charge.victim]
        over = [c for c in killed if c.healed or not c.in_window(self.scene, now)]
        for charge in over:
            if not any(c.victim == charge.victim for c in killed if c not in over):
                yield charge.victim
            charge.victim = ""

    def next_change(self, now: float) -> float | None:
        """When a window of the run opens or closes next."""
        instants = []
        for charge in self.charges:
            if not charge.healed:
                opens = window_opens(charge.spec.when, self.scene)
                instants += [charge.closes(self.scene), math.inf if opens is None else opens]
        return min((instant for instant in instants if now < instant < math.inf), default=None)

    # --- telling ----------------------------------------------------------------------------

    def fire(self, charge: Charge, now: float, connection: int, where: str) -> None:
        """Count and tell that a fault has struck."""
        charge.fired += 1
        self.tell_fired(charge, now, connection, where)

    def tell_fired(self, charge: Charge, now: float, connection: int, where: str) -> None:
        """Tell that a fault has struck."""
        self._tell(
            FaultFired(
                at_s=now - self._zero,
                index=charge.index,
                fault=charge.spec.name,
                connection=connection,
                where=where,
                ends=charge.spec.ends_client,
            )
        )

    def _packet_struck(self, charge: Charge, now: float, connection: int, where: str) -> None:
        if charge.armed is None:  # else its gates count, one for each connection
            charge.fired += 1
        self.tell_fired(charge, now, connection, where)

    def _open(self, site: type, now: float) -> Iterator[Charge]:
        if site not in self._at_site:  # asked for every call, and protocols answer slowly
            self._at_site[site] = [c for c in self.charges if isinstance(c.spec.fault, site)]
        for charge in self._at_site[site]:
            if charge.is_open(self.scene, now):
                yield charge

    def _tell(self, event: Event) -> None:
        self._on_event(event)


def listening_of(charge: Charge) -> Literal[False, "full"]:
    """What a fault makes of the port."""
    fault = charge.spec.fault
    assert isinstance(fault, ListenFault)
    return fault.LISTENS

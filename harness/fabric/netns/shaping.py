"""Links that shape what passes, performed by the kernel's queueing disciplines.

What stands on an interface is never taken away again while the fabric runs, only told to do
nothing: taking it away would lose what waits in it. The exceptions are a bucket above which a
netem is put later, and one of another kind in its place.
"""

from __future__ import annotations

import os
import socket
from collections import defaultdict
from collections.abc import Mapping, Sequence

from harness.errors import SetupError
from harness.fabric.netns import placing, qdisc
from harness.fabric.netns.counters import NETSTAT, SNMP, counted
from harness.fabric.netns.layout import Layout
from harness.fabric.netns.namespaces import Namespaces
from harness.fabric.netns.placing import Place, Reading
from harness.shape import Shaping
from harness.timeline import Draws

ANSWER_LIMIT_S = 5.0
"""The kernel answers at once; a machine that stands still gets this long."""
ANSWERS_LIMIT = 1000
DATAGRAM_BYTES = 2**17


class Shaper:
    """What the links of a layout do to packets; it holds nothing but what the namespaces hold."""

    def __init__(self, spaces: Namespaces, layout: Layout) -> None:
        self._spaces = spaces
        self._layout = layout
        self._at_work: dict[Place, list[Shaping]] = {}
        self._standing: dict[Place, tuple[str, ...]] = {}
        self._told: dict[Place, list[qdisc.Step]] = {}
        self._seen: dict[Place, Reading] = {}
        self._struck: dict[int, int] = defaultdict(int)

    def shape(self, shapings: tuple[Shaping, ...]) -> None:
        """Let links do this from now on, and nothing else.

        Raises SetupError, with the command that would do the same, if the kernel refuses.
        """
        self._count()
        wanted: dict[Place, list[Shaping]] = {place: [] for place in self._standing}
        for shaping in shapings:
            for place in placing.places(self._layout, shaping):
                wanted.setdefault(place, []).append(shaping)
        for place, at_work in wanted.items():
            self._put(place, at_work)
        self._at_work = {place: at_work for place, at_work in wanted.items() if at_work}
        self._seen = self._read()

    def shaped(self) -> Mapping[int, int]:
        """How many packets each shaping has struck so far, by the index of its fault."""
        self._count()
        return dict(self._struck)

    # --- doing ------------------------------------------------------------------------------

    def _put(self, place: Place, at_work: list[Shaping]) -> None:
        before = self._standing.get(place, ())
        kinds = placing.kinds([shaping.means for shaping in at_work], before)
        shape = placing.merged(shaping.shape for shaping in at_work)
        seed = Draws(*(s.seed for s in at_work), *place).random().getrandbits(63)
        plan = qdisc.plan(shape, kinds, seed)
        known = self._told.get(place, []) if kinds == before else []
        self._perform(place, [step for step in plan if step not in known])
        self._standing[place], self._told[place] = kinds, plan

    def _perform(self, place: Place, steps: Sequence[qdisc.Step]) -> None:
        if not steps:
            return
        with self._spaces.inside(place.namespace), _rtnetlink() as netlink:
            index = socket.if_nametoindex(place.interface)
            for step in steps:
                netlink.send(qdisc.request(step, index))
                failure = qdisc.answer(netlink.recv(DATAGRAM_BYTES)).failure
                if failure:
                    raise SetupError(
                        f"tc -n {place.namespace} qdisc replace dev {place.interface} {step.kind}: "
                        f"{os.strerror(failure)}"
                    )

    # --- counting ---------------------------------------------------------------------------

    def _count(self) -> None:
        now = self._read()
        for place, at_work in self._at_work.items():
            added = now[place].since(self._seen[place])
            for shaping in at_work:
                self._struck[shaping.index] += added.struck(shaping.shape)
        self._seen = now

    def _read(self) -> dict[Place, Reading]:
        """What is counted where something is at work."""
        standing = {
            namespace: self._listed(namespace)
            for namespace in {place.namespace for place in self._at_work}
        }
        return {place: self._reading(place, standing[place.namespace]) for place in self._at_work}

    def _reading(self, place: Place, listed: dict[str, dict[str, qdisc.Standing]]) -> Reading:
        found = listed.get(place.interface, {})
        netem = found.get("netem", _NONE)
        bucket = found.get("tbf", found.get("htb", _NONE))
        host = placing.receiver(self._layout, place)
        heard = self._heard(host) if host and self._listens_to(place) else {}
        return Reading(
            passed=netem.packets + netem.queued,
            lost=netem.drops - bucket.drops,
            early=netem.requeues,
            through_bucket=bucket.packets + bucket.queued,
            copies=heard.get("TcpExt DelayedACKLost", 0),
            damaged=heard.get("Tcp InCsumErrors", 0) + heard.get("IpExt InCsumErrors", 0),
        )

    def _listens_to(self, place: Place) -> bool:
        shapes = [shaping.shape for shaping in self._at_work[place]]
        return any(shape.duplicate or shape.corrupt for shape in shapes)

    def _heard(self, host: str) -> dict[str, int]:
        """What a host's kernel has counted of the packets that reached it."""
        with self._spaces.inside(host):
            return counted(SNMP, NETSTAT)

    def _listed(self, namespace: str) -> dict[str, dict[str, qdisc.Standing]]:
        """The queueing disciplines of a namespace, by interface and kind."""
        found: dict[str, dict[str, qdisc.Standing]] = defaultdict(dict)
        with self._spaces.inside(namespace), _rtnetlink() as netlink:
            netlink.send(qdisc.listing())
            for _ in range(ANSWERS_LIMIT):
                answer = qdisc.answer(netlink.recv(DATAGRAM_BYTES))
                for standing in answer.standing:
                    interface = socket.if_indextoname(standing.interface_index)
                    found[interface][standing.kind] = standing
                if answer.ends:
                    break
        return found


_NONE = qdisc.Standing(0, 0, 0, "")


def _rtnetlink() -> socket.socket:
    """A socket to the kernel of the namespace in which the thread is."""
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    netlink.settimeout(ANSWER_LIMIT_S)
    return netlink

"""Driving a workload: phases one after the other, callers side by side, then recovery."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import trio

from harness.clients import Call
from harness.fabric import Fabric
from harness.faults import Cancellation
from harness.history import Event, Healed, PhaseEnded, PhaseStarted, RecoveryProbed
from harness.proxy import Proxy
from harness.runner.calls import Caller
from harness.runner.host import ClientHost
from harness.runner.party import members_of
from harness.scenario import PhasePlan, PlannedCall, Scenario, plan_workload, probe_nonce
from harness.worker.contract import Asked

RECOVERY_LIMIT_S = 6.0
"""A client that has not recovered by then is not waited for."""
RECOVERY_PAUSE_S = 0.02
CALM_ROUNDS = 3
"""So many rounds of probes in a row must succeed before recovery counts as lasting."""
PROBE_TIMEOUT_S = 1.5
PROBE_THINK_S = 0.005
PROBES_LIMIT = 50
CUT_OFF_LIMIT = 10
"""A client of which so many calls never ended by themselves gets no others, but for recovery."""
TOGETHER_TIMEOUT_S = 4.0
"""How long the last round may take to have every slot in use at once."""
RECOVERY_PHASE = "recovery"


class Workload:
    """Carries out a scenario's phases on an open client."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        host: ClientHost,
        caller: Caller,
        proxy: Proxy,
        fabric: Fabric,
        tell: Callable[[Event], None],
        on_phase: Callable[[str], None],
    ) -> None:
        self._scenario = scenario
        self._seed = seed
        self._host = host
        self._caller = caller
        self._proxy = proxy
        self._fabric = fabric
        self._tell = tell
        self._on_phase = on_phase

    async def run(self) -> None:
        """All phases, healing, recovery."""
        for plan in plan_workload(self._scenario.workload, self._seed, self._scenario.perturb):
            await self._run_phase(plan)
        self._proxy.enter_phase(RECOVERY_PHASE)
        self._proxy.heal_all()
        self._tell(Healed(at_s=self._proxy.at_s()))
        if self._scenario.recovery and not self._host.closed.is_set():
            self._on_phase(RECOVERY_PHASE)
            await self._recover()

    # --- phases -----------------------------------------------------------------------------

    async def _run_phase(self, plan: PhasePlan) -> None:
        phase = plan.phase
        self._on_phase(phase.phase)
        self._tell(PhaseStarted(at_s=self._proxy.at_s(), phase=phase.phase))
        self._proxy.enter_phase(phase.phase)
        async with trio.open_nursery() as nursery:
            if phase.close_after_s is not None:
                nursery.start_soon(self._close_after, phase.close_after_s)
            if phase.pause_s is not None:
                await self._sleep_until(trio.current_time() + phase.pause_s)
            elif phase.rate_per_s is not None:
                await self._call_at_rate(plan, nursery)
            else:
                calls = iter(plan)
                for number in range(1, min(phase.callers, len(plan)) + 1):
                    nursery.start_soon(self._call_in_turn, plan, calls, number)
        short = f"{CUT_OFF_LIMIT} calls had to be cut off" if self._is_hopeless else ""
        self._tell(PhaseEnded(at_s=self._proxy.at_s(), phase=phase.phase, cut_short=short))

    @property
    def _is_hopeless(self) -> bool:
        """Whether the client doesn't end its calls; that fails the run, whatever comes next."""
        return self._caller.cut_off >= CUT_OFF_LIMIT

    async def _call_in_turn(
        self, plan: PhasePlan, calls: Iterator[PlannedCall], number: int
    ) -> None:
        """A closed loop: the next call begins when the last has ended, and not before its time."""
        begins = trio.current_time()
        for call in calls:
            if self._is_hopeless:
                return
            if call.every_s is not None:
                await self._sleep_until(begins)
                begins = max(begins, trio.current_time()) + call.every_s
            if call.think_s:
                await self._sleep_until(trio.current_time() + call.think_s)
            await self._caller.make(call, number, plan.phase.phase, self._cancellation(call))

    async def _call_at_rate(self, plan: PhasePlan, nursery: trio.Nursery) -> None:
        """An open loop: each call begins at its instant, whatever became of the others."""
        start = trio.current_time()
        for number, call in enumerate(plan, start=1):
            if self._is_hopeless:
                return
            await self._sleep_until(start + (call.start_s or 0.0))
            nursery.start_soon(self._call_once, call, number, plan.phase.phase)

    async def _call_once(self, call: PlannedCall, number: int, phase: str) -> None:
        if call.think_s:
            await self._sleep_until(trio.current_time() + call.think_s)
        await self._caller.make(call, number, phase, self._cancellation(call))

    async def _close_after(self, delay_s: float) -> None:
        await self._sleep_until(trio.current_time() + delay_s)
        self._host.ask_to_close()
        await self._host.closed.wait()

    def _cancellation(self, call: PlannedCall) -> Cancellation | None:
        return self._proxy.injector.on_call(call.nonce, trio.current_time())

    async def _sleep_until(self, when: float) -> None:
        if when <= trio.current_time():
            await trio.lowlevel.checkpoint()
            return
        done = trio.Event()
        alarm = self._fabric.call_at(when, done.set)
        try:
            await done.wait()
        finally:
            alarm.cancel()

    # --- recovery ---------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Probe until all is well for some rounds in a row, then use every slot at once."""
        give_up = trio.current_time() + RECOVERY_LIMIT_S
        pool, clients = self._scenario.client.pool, len(members_of(self._host.client))
        capacity = min((pool.size + pool.max_overflow) * clients, PROBES_LIMIT)
        if clients > 1:
            capacity -= capacity % clients  # so that none is asked for more than it has
        calm, number = 0, 0
        while calm < CALM_ROUNDS and trio.current_time() < give_up:
            number += 1
            ok = await self._probe(number, pool.size * clients, together=0)
            calm = calm + 1 if ok else 0
            await self._sleep_until(trio.current_time() + RECOVERY_PAUSE_S)
        origin = self._scenario.origin
        if calm == CALM_ROUNDS and origin.protocol != "echo" and "names" in origin.tells:
            await self._probe(number + 1, capacity, together=capacity)

    async def _probe(self, number: int, count: int, together: int) -> bool:
        """A round of calls at once; with ``together`` the origin answers when all have arrived."""
        answered: list[bool] = []

        async def probe(index: int) -> None:
            asked = Asked(
                nonce=probe_nonce(number, index, self._seed),
                slow_s=0.0 if together else PROBE_THINK_S,
                together=together,
                group=f"round-{number}",
            )
            timeout_s = TOGETHER_TIMEOUT_S if together else PROBE_TIMEOUT_S
            call = Call(asked=asked, timeout_s=timeout_s)
            answered.append(await self._caller.make_call(call, index + 1, RECOVERY_PHASE))

        async with trio.open_nursery() as nursery:
            for index in range(min(count, PROBES_LIMIT)):
                nursery.start_soon(probe, index)
        ok = sum(answered)
        self._tell(
            RecoveryProbed(
                at_s=self._proxy.at_s(),
                round=number,
                calls=len(answered),
                ok=ok,
                together=together,
            )
        )
        return ok == len(answered)

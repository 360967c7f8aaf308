"""One run of one scenario: everything is set up, driven, healed, closed, and written down.

The order in which things open is the order in which they can be trusted: fabric, origin, proxy,
then the client. They close the other way round, so what is open after the client's ``close`` is
the client's leak.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict

import trio

from harness.clients import (
    Client,
    ClientGone,
    Launch,
    Pool,
    ProcessClient,
    Settings,
    hosted,
    open_process_client,
)
from harness.errors import HarnessError
from harness.fabric import Fabric, open_tasks
from harness.history import (
    CallCancelled,
    CallFailed,
    CallUnknown,
    ClientFailed,
    Event,
    History,
    RunEnded,
    RunStarted,
)
from harness.origin import Identity, open_servers
from harness.origin import Origin as Servers
from harness.proxy import Address, Authority, Proxy, ProxySettings, open_proxy
from harness.result import Progress
from harness.runner.calls import Caller
from harness.runner.host import ClientHost
from harness.runner.oversight import Interrupted, Oversight
from harness.runner.papers import certificate_file
from harness.runner.party import Member, Party, members_of
from harness.runner.remains import Census, look_for_leaks
from harness.runner.watchdog import LoopBlocked, Watchdog
from harness.runner.wire import Wire
from harness.runner.workload import Workload
from harness.scenario import Scenario

PROGRESS_S = 0.1
FIRST_CLIENT = "client-1"
STACK_CORRUPTED = "stack corrupted"


class Stage:
    """Where one scenario is played."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        clients: Sequence[Client | Launch],
        client_name: str,
        fabric: Fabric,
        on_progress: Callable[[Progress], None],
        *,
        supports: tuple[str, ...] = (),
        idiomatic: bool = False,
    ) -> None:
        self.history = History()
        self._scenario = scenario
        self._seed = seed
        self._clients = tuple(clients)
        self._client_name = client_name
        self._supports = supports
        self._idiomatic = idiomatic
        self._on_progress = on_progress
        self._fabric = fabric
        self._phase = ""
        self._wire = Wire(self._tell, self._at_s, self._on_refused, self._on_no_port)
        self._workload = trio.CancelScope()
        self._host: ClientHost | None = None
        self._proxy: Proxy | None = None
        self._caller: Caller | None = None
        self._servers = Servers({})
        self._zero = 0.0
        self._oversight = Oversight(self._on_turn, PROGRESS_S)
        self._watchdog = Watchdog()
        self._watchdog.guard(ClientHost.do, Caller.ask)

    def play(self) -> None:
        """Run the scenario; its history is then complete. Raises SetupError, Interrupted."""
        self._fabric.run(self._play_watched, self._oversight)

    async def _play_watched(self) -> None:
        oversight = self._oversight
        async with trio.open_nursery() as nursery:
            await nursery.start(oversight.watch_signals, nursery.cancel_scope)
            failure: Exception | None = None
            try:
                await self._play_within_limit()
            except BaseExceptionGroup as group:
                failure = self._explain(group)
            except LoopBlocked as blocked:
                self._tell_blocked(blocked)
            except Exception as error:  # noqa: BLE001 - raised again outside the nursery
                failure = error
            nursery.cancel_scope.cancel()
        if oversight.interrupted:
            raise Interrupted(oversight.interrupted)
        if failure is not None:
            raise failure

    async def _play_within_limit(self) -> None:
        oversight = self._oversight
        real_time = self._fabric.capabilities.real_time
        if real_time:
            oversight.bound()
        with oversight.limit:
            async with self._watchdog.watching(winds_itself=real_time):
                await self._play()
        if oversight.limit.cancelled_caught:
            self.history.add(RunEnded(at_s=self._at_s(), hung=oversight.hung or "the run"))

    def _on_turn(self) -> None:
        """The loop of a fabric in virtual time lives; told now and then."""
        self._watchdog.wind()
        self._report_progress()

    def _tell_left_open(self) -> None:
        message = "a nursery or cancel scope entered in open() is not left by close()"
        last_s = self.history.events[-1].at_s  # trio may be gone, and its clock with it
        failed = ClientFailed(at_s=last_s, during="close", kind="other", message=message)
        self.history.add(failed)

    def _explain(self, group: BaseExceptionGroup[BaseException]) -> Exception | None:
        """What a nursery's group comes to: a blocked loop is told, one error is itself."""
        blocked, rest = group.split(LoopBlocked)
        if blocked is not None:
            self._tell_blocked(_leaf(blocked))
            return None
        cause = _leaf(group)
        if isinstance(cause, HarnessError):
            return cause
        if rest is not None and isinstance(rest, Exception):
            return rest
        raise group

    def _tell_blocked(self, blocked: BaseException) -> None:
        self._tell(
            ClientFailed(at_s=self._at_s(), during="call", kind="timeout", message=str(blocked))
        )
        self._tell(RunEnded(at_s=self._at_s(), hung="the event loop"))

    def client_left_open(self) -> bool:
        """Whether the client ended inside nurseries it had entered, so that trio gave up.

        Tasks there that shield themselves can't be reached by any cancellation. It is told in
        the history, which then is complete.
        """
        if self._host is None or not self._host.left_open:
            return False
        self._tell_left_open()
        last_s = self.history.events[-1].at_s
        self.history.add(RunEnded(at_s=last_s, hung="the client's tasks"))
        return True

    async def _play(self) -> None:
        scenario, origin = self._scenario, self._scenario.origin
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._fabric.running())
            ready = await self._ready(stack)
            tls = scenario.proxy.tls != "off" or origin.tls
            authority = (
                Authority(
                    repeatable=not self._fabric.capabilities.real_time,
                    addresses=(self._fabric.address_of("proxy"),),
                )
                if tls
                else None
            )
            servers = await stack.enter_async_context(
                open_servers(
                    origin,
                    tls=authority.server_context() if authority and origin.tls else None,
                    identity=_identity(authority) if authority and origin.tls else None,
                    on_event=self._tell,
                    zero=lambda: self._zero,
                    fabric=self._fabric,
                )
            )
            self._servers = servers
            self._zero = zero = trio.current_time()  # real servers may have taken a while
            self._tell_started()
            self._proxy = proxy = await stack.enter_async_context(
                open_proxy(
                    self._proxy_settings(servers.addresses, authority),
                    self._fabric,
                    authority=authority,
                    on_event=self._tell,
                    zero=zero,
                )
            )
            proxy.arm(list(scenario.faults))
            wire = self._wire
            with self._fabric.watch_clients(wire.on_dialed, wire.on_closed, wire.on_lost):
                network = getattr(self._fabric, "network", None)
                async with hosted(ready, network) as client:
                    self._watchdog.guard(*getattr(client, "gates", ()))
                    with self._fabric.at(FIRST_CLIENT):
                        await self._play_client(client, proxy, authority)
        self._tell(RunEnded(at_s=trio.current_time() - zero))

    async def _ready(self, stack: AsyncExitStack) -> Client:
        """The client, or several on hosts of their own that look like one."""
        hosts = [f"client-{ordinal}" for ordinal in range(1, len(self._clients) + 1)]
        ready = [
            Member(await self._started(client, host, stack), host)
            for client, host in zip(self._clients, hosts, strict=True)
        ]
        return ready[0].client if len(ready) == 1 else Party(ready, self._fabric)

    async def _started(self, client: Client | Launch, host: str, stack: AsyncExitStack) -> Client:
        """The client, with its process running if it has one: that takes time of its own.

        One that doesn't greet fails when it is opened.
        """
        if not isinstance(client, Launch):
            return client
        inside = self._fabric.inside(host)
        process = await stack.enter_async_context(open_process_client(client, inside))
        process.on_news, process.on_failure = self._wire.on_news, self._on_client_gone
        with suppress(ClientGone):
            await process.greet()
        return process

    def _proxy_settings(
        self, addresses: Mapping[str, tuple[str, int]], authority: Authority | None
    ) -> ProxySettings:
        scenario = self._scenario
        re_encrypts = scenario.origin.tls and scenario.proxy.tls != "passthrough"
        own = scenario.origin.own
        origin_tls = None
        if authority and re_encrypts:
            origin_tls = ssl.create_default_context() if own else authority.client_context()
        return ProxySettings(
            backends={name: Address(*place) for name, place in addresses.items()},
            tls=scenario.proxy.tls,
            origin_tls=origin_tls,
            origin_hostname=own.host if own else "localhost",
            protocol=scenario.origin.protocol,
            round_robin=scenario.proxy.balance == "round_robin",
            host=self._fabric.address_of("proxy"),
            seed=self._seed,
        )

    async def _play_client(self, client: Client, proxy: Proxy, authority: Authority | None) -> None:
        with certificate_file(authority.certificate_pem if authority else b"") as ca_file:
            await self._play_opened(client, proxy, authority, ca_file)

    async def _play_opened(
        self, client: Client, proxy: Proxy, authority: Authority | None, ca_file: str
    ) -> None:
        scenario = self._scenario
        settings = Settings(
            host=proxy.port.host,
            port=proxy.port.number,
            pool=Pool(**asdict(scenario.client.pool)),
            serve=scenario.origin.protocol,
            user=self._servers.user,
            password=self._servers.password,
            database=self._servers.database,
            tls=scenario.proxy.tls != "off",
            ca_pem=authority.certificate_pem if authority else b"",
            ca_file=ca_file,
            idiomatic=self._idiomatic,
            seed=self._seed,
            report_leak=self._wire.on_leak_reported,
        )
        census = Census(client, self._fabric, proxy.port.number)
        host = self._host = ClientHost(client, settings, self._tell, self._watchdog)
        self._caller = Caller(host, self._fabric, scenario.origin, self._tell, self._zero)
        workload = Workload(
            scenario,
            self._seed,
            host=host,
            caller=self._caller,
            proxy=proxy,
            fabric=self._fabric,
            tell=self._tell,
            on_phase=self._on_phase,
        )
        try:
            async with open_tasks() as tasks:
                tasks.start_soon(host.run, self._zero)
                if self._fabric.capabilities.real_time:
                    tasks.start_soon(self._report_forever)
                await host.opened.wait()
                if not host.failed:
                    with self._workload:
                        await workload.run()
                host.ask_to_close()
                await host.closed.wait()
        except* RuntimeError as group:
            # trio's word for a task that ended inside scopes or nurseries it had entered.
            if STACK_CORRUPTED not in str(_leaf(group)):
                raise
            self._tell_left_open()
        gone = [isinstance(c, ProcessClient) and c.failure for c in members_of(client)]
        if not any(gone):  # else nothing is left
            await look_for_leaks(census, self._wire, proxy, self._tell, self._at_s)

    # --- what is told -----------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        if isinstance(event, CallCancelled) and self._proxy is not None:
            self._proxy.injector.note_cancelled(event.nonce, trio.current_time())
        if isinstance(event, CallFailed | CallUnknown):
            self._wire.on_call_failed(event.kind)
        self.history.add(event)

    def _tell_started(self) -> None:
        pool = self._scenario.client.pool
        self.history.add(
            RunStarted(
                at_s=0.0,
                scenario=self._scenario.id,
                seed=self._seed,
                client=self._client_name,
                fabric=self._fabric.name,
                pool_size=pool.size * len(self._clients),
                pool_max_overflow=pool.max_overflow * len(self._clients),
                pool_timeout_s=pool.timeout_s,
                backends=self._scenario.origin.backends,
                origin_tells=self._scenario.origin.tells,
                supports=self._supports,
            )
        )

    def _on_refused(self, now: float) -> None:
        if self._proxy is not None:
            self._proxy.injector.note_refused(now)

    def _on_no_port(self, now: float) -> None:
        if self._proxy is not None:
            self._proxy.injector.note_no_port(now)

    def _on_client_gone(self, message: str) -> None:
        """The client's process is of no use any more: end the workload, which can't go on."""
        if self._host is not None:
            self._host.give_up(message)
        self._workload.cancel()

    def _on_phase(self, phase: str) -> None:
        self._phase = phase

    async def _report_forever(self) -> None:
        while True:
            self._report_progress()
            await trio.sleep(PROGRESS_S)

    def _report_progress(self) -> None:
        if self._caller is None or self._proxy is None:
            return  # the stage is still being set up
        charges = self._proxy.injector.charges
        fired = sum(c.fired + (c.armed.fired if c.armed else 0) for c in charges)
        self._on_progress(
            Progress(
                scenario=self._scenario.id,
                phase=self._phase,
                calls=self._caller.made,
                failed=self._caller.failed,
                fired=fired,
            )
        )

    def _at_s(self) -> float:
        return trio.current_time() - self._zero


def _identity(authority: Authority) -> Identity:
    """Who a real server says it is when it does TLS itself."""
    return Identity(*authority.server_pems(), authority.client_context())


def _leaf(error: BaseException) -> BaseException:
    """The first exception of a group, however deep."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""Which scenario finds which broken pool, and which check must say so.

Each line: the class, the id of the scenario that finds it soonest, the check that must fail.
"""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Broken:
    """One defect, and what finds it."""

    file: str
    name: str
    scenario: str
    check: str

    @property
    def client(self):
        """The class as ``--client`` takes it."""
        return f"{HERE / self.file}.py:{self.name}"


_TABLE = """
health NoIdleCheck                        idle/fin/noticed                    errors
health FinUnnoticed                       idle/half_close/noticed             errors
health ResetUnnoticed                     idle/reset/noticed                  errors
health TakesTicketsForTheEnd              reuse/tls/tickets                   handshakes
health LooksOnlyAtHandout                 idle/fin/detected                   detects_within
health PrePingIgnored                     idle/fin/pre_ping                   errors
health PingAfterHandout                   idle/stall/pre_ping                 errors
health PingResultIgnored                  idle/stall/pre_ping                 errors
health UnboundedPing                      idle/stall/pre_ping                 errors
health NoSuspicion                        idle/reset/all_forgotten            errors
health UnreadBytesUnnoticed               idle/insert/second_reply            no_crosstalk
health KeepAliveIgnored                   keepalive/announced/on_the_way      errors
health ConnectionCloseIgnored             keepalive/goodbye/fin_later         errors
health RecycleIgnored                     idle/age/recycle                    connections_opened
health RecycleCountsFromUse               backends/rotate/kept                leaves_retired_backend
health RecyclesInUse                      pool/recycle/not_in_use             errors
health IdleTimeoutIgnored                 pool/idle_timeout/unused            connections_opened
health IdleTimeoutCountsFromOpening       pool/idle_timeout/in_use            connections_opened
slots SlotLostOnCancelWaiting             cancel/storm/every_slot_survives    slots_conserved
slots SlotLostOnCancelInFlight            cancel/in_flight/before_the_reply   slots_conserved
slots SlotLostOnTimeout                   stall/response/body                 slots_conserved
slots SlotLostOnError                     response/reset/before               slots_conserved
slots SlotLostOnCallerError               leak/abandon/exception              slots_conserved
slots SlotLostOnFailedConnect             tls/handshake_reset/first_connects  slots_conserved
slots LostLeaseNeverReclaimed             leak/abandon/reference              slots_conserved
slots CounterDrift                        pool/size/after_failures            connections_peak
slots HandedOutTwice                      cancel/waiting/in_the_queue         errors
slots CancellationIgnored                 cancel/in_flight/lets_go            every_call_ends
fairness LifoWaiters                      pool/queue/first_come_first_served  fifo_waiters
fairness WaiterForgottenOnRelease         pool/queue/first_come_first_served  errors
fairness WaiterForgottenOnDiscard         pool/queue/behind_discards          acquire_within
fairness WaiterForgottenOnFailedConnect   tls/handshake_reset/first_connects  errors
fairness PoolTimeoutIgnored               pool/timeout/exhausted              acquire_within
limits OverflowNeverClosed                pool/max_overflow/grows_and_shrinks connections_opened
limits OverflowUsedOnce                   pool/max_overflow/grows_and_shrinks connections_opened
limits OverflowIgnored                    pool/max_overflow/grows_and_shrinks slots_conserved
limits LimitExceededByRace                pool/size/spike                     connections_peak
limits MinIdleIgnored                     pool/min_idle/kept_ready            connections_opened
limits ConnectionPerCall                  reuse/tcp/steady                    reuse
limits ConnectsForEveryWaiter             reuse/tcp/lonely_caller             connections_opened
limits IdleUsedInTurn                     pool/idle_timeout/shrinks           connections_opened
retries RetriesUnsafeCalls                response/close/before               at_most_once
retries RetriesTimeouts                   shape/latency/beyond_timeout        retry_amplification
retries RetriesForEver                    connect/accept_reset/outage         connections_opened
retries NoRetries                         request/reset/before                errors
retries ReusedAfterCancel                 cancel/in_flight/before_the_reply   no_crosstalk
retries ReusedAfterTimeout                stall/response/late_reply           no_crosstalk
retries NoCallTimeout                     shape/latency/beyond_timeout        errors
retries QueueIgnoresCallTimeout           connect/refuse/impatient_callers    every_call_ends
retries TimeoutRestarts                   shape/slow/loris                    every_call_ends
retries ErrorKindSwallowed                response/close/before               error_names_cause
retries SaysNotSent                       response/close/before               at_most_once
retries BlamesThePool                     connect/refuse/outage               errors
replies TruncatedBodyAccepted             truncation/length/fin               no_silent_truncation
replies LastChunkNotChecked               truncation/chunked/fin              no_silent_truncation
replies TlsTruncationAccepted             truncation/eof/tls                  no_silent_truncation
tls CertificateNotVerified                tls/certificate/untrusted           handshakes
tls HostNameNotChecked                    tls/certificate/wrong_host          handshakes
tls VerifiedOnlyOnce                      tls/certificate/expires_later       handshakes
tls BadCertificateTriedAgain              tls/certificate/every_other         connections_opened
connecting UnboundedConnect               tls/handshake_hang/first_connects   errors
connecting NoBackoff                      connect/refuse/waited_out           backoff
connecting ThunderingReconnects           connect/refuse/waited_out           connect_rate
connecting BackoffWithoutCap              connect/refuse/outage               recovers_within
connecting FailuresNeverForgotten         tls/handshake_reset/now_and_then    latency
connecting BreakerNeverCloses             connect/refuse/outage               recovers_within
connecting ConnectNotRetried              tls/handshake_reset/first_connects  errors
connecting LockedWhileConnecting          connect/connect_delay/one           latency
connecting HandshakeLeaksSocket           tls/handshake_reset/first_connects  no_leaks
closing CloseWaitsForCalls                pool/close/endless_call             closes_within
closing CloseWaitsForConnects             pool/close/connecting               closes_within
closing CloseForgetsWaiters               pool/close/calls_in_silence         errors
closing CloseCutsCalls                    pool/close/calls_may_finish         errors
closing CloseLeaksIdle                    reuse/tcp/steady                    no_leaks
closing DiscardedNotClosed                response/close/before               no_leaks
ages AgeWrapsEachHour                     ages/recycle/hour                   connections_opened
ages RecycleLosesDays                     ages/recycle/day                    connections_opened
ages IdleTimerOverflows                   ages/idle_timeout/weeks             connections_opened
ages IdleForAMinuteAtMost                 ages/idle_timeout/ten_minutes       connections_opened
ages OwnKeepAliveWins                     ages/keep_alive/nginx               connections_opened
ages KeepAliveOfTwoDigits                 ages/keep_alive/two_minutes         connections_opened
ages FiveMinutesInAll                     ages/call/ten_minutes               errors
ages QueueOfHalfAMinute                   ages/queue/two_minutes              errors
ages SleepsAfterAnHour                    ages/min_idle/day                   connections_opened
ages LeaksNowAndThen                      ages/week/hourly                    no_leaks
packets PingsOnlyOnce                     silence/nat_expiry/firewall         errors
packets PingsOneByOne                     silence/blackhole/many_idle         errors
packets SilenceIsNoSuspicion              silence/nat_expiry/unpinged         errors
packets RetriesUnacknowledgedCalls        silence/blackhole/acknowledgements  at_most_once
packets HedgesUnsafeCalls                 network/partition/replies_lost      at_most_once
packets UnreachableIsPermanent            network/partition/unreachable       errors
packets NoRouteRemembered                 network/link_down/half_a_minute     recovers_within
packets BackoffOfMinutes                  network/partition/rejected          recovers_within
packets GivesUpAfterTwenty                network/partition/rejected          recovers_within
packets ConnectTimeoutForTlsOnly          network/drop_syn/all                slots_conserved
hosts HammersTheUnreachable               network/partition/unreachable       backoff
hosts GivesUpBeforeTheSecondSyn           network/drop_syn/first              errors
hosts NoPortIsPermanent                   kernel/port_exhaustion/waited_out   errors
hosts BindsToItsFirstAddress              roaming/address_change/in_flight    errors
hosts UnroutableLeaksSocket               link/link_down/no_way_out           no_leaks
hosts UserTimeoutTooShort                 path/partition/replies_late         errors
hosts LingersOnClose                      path/blackhole/close                closes_within
hosts RetriesAbortedCalls                 kernel/sock_destroy/in_flight       at_most_once
hosts AbortedIsNoReset                    roaming/sock_destroy/network_gone   errors
databases OpenTransactionHandedOn         postgres/transaction/abandoned      clean_checkout
databases FailedTransactionHandedOn       postgres/transaction/failed         errors
databases SessionNotReset                 postgres/session/left_behind        clean_checkout
databases SessionOwingAResult             postgres/cancel/late_result         errors
databases FarewellUnread                  postgres/goodbye/idle_noticed       errors
databases FatalTakenForAnError            postgres/goodbye/idle_survived      errors
databases SlotLostOnFailedLogin           postgres/connect/silence            slots_conserved
databases LoginLeaksSocket                postgres/close/connecting           no_leaks
databases LostCommitPassesForDone         postgres/transaction/commit_lost    errors
databases LostCommitMadeAgain             postgres/transaction/commit_lost    at_most_once
databases PipelineOwingReplies            redis/cancel/late_reply             no_crosstalk
databases StrayReplyTaken                 redis/idle/stray_reply              no_crosstalk
"""

BROKEN = tuple(Broken(*line.split()) for line in _TABLE.strip().splitlines())

_MISSED_BY = """
AgeWrapsEachHour            idle/age/recycle                pool/recycle/by_age
RecycleLosesDays            pool/recycle/by_age             pool/recycle/not_in_use
IdleTimerOverflows          pool/idle_timeout/unused        pool/idle_timeout/shrinks
IdleForAMinuteAtMost        pool/idle_timeout/in_use        reuse/tcp/steady
OwnKeepAliveWins            keepalive/announced/closed      reuse/tcp/steady
KeepAliveOfTwoDigits        keepalive/announced/closed      keepalive/announced/on_the_way
FiveMinutesInAll            shape/latency/beyond_timeout    shape/slow/loris
QueueOfHalfAMinute          pool/timeout/exhausted          pool/queue/first_come_first_served
SleepsAfterAnHour           pool/min_idle/kept_ready        pool/idle_timeout/unused
LeaksNowAndThen             response/close/before           idle/fin/detected
PingsOnlyOnce               idle/stall/pre_ping             pool/pre_ping/stalled
PingsOneByOne               idle/stall/pre_ping             pool/pre_ping/stalled
SilenceIsNoSuspicion        idle/reset/all_forgotten        stall/all/heals
RetriesUnacknowledgedCalls  response/close/before           stall/response/late_reply
HedgesUnsafeCalls           shape/latency/beyond_timeout    stall/request/runs_late
UnreachableIsPermanent      connect/refuse/waited_out       connect/refuse/outage
NoRouteRemembered           connect/refuse/flapping         connect/refuse/outage
BackoffOfMinutes            connect/refuse/waited_out       connect/refuse/outage
GivesUpAfterTwenty          connect/refuse/waited_out       connect/refuse/outage
ConnectTimeoutForTlsOnly    tls/handshake_hang/outage       connect/accept_hang/tls
HammersTheUnreachable       connect/refuse/waited_out       connect/refuse/outage
GivesUpBeforeTheSecondSyn   connect/connect_delay/one       tls/handshake_hang/outage
NoPortIsPermanent           connect/refuse/waited_out       connect/connection_limit/reset
BindsToItsFirstAddress      connect/refuse/flapping         backends/rotate/kept
UnroutableLeaksSocket       connect/refuse/outage           tls/handshake_reset/first_connects
UserTimeoutTooShort         stall/all/heals                 stall/response/late_reply
LingersOnClose              pool/close/calls_in_silence     pool/close/endless_call
RetriesAbortedCalls         response/reset/before           response/close/before
AbortedIsNoReset            request/reset/before            idle/reset/noticed
"""

MISSED_BY = {name: tuple(ids) for name, *ids in map(str.split, _MISSED_BY.strip().splitlines())}
"""Of the pools that only packets or long times find: the scenarios without either that come
nearest to the defect, and that such a pool passes."""

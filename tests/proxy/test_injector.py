"""Which faults strike where: pure decisions."""

from raw import fault, when

from harness.faults import Admission, BackendChange, LiveConnections
from harness.history import FaultArmed, FaultFired, FaultHealed
from harness.proxy import Address, Backends, Injector
from harness.trigger import Ordinals, Scene


def injector(*specs, seed=0, phase=None):
    events = []
    made = Injector(seed, Scene(), events.append, 0.0)
    made.arm(list(specs), 0.0)
    if phase is not None:
        made.scene.enter(phase, 10.0)
    return made, events


def admissions(made, count=40, open_connections=0, now=11.0):
    return [made.on_accept(n, "blue", open_connections, now)[0] for n in range(1, count + 1)]


def test_the_same_seed_takes_the_same_decisions_in_whatever_order_it_is_asked():
    spec = fault("accept_reset", when(probability=0.3))
    forward = admissions(injector(spec, seed=3)[0])
    made, _ = injector(spec, seed=3)
    backward = [made.on_accept(n, "blue", 0, 11.0)[0] for n in range(40, 0, -1)]
    assert forward == backward[::-1]
    assert forward != admissions(injector(spec, seed=4)[0])
    assert 4 < forward.count(Admission.RESET) < 22


def test_scopes_choose_connections():
    made, _ = injector(fault("accept_reset", when(connection="every 2", times=2)))
    assert [n for n, d in enumerate(admissions(made, 8), 1) if d] == [2, 4]
    made, _ = injector(fault("accept_close", when(backend="green")))
    assert made.on_accept(1, "blue", 0, 0.0) == (None, None)
    assert made.on_accept(2, "green", 0, 0.0)[0] is Admission.CLOSE


def test_the_first_fault_that_decides_decides():
    specs = [fault("connection_limit", limit=2), fault("accept_close")]
    made, events = injector(*specs)
    assert admissions(made, 1, open_connections=1) == [Admission.CLOSE]
    assert admissions(made, 1, open_connections=2) == [Admission.RESET]
    assert [event.fault for event in events if isinstance(event, FaultFired)] == [
        "accept_close",
        "connection_limit",
    ]


def test_windows_open_and_close():
    made, _ = injector(fault("refuse", when(at_s=5.0, for_s=2.0)), phase="work")
    assert [made.listens(now) for now in (14.9, 15.0, 16.9, 17.0)] == [True, False, False, True]
    assert [made.next_change(now) for now in (11.0, 15.0, 17.0)] == [15.0, 17.0, None]
    made, _ = injector(fault("refuse", when(during="work", for_s=2.0)), phase="work")
    assert [made.listens(now) for now in (10.0, 12.0)] == [False, True]
    assert made.next_change(10.0) == 12.0


def test_a_window_of_nothing_but_for_begins_with_the_workload():
    made, _ = injector(fault("refuse", when(for_s=2.0)))
    assert not made.listens(1.0)
    made.scene.enter("work", 10.0)
    assert [made.listens(now) for now in (10.0, 11.9, 12.0)] == [False, False, True]


def test_a_change_of_backends_happens_once_an_occasion():
    made, _ = injector(fault("rotate", when(during="deploy")), phase="deploy")

    def changes(now):
        return len(list(made.backend_changes(now)))

    assert [changes(10.0), changes(11.0)] == [1, 0]
    made.scene.enter("calm", 12.0)
    assert changes(12.0) == 0
    made.scene.enter("deploy", 13.0)
    assert changes(13.0) == 1


def test_healed_faults_decide_nothing_and_are_told_once():
    made, events = injector(fault("accept_reset"))
    for _ in range(2):
        made.heal(made.charges[0], 1.0)
    assert admissions(made, 3) == [None] * 3
    assert [type(event) for event in events] == [FaultArmed, FaultHealed]


# --- backends -------------------------------------------------------------------------------


def backends(*names, **options):
    return Backends({name: Address("127.0.0.1", 1) for name in names}, **options)


def rotation(**options):
    return BackendChange(LiveConnections.KEEP, **options)


def test_rotation_takes_the_next_that_was_not_taken_out_before():
    b = backends("a", "b", "c")
    assert [b.apply(rotation())[1] for _ in range(5)] == ["b", "c", "a", "b", "c"]
    assert b.apply(rotation(to="b")) == ("c", "b")


def test_a_dead_backend_is_no_successor():
    b = backends("a", "b", "c")
    b.apply(rotation(retire="b", dead=True))
    assert b.apply(rotation()) == ("a", "c")
    b.apply(rotation(dead=True))
    assert (b.current, b.in_service("a")) == ("a", True)


def test_the_last_one_stays_in_use_until_another_lives():
    b = backends("a", "b")
    b.apply(rotation(dead=True))
    assert b.apply(rotation(dead=True)) == ("b", "b")
    assert not b.in_service(b.choose())
    b.revive("a")
    assert b.choose() == "a"


def test_round_robin_skips_who_is_out():
    b = backends("a", "b", "c", round_robin=True)
    b.apply(rotation(retire="b"))
    assert [b.choose() for _ in range(4)] == ["a", "c", "a", "c"]


def test_a_cancellation_may_choose_calls_by_the_order_in_which_they_begin():
    made, _ = injector(fault("cancel", when(during="rush"), step=3, call=Ordinals("every", 2)))
    made.scene.enter("warm", 10.0)
    assert made.on_call("a", 11.0) is None
    made.scene.enter("rush", 12.0)
    chosen = [key for key in "bcdef" if made.on_call(key, 13.0) is not None]
    assert chosen == ["c", "e"]

"""When faults fire on a connection, how often, how long, and how they come and go."""

import pytest
from fake_shell import DOWN, UP, Play, fault, when

from harness.timeline import Side
from harness.units import Spread


def latency(trigger=when(), direction="downstream", delay_s=1.0):  # noqa: B008 - frozen
    return fault("latency", trigger, delay_s=Spread(delay_s), direction=direction)


def test_idle_counts_from_the_last_byte_and_not_while_a_reply_is_awaited():
    play = Play(fault("close", when(idle_s=2.0))).wait(1.0).ask().wait(60.0)
    assert play.fired == []
    play.reply().wait(1.999)
    assert play.fired == []
    play.wait(0.001)
    assert play.fired == [("close", "age 63000 ms, idle 2000 ms")]


def test_idle_with_a_request_is_the_request_that_comes_after_a_pause():
    play = Play(fault("reset", when(idle_s=2.0, request="every 1"))).ask(b"1").reply()
    play.wait(1.0).ask(b"2").reply()
    assert play.ends(UP) == []
    play.wait(2.0).ask(b"3")
    assert play.passed(UP) == b"12"
    assert play.ends(UP) == ["reset"]


def test_age_counts_from_the_opening_and_at_from_the_workload():
    play = Play(fault("close", when(age_s=3.0)), at=10.0).wait(2.9)
    assert play.ends(DOWN) == []
    assert play.wait(0.1).ends(DOWN) == ["close"]
    play = Play(fault("close", when(at_s=3.0)), at=10.0).wait(50.0)
    assert play.ends(DOWN) == []  # no workload has begun
    play.phase("work").wait(2.9)
    assert play.ends(DOWN) == []
    assert play.wait(0.1).ends(DOWN) == ["close"]


def test_at_holds_back_a_point_until_its_time():
    play = Play(fault("close", when(at_s=3.0, response="every 1"))).phase("work")
    play.ask().reply().wait(3.0).ask().reply()
    assert play.fired == [("close", "downstream exchange 2 byte 0")]


def test_during_begins_and_ends_with_the_phase():
    play = Play(latency(when(during="rush"))).phase("warm").ask().reply(b"a")
    assert play.passed(DOWN) == b"a"
    play.phase("rush").ask().reply(b"b")
    assert play.passed(DOWN) == b"a"
    play.wait(1.0).phase("after").ask().reply(b"c")
    assert play.passed(DOWN) == b"abc"


def test_during_fires_again_when_its_phase_comes_again():
    play = Play(latency(when(during="rush")))
    for phase in ("rush", "calm", "rush"):
        play.phase(phase).ask().reply().wait(1.0)
    assert len(play.fired) == 2


def test_for_ends_it_by_itself_and_releases_what_was_held():
    play = Play(fault("stall", when(response=1, for_s=2.0))).ask().reply(b"held").wait(1.9)
    assert play.passed(DOWN) == b""
    assert play.wait(0.2).passed(DOWN) == b"held"


def test_a_window_of_the_run_is_one_for_all_connections():
    late = Play(at=0.0)
    late.phase("outage").wait(1.5)
    armed = fault("stall", when(during="outage", for_s=2.0)).arm(0, 0)
    late.connection.attach(armed, late.now)
    late.ask(b"q").wait(0.4)
    assert late.passed(UP) == b""
    assert late.wait(0.2).passed(UP) == b"q"
    after = Play()
    after.phase("outage").wait(2.5)
    after.connection.attach(armed, after.now)
    assert after.ask(b"q").passed(UP) == b"q"


def test_for_without_a_window_counts_on_each_connection():
    play = Play(fault("stall", when(for_s=1.0)), at=50.0).phase("work").ask(b"q").wait(0.9)
    assert play.passed(UP) == b""
    assert play.wait(0.2).passed(UP) == b"q"


@pytest.mark.parametrize(
    ("ordinals", "hit"),
    [("2", [2]), ("first 2", [1, 2]), ("every 2", [2, 4])],
)
def test_connection_chooses_by_ordinal(ordinals, hit):
    spec = fault("close", when(connection=ordinals, event="connected"))
    struck = []
    for ordinal in range(1, 6):
        play = Play(spec, ordinal=ordinal)
        play.connection.event("connected", 0.0)
        if play.settle().ends(DOWN):
            struck.append(ordinal)
    assert struck == hit


def test_times_counts_over_all_connections_of_a_run():
    armed = fault("close", when(response=1, times=2)).arm(0, 0)
    plays = [Play(ordinal=n) for n in (1, 2, 3)]
    for play in plays:
        play.connection.attach(armed, 0.0)
        play.ask().reply()
    assert [len(play.fired) for play in plays] == [1, 1, 0]


def test_once_is_times_one():
    armed = fault("latency", when(response="every 1", once=True), delay_s=Spread(1.0)).arm(0, 0)
    play = Play()
    play.connection.attach(armed, 0.0)
    play.ask().reply(b"a").wait(1.0).ask().reply(b"b")
    assert play.passed(DOWN) == b"ab"


def test_backend_chooses_connections_to_it():
    assert Play(fault("close", when(backend="green", age_s=1.0))).wait(5.0).ends(DOWN) == []
    assert Play(fault("close", when(backend="blue", age_s=1.0))).wait(5.0).ends(DOWN) == ["close"]


def test_chance_depends_on_seed_and_connection_alone():
    spec = fault("close", when(idle_s=1.0, probability=0.5))

    def struck(seed, pace_s):
        hits = []
        for ordinal in range(1, 30):
            play = Play(spec, seed=seed, ordinal=ordinal)
            play.ask().wait(pace_s).reply().wait(2.0)
            hits.append(bool(play.fired))
        return hits

    assert struck(1, 0.001) == struck(1, 0.7)
    assert struck(1, 0.001) != struck(2, 0.001)
    assert 5 < sum(struck(1, 0.001)) < 24


def test_a_greeting_before_any_request_belongs_to_no_exchange():
    play = Play(fault("close", when(response="every 1"))).reply(b"220 ready")
    assert play.fired == []
    assert play.ask().reply().fired != []


def test_the_end_of_the_clients_half_is_an_event():
    play = Play(fault("reset", when(event="half_closed"))).ask().fin(Side.CLIENT)
    assert play.ends(DOWN) == ["reset"]


def test_an_event_after_the_strike_does_not_strike_again():
    play = Play(fault("close", when(event="connected", times=5)))
    for _ in range(3):
        play.connection.event("connected", play.now)
    assert len(play.settle().fired) == 1


def test_a_fault_of_one_message_ends_with_it_in_every_direction():
    play = Play(latency(when(request=2), direction="both"))
    play.ask(b"1").reply(b"a")
    assert play.passed(UP) + play.passed(DOWN) == b"1a"
    play.ask(b"2").wait(1.0).reply(b"b")
    assert play.passed(DOWN) == b"a"
    play.wait(1.0).ask(b"3").reply(b"c")
    assert (play.passed(UP), play.passed(DOWN)) == (b"123", b"abc")
    assert len(play.fired) == 1


def test_a_fault_of_every_message_lets_go_of_the_message_before():
    play = Play(fault("slow", when(request="every 1"), rate_bytes_per_s=1.0, direction="both"))
    play.ask(b"1").reply(b"abc")
    play.ask(b"2").reply(b"def").wait(10.0)
    assert play.passed(DOWN) == b"abcdef"
    assert len(play.fired) == 2


def test_a_stall_set_off_by_one_response_lasts_for_the_connection():
    play = Play(fault("stall", when(response=1))).ask().reply(b"a").ask().reply(b"b").wait(60.0)
    assert play.passed(DOWN) == b""
    assert play.heal().passed(DOWN) == b"ab"


def test_a_fault_attached_to_a_live_connection_works_from_then_on():
    play = Play().ask().reply(b"a")
    armed = latency().arm(0, 0)
    play.connection.attach(armed, play.now)
    play.ask().reply(b"b")
    assert play.passed(DOWN) == b"a"
    play.connection.heal(armed, play.now)
    assert play.wait(1.0).passed(DOWN) == b"ab"
    assert play.connection.is_plain


def test_an_age_that_has_passed_fires_as_soon_as_the_fault_is_attached():
    play = Play().wait(10.0)
    play.connection.attach(fault("reset", when(age_s=3.0)).arm(0, 0), play.now)
    assert play.settle().ends(DOWN) == ["reset"]


def test_a_gap_in_what_a_match_saw_joins_nothing():
    play = Play(fault("latency", when(match="ab", for_s=1.0), delay_s=Spread(0.1)))
    play.ask().reply(b"ab")  # fires; while it works nobody looks for matches
    play.reply(b"..a").wait(1.1).reply(b"b..").wait(5.0)
    assert play.armed[0].fired == len(play.fired) == 1


# --- faults that work elsewhere -------------------------------------------------------------


def taken(play):
    """What a packet fault fired: where, and until when it works."""
    return [(fired.where, fired.until) for fired in play.connection.take_fired()]


def test_a_packet_fault_only_tells_and_the_bytes_pass():
    play = Play(fault("blackhole", when(request=2), direction="upstream"))
    play.ask(b"1").reply(b"a")
    assert play.fired == []
    play.ask(b"23").reply(b"b")
    assert play.fired == [("blackhole", "upstream exchange 2 byte 0")]
    assert (play.passed(UP), play.passed(DOWN)) == (b"123", b"ab")
    assert play.ends(UP) == play.ends(DOWN) == []


def test_a_packet_fault_once_fired_works_on_however_many_messages_follow():
    play = Play(fault("blackhole", when(request="every 1")))
    for _ in range(5):
        play.ask().reply()
    assert len(play.fired) == 1


def test_a_packet_fault_tells_until_when_it_works_and_may_fire_again():
    play = Play(fault("loss", when(response="every 2", for_s=1.0), rate=0.5), at=10.0)
    connection = play.connection
    for _ in range(2):
        connection.receive(UP, b"?", play.now)
        connection.receive(DOWN, b"!", play.now)
    assert taken(play) == [("downstream exchange 2 byte 0", 11.0)]
    play.wait(2.0)
    for _ in range(2):
        connection.receive(UP, b"?", play.now)
        connection.receive(DOWN, b"!", play.now)
    assert taken(play) == [("downstream exchange 4 byte 0", 13.0)]


def test_a_packet_fault_on_chosen_connections_fires_as_they_are_served():
    spec = fault("mtu", when(connection="first 2"), limit_bytes=1400)
    assert [len(Play(spec, ordinal=n).fired) for n in (1, 2, 3)] == [1, 1, 0]


def test_a_packet_fault_that_is_healed_fires_no_more():
    play = Play(fault("vanish", when(idle_s=1.0))).heal().wait(5.0)
    assert play.fired == []
    assert play.connection.is_plain

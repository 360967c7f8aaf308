"""How much latency, how fast a narrow link, which bits are flipped."""

import itertools
from statistics import fmean, pstdev

import pytest
from fake_shell import DOWN, Play, fault

from harness.faults import Cancellation, LiveConnections, all_faults
from harness.faults._pacing import Pipe
from harness.faults.latency import BLOCK_BYTES
from harness.timeline import Draws
from harness.units import Spread

F = all_faults()


def delays(count=600, **options):
    play = Play(fault("latency", **options))
    drawn = []
    for number in range(count):
        play.now = number * 1000.0
        play.ask().reply().wait(900.0)
        drawn.append(play.out[DOWN][-1][0] - number * 1000.0)
    return drawn


@pytest.mark.parametrize("distribution", ["uniform", "normal", "lognormal", "pareto"])
def test_delay_is_the_mean_and_jitter_the_spread(distribution):
    drawn = delays(delay_s=Spread(1.0, 0.2), distribution=distribution)
    assert min(drawn) >= 0
    assert fmean(drawn) == pytest.approx(1.0, rel=0.05)
    expected = 0.2 / 3**0.5 if distribution == "uniform" else 0.2
    assert pstdev(drawn) == pytest.approx(expected, rel=0.4)
    if distribution == "uniform":
        assert 0.8 <= min(drawn) <= max(drawn) <= 1.2 + 1e-6


def test_correlation_makes_one_delay_resemble_the_one_before():
    def lag_one(correlation):
        drawn = delays(delay_s=Spread(1.0, 0.2), distribution="normal", correlation=correlation)
        mean = fmean(drawn)
        pairs = itertools.pairwise(drawn)
        return fmean((a - mean) * (b - mean) for a, b in pairs) / pstdev(drawn) ** 2

    assert abs(lag_one(0.0)) < 0.15
    assert lag_one(0.8) > 0.6


def test_a_long_message_gets_a_new_delay_every_block():
    play = Play(fault("latency", delay_s=Spread(1.0, 0.9)))
    play.ask().reply(b"x" * (3 * BLOCK_BYTES)).wait(10.0)
    assert 1 < len({at for at, _ in play.out[DOWN]}) <= 3


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("latency", {"delay_s": Spread(1.0, 0.1), "jitter_s": 0.1}),
        ("latency", {"delay_s": Spread(0.0, 0.1), "distribution": "pareto"}),
        ("slice", {"size_bytes": 4, "variation_bytes": 4}),
        ("rotate", {"drain": True, "cut": True}),
        ("goodbye", {"timeout_s": 1.5}),
        ("cancel", {}),
        ("cancel", {"after_s": 1.0, "step": 2}),
    ],
)
def test_what_makes_no_sense_says_so(name, fields):
    with pytest.raises(ValueError, match=r"\w"):
        F[name](**fields)


@pytest.mark.parametrize("burst", [0, 500])
def test_a_narrow_link_keeps_its_rate_and_credits_quiet_time(burst):
    play = Play(fault("bandwidth", rate_bytes_per_s=1000.0, burst_bytes=burst), at=100.0)
    for _ in range(2):  # at the beginning and after a quiet time alike
        start = play.now
        play.ask().reply(b"x" * 2000).wait(60.0)
        took_s = play.out[DOWN][-1][0] - start
        assert took_s == pytest.approx((2000 - burst) / 1000.0, abs=0.01)


def test_a_shared_pipe_is_shared():
    armed = fault("bandwidth", rate_bytes_per_s=1000.0, shared=True).arm(0, 0)
    plays = [Play(ordinal=n) for n in (1, 2)]
    for play in plays:
        play.connection.attach(armed, 0.0)
        play.ask().reply(b"x" * 1000)
    ends = []
    for _ in range(4000):
        for play in plays:
            play.wait(0.001)
    ends = [play.instants(DOWN)[-1] for play in plays]
    assert max(ends) == pytest.approx(2.0, abs=0.02)
    assert [len(play.passed(DOWN)) for play in plays] == [1000, 1000]


def test_a_pipe_makes_up_for_late_wake_ups_only():
    pipe = Pipe(100.0)
    pipe.charge(10, 5.0)
    assert pipe.free_at == pytest.approx(5.1)
    pipe.charge(10, 9.0)
    assert pipe.free_at == pytest.approx(9.1)


def test_corrupt_flips_one_bit_in_each_of_so_many_bytes():
    play = Play(fault("corrupt", count_bytes=3)).ask().reply(b"\0" * 2).reply(b"\0" * 5)
    flipped = play.passed(DOWN)
    assert [byte.bit_count() for byte in flipped] == [1, 1, 1, 0, 0, 0, 0]


def test_slices_vary_by_the_seed_and_come_apart():
    play = Play(fault("slice", size_bytes=10, variation_bytes=3, delay_s=0.5))
    play.ask().reply(b"x" * 200).wait(60.0)
    out = play.out[DOWN]
    assert {len(item.payload) for _, item in out[:-1]} <= set(range(7, 14))
    assert len({len(item.payload) for _, item in out[:-1]}) > 1
    gaps = {round(b - a, 6) for (a, _), (b, _) in itertools.pairwise(out)}
    assert gaps == {0.5}


# --- faults without bytes -------------------------------------------------------------------


def test_cancel_says_when_in_the_call():
    random = Draws(1).random("call")
    assert F["cancel"](step=3).on_call(random) == Cancellation(step=3)
    struck = F["cancel"](after_s=1.0, jitter_s=0.5).on_call(random)
    assert 1.0 <= struck.after_s <= 1.5


def test_rotation_says_what_becomes_of_live_connections():
    kinds = [F["rotate"](**options).change().live for options in ({"cut": True}, {"drain": True})]
    assert kinds == [LiveConnections.RESET, LiveConnections.DRAIN]
    assert F["rotate"]().change().live is LiveConnections.KEEP
    assert list(F["rotate"](to="green").backends()) == ["green"]
    assert list(F["kill"]().backends()) == []

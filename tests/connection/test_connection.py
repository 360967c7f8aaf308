"""What becomes of bytes and ends, without faults and with faults that end the connection."""

import itertools

import pytest
from fake_shell import DOWN, UP, Play, fault, when
from hypothesis import given
from hypothesis import strategies as st

from harness.timeline import Side
from harness.units import Spread

CLIENT, BACKEND = Side.CLIENT, Side.BACKEND


# --- transparency ---------------------------------------------------------------------------


def test_fin_is_passed_on_as_fin_and_the_other_half_stays_open():
    play = Play().ask(b"all I have to say").fin(CLIENT)
    assert play.ends(UP) == ["fin"]
    play.reply(b"late answer").fin(BACKEND)
    assert play.passed(DOWN) == b"late answer"
    assert play.ends(DOWN) == ["fin"]
    assert play.connection.is_over
    assert (play.connection.ended_by, play.connection.ended_how) == ("client", "fin")


def test_the_backends_half_close_leaves_the_upstream_open():
    play = Play().ask().fin(BACKEND).ask(b"more").fin(CLIENT)
    assert play.passed(UP) == b"?more"
    assert play.ends(DOWN) == play.ends(UP) == ["fin"]
    assert play.connection.is_over


@pytest.mark.parametrize("side", Side)
def test_rst_is_passed_on_as_rst(side):
    play = Play().ask().reset(side)
    other = side.inbound.opposite
    assert play.ends(other) == ["reset"]
    assert play.connection.is_over
    assert play.connection.ended_by == side.value
    assert play.connection.ended_how == "reset"


def test_rst_may_follow_a_fin_that_was_passed_on():
    play = Play().ask().reply(b"bye").fin(BACKEND).reset(BACKEND)
    assert play.ends(DOWN) == ["fin", "reset"]
    assert play.connection.is_over


def test_a_missing_close_notify_is_passed_on_as_missing():
    assert Play().fin(BACKEND, notify=False).ends(DOWN) == ["ragged fin"]


def test_news_of_an_end_that_is_over_changes_nothing():
    play = Play().reset(CLIENT).reset(CLIENT).fin(CLIENT).fin(BACKEND).reset(BACKEND)
    assert play.ends(UP) == ["reset"]
    assert play.ends(DOWN) == []


# --- strikes at exact bytes -----------------------------------------------------------------

EXCHANGES = st.lists(
    st.tuples(st.binary(min_size=1, max_size=60), st.binary(min_size=1, max_size=60)),
    min_size=1,
    max_size=4,
)
ENDINGS = st.sampled_from(["close", "reset", "truncate"])


def play_exchanges(play, exchanges, cuts):
    """Requests and replies by turns, each cut into chunks as ``cuts`` says."""
    for request, reply in exchanges:
        for direction, message in ((UP, request), (DOWN, reply)):
            for chunk in chunks(message, cuts):
                play.send(direction, chunk)
    return play


def chunks(message, cuts):
    places = sorted({cut % len(message) for cut in cuts} | {0, len(message)})
    return [message[a:b] for a, b in itertools.pairwise(places)]


@given(EXCHANGES, st.lists(st.integers(0, 1000), max_size=6), st.data(), ENDINGS)
def test_a_strike_in_a_message_lets_exactly_the_bytes_before_it_pass(exchanges, cuts, data, name):
    number = data.draw(st.integers(1, len(exchanges)))
    in_request = data.draw(st.booleans())
    message = exchanges[number - 1][0 if in_request else 1]
    byte = data.draw(st.integers(0, len(message)))
    word = "request" if in_request else "response"
    play = Play(fault(name, when(**{word: number, "byte": byte})))
    play_exchanges(play, exchanges, cuts)
    ended = {"close": "close", "reset": "reset", "truncate": "truncation"}[name]
    before = b"".join(pair[0 if in_request else 1] for pair in exchanges[: number - 1])
    struck, other = (UP, DOWN) if in_request else (DOWN, UP)
    assert play.passed(struck) == before + message[:byte]
    assert play.ends(struck) == play.ends(other) == [ended]
    full = b"".join(pair[1 if in_request else 0] for pair in exchanges[:number])
    assert full.startswith(play.passed(other))
    assert len(play.fired) == 1
    assert play.connection.is_over
    assert play.connection.ended_by == f"fault:{name}"


@given(EXCHANGES, st.lists(st.integers(0, 1000), max_size=6), st.data())
def test_a_byte_alone_counts_the_whole_direction(exchanges, cuts, data):
    stream = b"".join(reply for _, reply in exchanges)
    byte = data.draw(st.integers(0, len(stream)))
    play = play_exchanges(Play(fault("reset", when(byte=byte))), exchanges, cuts)
    assert play.passed(DOWN) == stream[:byte]
    assert play.ends(DOWN) == ["reset"]


@given(st.binary(max_size=200), st.binary(max_size=50), st.lists(st.integers(0, 1000), max_size=8))
def test_a_match_is_found_across_segment_borders(before, after, cuts):
    text = before + b"COMMIT" + after
    play = play_exchanges(Play(fault("reset", when(match="COMMIT"))), [(b"?", text)], cuts)
    assert play.passed(DOWN) == text[: text.index(b"COMMIT") + len(b"COMMIT")]
    assert play.ends(DOWN) == ["reset"]


@given(st.lists(st.integers(0, 1000), max_size=8), st.integers(0, 50))
def test_chance_chooses_among_matches_whatever_the_chunks(cuts, seed):
    text = b"-x" * 40
    spec = fault("close", when(match="x", probability=0.2))
    whole = play_exchanges(Play(spec, seed=seed), [(b"?", text)], [])
    parts = play_exchanges(Play(spec, seed=seed), [(b"?", text)], cuts)
    assert whole.passed(DOWN) == parts.passed(DOWN)


def test_chance_gives_every_match_in_a_chunk_its_own_turn():
    spec = fault("close", when(match="x", probability=0.2))
    plays = [Play(spec, seed=seed).ask().reply(b"-x" * 40) for seed in range(40)]
    assert sum(bool(play.fired) for play in plays) >= 38  # all but 0.8 ** 40 of them


def test_a_struck_connection_fires_no_more():
    play = Play(fault("close", when(response="every 1")), fault("limit", limit_bytes=1))
    play.ask().reply().reply().ask().reply()
    assert [name for name, _ in play.fired] == ["close"]


def test_side_says_who_is_reset_and_who_is_closed():
    play = Play(fault("reset", when(response=1, byte=1), side="client")).ask().reply(b"ab")
    assert (play.ends(DOWN), play.ends(UP)) == (["reset"], ["close"])


def test_a_strike_by_time_puts_fin_behind_held_bytes_and_rst_before_them():
    held = fault("latency", delay_s=Spread(5.0), direction="both")
    closed = Play(held, fault("close", when(age_s=2.0))).ask(b"q").wait(2.5)
    assert closed.ends(UP) == []
    closed.wait(10.0)
    assert closed.passed(UP) == b"q"
    assert closed.ends(UP) == ["close"]
    cut = Play(held, fault("reset", when(age_s=2.0))).ask(b"q").wait(2.0)
    assert (cut.passed(UP), cut.ends(UP), cut.ends(DOWN)) == (b"", ["reset"], ["reset"])


def test_fin_waits_behind_a_stall_until_it_heals():
    play = Play(fault("stall", direction="downstream"), fault("close", when(idle_s=1.0)))
    play.ask().reply(b"held").wait(3.0)
    assert (play.passed(DOWN), play.ends(DOWN)) == (b"", [])
    play.heal()
    assert (play.passed(DOWN), play.ends(DOWN)) == (b"held", ["close"])


@pytest.mark.parametrize("order", [("reset", "bandwidth"), ("bandwidth", "reset")])
def test_a_reset_in_the_stream_stays_a_reset_behind_a_narrow_link(order):
    specs = {
        "reset": fault("reset", when(response=1, byte=100)),
        "bandwidth": fault("bandwidth", rate_bytes_per_s=1000.0),
    }
    play = Play(*(specs[name] for name in order)).ask().reply(b"x" * 300).wait(5.0)
    assert play.ends(DOWN) == ["reset"]
    assert play.passed(DOWN) == b"x" * len(play.passed(DOWN))
    if order[0] == "reset":
        assert len(play.passed(DOWN)) == 100


def test_half_close_ends_one_direction_and_the_other_goes_on():
    play = Play(fault("half_close", when(response=1, byte=2))).ask().reply(b"abcd")
    assert (play.passed(DOWN), play.ends(DOWN)) == (b"ab", ["fin"])
    play.ask(b"still here").reply(b"unheard")
    assert play.passed(UP) == b"?still here"
    assert play.passed(DOWN) == b"ab"
    play.fin(CLIENT).fin(BACKEND)
    assert play.connection.is_over


def test_half_close_then_reset_resets_both():
    specs = fault("half_close", when(response=1, byte=1)), fault("reset", when(age_s=3.0))
    play = Play(*specs).ask().reply(b"ab").wait(3.0)
    assert play.ends(DOWN) == ["fin", "reset"]
    assert play.ends(UP) == ["reset"]


def test_close_after_the_clients_half_close_closes_both_ends_whole():
    play = Play(fault("close", when(response=1, byte=1))).ask().fin(CLIENT).reply(b"ab")
    assert play.ends(DOWN) == ["close"]
    assert play.ends(UP) == ["fin", "close"]
    assert play.connection.is_over


def test_limit_is_the_faults_doing_and_closes_the_other_end_too():
    play = Play(fault("limit", limit_bytes=3)).ask().reply(b"abcdef")
    assert (play.passed(DOWN), play.ends(DOWN), play.ends(UP)) == (b"abc", ["close"], ["close"])
    assert play.connection.ended_by == "fault:limit"

"""What holds for every fault there is, whatever it is asked and however bytes are cut."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
from fake_shell import DOWN, UP, Play
from handmade import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from harness.faults import (
    FaultSpec,
    LinkStreamFault,
    PacketFault,
    StreamFault,
    StrikeFault,
    all_faults,
    allowed_triggers,
    fault_aliases,
    site,
)
from harness.faults._packets import FLOWS_LIMIT, Flows
from harness.faults.bandwidth import PIECE_S, Bandwidth
from harness.history import FaultFired
from harness.link import HELD_LIMIT_BYTES, QUEUED_LIMIT_BYTES
from harness.packet import Forged, Forwarded, Packet, PacketKind, Refusal
from harness.proxy import Injector
from harness.timeline import Direction, Draws, Side
from harness.trigger import Scene, Trigger
from harness.units import yaml_name

TRIGGER_WORDS = {yaml_name(field.name) for field in dataclasses.fields(Trigger)}
LONG_S = 3600.0
HTTP_REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome body"


def read(text: str) -> FaultSpec:
    """The fault that an example asks for."""
    words: dict[str, Any] = dict(YAML(typ="safe").load(text))
    kind = all_faults()[words.pop("fault")]
    trigger = dict(words.pop("when", {}))
    own_words = {yaml_name(field.name) for field in dataclasses.fields(kind)}
    conditions = [word for word in words if word in TRIGGER_WORDS - own_words]
    trigger |= {word: words.pop(word) for word in conditions}
    scopes = {word: words.pop(word) for word in ("direction", "side") if word in words}
    own = TypeAdapter(kind).validate_python(words)
    return FaultSpec(own, TypeAdapter(Trigger).validate_python(trigger), **scopes)


EXAMPLES = [text for kind in all_faults().values() for text in kind.EXAMPLES]
SHAPING = [text for text in EXAMPLES if isinstance(read(text).fault, StreamFault)]
STRIKING = [text for text in EXAMPLES if isinstance(read(text).fault, StrikeFault)]
ON_LINKS = [text for text in EXAMPLES if isinstance(read(text).fault, LinkStreamFault)]
ON_PACKETS = [text for text in EXAMPLES if isinstance(read(text).fault, PacketFault)]
PACKETS = st.lists(
    st.builds(
        Packet,
        kind=st.sampled_from(PacketKind),
        flow=st.builds(flow, port=st.integers(1, 4), side=st.sampled_from(Side)),
        direction=st.sampled_from(Direction),
        offset=st.integers(0, 3),
        size_bytes=st.integers(0, 2000),
        attempt=st.integers(0, 3),
    ),
    max_size=30,
)
MESSAGES = st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=4)
WRITES = {"early_response", "goodbye", "insert"}
"""Faults that say something of their own; whatever else alters bytes keeps their number."""
CUTS = st.lists(st.integers(0, 1000), max_size=4)


def alters(spec: FaultSpec) -> bool:
    return getattr(spec.fault, "ALTERS", False)


def at_work(spec: FaultSpec) -> FaultSpec:
    """The same fault from the first byte on, in its own directions."""
    return dataclasses.replace(spec, when=Trigger())


def converse(play: Play, messages: list[bytes], cuts: list[int]) -> Play:
    for number, message in enumerate(messages):
        direction = DOWN if number % 2 else UP
        places = sorted({cut % len(message) for cut in cuts} | {0, len(message)})
        for begin, end in itertools.pairwise(places):
            play.send(direction, message[begin:end])
    return play


def sent(messages: list[bytes], direction: Direction) -> bytes:
    return b"".join(messages[1::2] if direction is DOWN else messages[::2])


def instants(play: Play) -> list[float]:
    return [at for direction in (UP, DOWN) for at, _ in play.out[direction]]


# --- every fault ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", all_faults().values(), ids=all_faults())
def test_a_fault_is_named_like_its_file_and_explains_itself(kind):
    assert kind.__module__.endswith(f".{kind.NAME}")
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")  # a dataclass writes one by itself
    assert kind.EXAMPLES
    assert site(kind) != "the run"
    assert allowed_triggers(kind)
    assert allowed_triggers(kind) <= TRIGGER_WORDS


@pytest.mark.parametrize("kind", all_faults().values(), ids=all_faults())
def test_a_fault_is_a_frozen_value(kind):
    spec = read(kind.EXAMPLES[0])
    assert spec == read(kind.EXAMPLES[0])
    assert hash(spec.fault) == hash(read(kind.EXAMPLES[0]).fault)
    assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_gives_conditions_that_its_fault_allows(text):
    spec = read(text)
    assert spec.when.given() <= allowed_triggers(spec.fault)
    assert list(spec.when.contradictions()) == []


def test_no_word_means_two_things():
    aliases = [word for kind in all_faults().values() for word in kind.ALIASES]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(all_faults())
    assert set(fault_aliases()) == set(aliases)


# --- faults that shape ----------------------------------------------------------------------


@pytest.mark.parametrize("text", SHAPING)
@given(messages=MESSAGES, cuts=CUTS)
@settings(max_examples=8, deadline=None)
def test_order_is_kept_and_no_byte_is_invented_or_lost(text, messages, cuts):
    spec = at_work(read(text))
    play = converse(Play(spec), messages, cuts).wait(LONG_S).heal().wait(LONG_S)
    assert play.held_bytes == 0
    for direction in (UP, DOWN):
        passed, whole = play.passed(direction), sent(messages, direction)
        if alters(spec):
            assert spec.fault.NAME in WRITES or len(passed) == len(whole)
        elif play.ends(direction):
            assert whole.startswith(passed)
        else:
            assert passed == whole


@pytest.mark.parametrize("text", SHAPING)
@given(messages=MESSAGES, cuts=CUTS, seed=st.integers(0, 5))
@settings(max_examples=8, deadline=None)
def test_chunks_change_neither_bytes_nor_delays(text, messages, cuts, seed):
    spec = at_work(read(text))
    whole = converse(Play(spec, seed=seed), messages, []).wait(60.0)
    parts = converse(Play(spec, seed=seed), messages, cuts).wait(60.0)
    # A narrow link lets pieces of a certain length pass: a cut moves bytes within one piece.
    slack_s = PIECE_S * (len(cuts) + 1) if isinstance(spec.fault, Bandwidth) else 1e-6
    for direction in (UP, DOWN):
        assert parts.passed(direction) == whole.passed(direction)
        assert parts.ends(direction) == whole.ends(direction)
        pairs = zip(parts.instants(direction), whole.instants(direction), strict=True)
        assert all(abs(a - b) <= slack_s for a, b in pairs)


@pytest.mark.parametrize("text", SHAPING + STRIKING)
@given(messages=MESSAGES, seed=st.integers(0, 5))
@settings(max_examples=6, deadline=None)
def test_the_same_seed_gives_the_same_items(text, messages, seed):
    spec = read(text)
    first, second = (
        converse(Play(spec, seed=seed).phase("outage"), messages, [1, 7]).wait(30.0).out
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("text", SHAPING)
@given(messages=MESSAGES, cuts=CUTS)
@settings(max_examples=6, deadline=None)
def test_instants_never_decrease_and_nothing_leaves_early(text, messages, cuts):
    play = Play(at_work(read(text)), at=100.0)
    converse(play, messages, cuts).wait(5.0).fin(Side.CLIENT).wait(LONG_S)
    for direction in (UP, DOWN):
        times = [at for at, _ in play.out[direction]]
        dues = [item.due for _, item in play.out[direction]]
        assert times == sorted(times)
        assert dues == sorted(dues)
        assert all(100.0 <= due <= at for at, due in zip(times, dues, strict=True))


@pytest.mark.parametrize("text", SHAPING)
def test_healed_means_released(text):
    spec = at_work(read(text))
    play = Play(spec).ask(b"GET / HTTP/1.1\r\n\r\n").reply(HTTP_REPLY[:30]).reply(b"x" * 5_000)
    play.heal().wait(1.0)  # a second is more than any example's delay
    assert play.held_bytes == 0
    if not alters(spec) and not play.ends(DOWN):
        assert play.passed(DOWN) == HTTP_REPLY[:30] + b"x" * 5_000
    assert play.connection.is_plain


@pytest.mark.parametrize("text", SHAPING)
def test_what_is_held_is_bounded_by_back_pressure(text):
    chunk, play = b"x" * 16_384, Play(at_work(read(text)))
    link = play.connection.links[DOWN]
    for _ in range(100):
        if not link.has_room or len(play.out[DOWN]) > 100:  # bytes that pass aren't held
            break
        play.reply(chunk)
    assert play.held_bytes <= max(HELD_LIMIT_BYTES, QUEUED_LIMIT_BYTES) + 2 * len(chunk)


@pytest.mark.parametrize("text", SHAPING)
def test_an_end_comes_behind_the_bytes_before_it(text):
    spec = at_work(read(text))
    play = Play(spec).ask(b"?").reply(HTTP_REPLY).fin(Side.BACKEND).wait(60.0).heal().wait(LONG_S)
    own_end = getattr(spec.fault, "then", "")  # of a fault that ends the connection itself
    assert play.ends(DOWN)[:1] in ([["reset"]] if own_end == "reset" else (["fin"], ["close"]))
    if play.ends(DOWN) == ["fin"] and not alters(spec):
        assert play.passed(DOWN) == HTTP_REPLY


@pytest.mark.parametrize("text", SHAPING)
def test_a_reset_gets_through_however_much_is_held(text):
    play = Play(at_work(read(text))).ask(b"?").reply(b"x" * 100).reset(Side.BACKEND)
    play.wait(1.0).heal().wait(LONG_S)
    assert play.ends(DOWN) in (["reset"], ["close"])
    assert play.connection.is_over


# --- faults that strike ---------------------------------------------------------------------


@pytest.mark.parametrize("text", STRIKING)
def test_a_strike_invents_no_bytes_and_ends_once(text):
    spec = read(text)
    play = Play(dataclasses.replace(spec, when=dataclasses.replace(spec.when, times=None)))
    for number in range(12):
        play.ask(b"q" * 600).reply(b"r" * 600).wait(0.5 if number < 11 else 30.0)
    assert [name for name, _ in play.fired] == [spec.name]
    assert (b"q" * 7200).startswith(play.passed(UP))
    assert (b"r" * 7200).startswith(play.passed(DOWN))
    assert len(play.ends(DOWN)) == 1


# --- faults on packets ----------------------------------------------------------------------


def on_link(spec: FaultSpec, seed: int = 0) -> tuple[Injector, list[Any]]:
    """A run in which the fault has been striking its whole link from the beginning."""
    events: list[Any] = []
    injector = Injector(seed, Scene(), events.append, 0.0)
    injector.arm([dataclasses.replace(spec, when=Trigger())], 0.0)
    return injector, events


@pytest.mark.parametrize("text", ON_PACKETS)
@given(packets=PACKETS, seed=st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_the_same_seed_gives_packets_the_same_fates(text, packets, seed):
    spec = read(text)
    first, second = (
        [on_link(spec, seed)[0].packets.on_packet(p, n / 7) for n, p in enumerate(packets)]
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("text", ON_PACKETS)
@given(packets=PACKETS)
@settings(max_examples=15, deadline=None)
def test_a_fate_is_one_that_a_network_can_perform(text, packets):
    policy = read(text).fault.policy(Draws(0), 0.0)
    for number, packet in enumerate(packets):
        fate = policy.on_packet(packet, number * 100.0)
        assert fate is None or isinstance(fate, Forwarded | Refusal | Forged)
        if isinstance(fate, Forwarded):
            assert all(delay_s >= 0 for delay_s in fate.delays_s)
        if packet.kind is PacketKind.RST:
            assert fate is not Refusal.RESET  # no RST answers a RST
            assert not isinstance(fate, Forged)


@pytest.mark.parametrize("text", ON_PACKETS)
@given(packets=PACKETS)
@settings(max_examples=15, deadline=None)
def test_a_healed_fault_lets_packets_be(text, packets):
    injector, events = on_link(read(text))
    half = len(packets) // 2
    for packet in packets[:half]:
        injector.packets.on_packet(packet, 1.0)
    injector.heal(injector.charges[0], 2.0)
    told = len(events)
    assert [injector.packets.on_packet(packet, 1e6) for packet in packets] == [None] * len(packets)
    assert len(events) == told


@pytest.mark.parametrize("text", ON_PACKETS)
@given(packets=PACKETS)
@settings(max_examples=15, deadline=None)
def test_a_fault_strikes_on_its_own_side_and_way_alone_and_tells_each_flow_once(text, packets):
    spec = read(text)
    injector, events = on_link(spec)
    struck, strikes = set(), 0
    for packet in packets:
        fate = injector.packets.on_packet(packet, 500.0)
        if packet.kind is PacketKind.SYN and packet.attempt == 0:
            struck.discard(packet.flow)
        if fate is not None:
            assert packet.flow.side in spec.sides
            assert packet.direction in spec.effect_directions()
            strikes += packet.flow not in struck
            struck.add(packet.flow)
    fired = [event for event in events if isinstance(event, FaultFired)]
    assert len(fired) == strikes
    assert not any(event.ends for event in fired)


@pytest.mark.parametrize("text", ON_PACKETS)
def test_what_a_fault_remembers_of_flows_is_bounded(text, monkeypatch):
    monkeypatch.setattr(Flows.__init__, "__defaults__", (50,))
    policy = read(text).fault.policy(Draws(0), 0.0)
    for port in range(200):
        for kind in (PacketKind.SYN, PacketKind.DATA, PacketKind.FIN):
            policy.on_packet(Packet(kind, flow(port), UP, port, 100), float(port))
    assert all(len(memory) <= 50 for memory in memories(policy))
    assert FLOWS_LIMIT >= 2**16  # more than one address has ports


@pytest.mark.parametrize("text", ON_LINKS)
@given(packets=PACKETS, seed=st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_a_fault_on_bytes_does_to_a_link_what_a_network_can_perform_and_repeat(text, packets, seed):
    fault = read(text).fault
    first, second = (fault.link_policy(Draws(seed), 0.0) for _ in range(2))
    for number, packet in enumerate(packets):
        fate = first.on_packet(packet, number * 0.01)
        assert isinstance(fate, Forwarded)
        assert fate.in_order
        assert all(delay_s >= 0 for delay_s in fate.delays_s)
        assert second.on_packet(packet, number * 0.01) == fate


@pytest.mark.parametrize("text", ON_LINKS)
def test_what_a_fault_on_bytes_remembers_of_a_link_is_bounded(text, monkeypatch):
    monkeypatch.setattr(Flows.__init__, "__defaults__", (50,))
    policy = read(text).fault.link_policy(Draws(0), 0.0)
    for port in range(200):
        host = f"10.0.1.{port}"
        policy.on_packet(Packet(PacketKind.DATA, flow(port, host=host), DOWN, 0, 100), 0.0)
    assert all(len(memory) <= 50 for memory in memories(policy))


def memories(thing: Any) -> list[Flows[Any]]:
    """Every memory of flows within a policy; it may keep nothing else that grows."""
    if isinstance(thing, Flows):
        return [thing]
    slots = getattr(type(thing), "__slots__", ())
    names = {*slots, *getattr(thing, "__dict__", ())}
    inner = [getattr(thing, name) for name in names]
    assert not any(isinstance(part, list | dict | set) for part in inner)
    ours = [part for part in inner if type(part).__module__.startswith("harness.faults")]
    return [memory for part in ours for memory in memories(part)]

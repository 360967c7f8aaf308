"""The table of one end's life: every pair of state and event."""

import pytest

from harness.connection import TRANSITIONS, EndEvent, EndState, after

OPEN, PEER_DONE, WE_DONE = EndState.OPEN, EndState.PEER_DONE, EndState.WE_DONE
IMPOSSIBLE = {
    (PEER_DONE, EndEvent.PEER_FIN),  # nobody sends FIN twice
    (WE_DONE, EndEvent.SEND_FIN),
}


@pytest.mark.parametrize("state", EndState)
@pytest.mark.parametrize("event", EndEvent)
def test_every_pair_leads_somewhere_or_is_an_error_that_names_both(state, event):
    if (state, event) in IMPOSSIBLE:
        with pytest.raises(LookupError, match=f"{state.value}.*{event.value}"):
            after(state, event)
    else:
        assert after(state, event) is TRANSITIONS[state, event]


@pytest.mark.parametrize("event", EndEvent)
def test_nothing_brings_a_dead_end_back(event):
    assert after(EndState.CLOSED, event) is EndState.CLOSED
    assert after(EndState.RESET, event) is EndState.RESET


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([EndEvent.PEER_FIN, EndEvent.SEND_FIN], EndState.CLOSED),
        ([EndEvent.SEND_FIN, EndEvent.PEER_FIN], EndState.CLOSED),
        ([EndEvent.SEND_FIN, EndEvent.PEER_RESET], EndState.RESET),
        ([EndEvent.PEER_FIN, EndEvent.SEND_RESET], EndState.RESET),
        ([EndEvent.PEER_FIN, EndEvent.CLOSE], EndState.CLOSED),
    ],
)
def test_two_halves_make_a_whole(events, state):
    end = EndState.OPEN
    for event in events:
        end = after(end, event)
    assert end is state


@pytest.mark.parametrize("state", EndState)
def test_only_an_end_whose_half_we_left_open_takes_bytes(state):
    assert state.can_send == (state in {OPEN, PEER_DONE})
    assert not (state.can_send and state.is_over)

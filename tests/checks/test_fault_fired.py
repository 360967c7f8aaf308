from harness.checks.fault_fired import EveryFaultFired
from harness.history import FaultArmed, FaultFired


def test_every_fault_fired_passes_and_shows_the_first_strikes(story):
    story.tell(FaultArmed, index=0)
    story.tell(FaultArmed, index=1, fault="stall")
    second = story.tell(FaultFired, 1, index=1, fault="stall")
    first = story.tell(FaultFired, 2, index=0)
    story.tell(FaultFired, 3, index=0)
    story.judge(EveryFaultFired(), "pass", first, second, saying="all of 2 faults")


def test_a_fault_that_never_fired_is_unknown_and_named(story):
    story.tell(FaultArmed, index=0)
    quiet = story.tell(FaultArmed, index=1, fault="stall")
    story.tell(FaultFired, 1, index=0)
    story.judge(EveryFaultFired(), "unknown", quiet, saying="never fired: stall (#1)")


def test_nothing_to_fire_passes(story):
    story.judge(EveryFaultFired(), "pass", saying="nothing was to fire")

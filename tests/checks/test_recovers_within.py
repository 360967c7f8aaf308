from harness.checks.recovers_within import RecoversWithin
from harness.history import Healed, RecoveryProbed

CHECK = RecoversWithin(within_s=1.0)


def rounds(story, *told):
    story.tell(Healed, 10)
    return [story.tell(RecoveryProbed, at, calls=2, ok=ok) for at, ok in told]


def test_the_first_whole_round_with_no_failure_after_it_counts(story):
    ids = rounds(story, (10.2, 2), (10.4, 1), (10.6, 2), (10.8, 2))
    story.ends()
    story.judge(CHECK, "pass", ids[2], saying="after 600ms")


def test_recovery_too_late_fails(story):
    ids = rounds(story, (10.5, 0), (11.5, 2))
    story.judge(CHECK, "fail", ids[1], saying="after 1.5s")


def test_no_recovery_fails_once_the_run_is_over(story):
    ids = rounds(story, (10.5, 2), (11.5, 0))
    story.judge(CHECK, "unknown")
    story.ends()
    story.judge(CHECK, "fail", ids[1], saying="never: the last round answered 0 of 2 calls")


def test_a_round_before_healing_or_without_probes_is_none(story):
    story.tell(RecoveryProbed, 1, calls=2, ok=0)
    story.tell(Healed, 10)
    story.tell(RecoveryProbed, 11, calls=0, ok=0)
    story.ends()
    story.judge(CHECK, "unknown", saying="not measured")


def test_without_healing_it_is_unknown(story):
    story.ends()
    story.judge(CHECK, "unknown")

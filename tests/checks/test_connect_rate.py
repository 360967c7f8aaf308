from harness.checks.connect_rate import ConnectRate
from harness.history import ConnectionOpened, Dialed, Healed


def dial(story, *instants, took_s=0.0):
    return [
        story.tell(Dialed, at, local_port=9, outcome="refused", took_s=took_s) for at in instants
    ]


def test_a_second_with_as_many_as_allowed_passes(story):
    dial(story, 0, 0.9, 1.0, 1.9, 2.0)
    story.ends()
    story.judge(ConnectRate(at_most_per_s=2), "pass", saying="2 connects begun within 1s")


def test_a_second_with_more_fails_wherever_it_begins(story):
    ids = dial(story, 0, 1.6, 1.9, 2.5)
    story.judge(ConnectRate(at_most_per_s=2), "fail", *ids[1:], saying="3 connects")


def test_an_attempt_counts_from_when_it_began(story):
    slow = story.tell(Dialed, 9, local_port=9, outcome="timeout", took_s=8.9)
    [quick] = dial(story, 0.5)
    story.judge(ConnectRate(at_most_per_s=1), "fail", slow, quick)


def test_a_limit_below_one_a_second_looks_at_a_longer_time(story):
    dial(story, 0, 1.5)
    story.judge(ConnectRate(at_most_per_s=0.5), "fail", 0, 1, saying="within 2s")


def test_what_recovery_dials_does_not_count(story):
    dial(story, 0)
    story.tell(Healed, 0.1)
    dial(story, 0.2, 0.3)
    story.ends()
    story.judge(ConnectRate(at_most_per_s=1), "pass")


def test_without_the_wire_it_is_unknown(story):
    story.tell(ConnectionOpened, connection=1)
    story.ends()
    story.judge(ConnectRate(at_most_per_s=1), "unknown", saying="the wire saw no attempt")

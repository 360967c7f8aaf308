from harness.checks.closes_within import ClosesWithin
from harness.history import ClientClosed, ClientClosing, ClientFailed

CHECK = ClosesWithin(within_s=2.0)


def test_a_quick_close_passes(story):
    story.tell(ClientClosing, 5)
    story.tell(ClientClosed, 6)
    story.ends()
    story.judge(CHECK, "pass", 0, 1, saying="closed after 1s")


def test_a_slow_close_fails(story):
    story.tell(ClientClosing, 5)
    story.tell(ClientClosed, 7.5)
    story.judge(CHECK, "fail", 0, 1, saying="closed after 2.5s")


def test_a_close_that_never_returns_fails(story):
    story.tell(ClientClosing, 5)
    story.judge(CHECK, "unknown")
    story.ends(6)
    story.judge(CHECK, "fail", 0, saying="not closed after 1s")


def test_a_close_that_raises_fails(story):
    story.tell(ClientClosing, 5)
    story.tell(ClientFailed, 5, during="close", kind="reset", message="gone")
    story.judge(CHECK, "fail", 0, 1, saying="close failed: reset: gone")


def test_a_client_never_asked_to_close_is_unknown(story):
    story.ends()
    story.judge(CHECK, "unknown", saying="never asked")

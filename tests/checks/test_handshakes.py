from harness.checks.handshakes import Handshakes
from harness.history import Healed, TlsEstablished


def test_resumed_and_recovery_handshakes_do_not_count(story):
    story.tell(TlsEstablished, 1, connection=1)
    story.tell(TlsEstablished, 2, connection=2, resumed=True)
    story.tell(Healed, 3)
    story.tell(TlsEstablished, 4, connection=3)
    story.ends()
    story.judge(Handshakes(at_most=1), "pass", 0, saying="1 full handshake and 1 resumed")


def test_too_many_fail_and_show_those_beyond_the_limit(story):
    ids = [story.tell(TlsEstablished, i, connection=i) for i in range(3)]
    story.judge(Handshakes(at_most=1), "fail", *ids[1:])


def test_without_tls_it_is_unknown(story):
    story.ends()
    story.judge(Handshakes(at_most=0), "unknown")

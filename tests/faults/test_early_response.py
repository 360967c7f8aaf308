"""A reply in the middle of a request: what the client gets, and what is left of the connection."""

from fake_shell import DOWN, UP, Play, fault, when

OWN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LATER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlater"


def early(**words):
    return fault("early_response", when(request=1, byte=4), **words)


def test_the_reply_comes_at_the_point_and_says_that_it_is_the_last():
    play = Play(early())
    play.ask(b"POST").wait(0.1)
    play.ask(b" and the rest of it").wait(0.1)
    said = play.passed(DOWN)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close\r\n" in said
    assert said.endswith(b"Content-Length: 0\r\n\r\n")


def test_the_servers_own_reply_is_for_nobody():
    play = Play(early(then="linger"))
    play.ask(b"POST and the rest of it").wait(0.1).reply(OWN).wait(0.1)
    assert b"200" not in play.passed(DOWN)


def test_a_status_without_a_name_is_sent_as_well():
    play = Play(early(status=599))
    play.ask(b"POST and the rest of it").wait(0.1)
    assert play.passed(DOWN).startswith(b"HTTP/1.1 599 ")


def test_where_it_stays_the_request_reaches_the_server_and_later_replies_the_client():
    play = Play(early(then="stay"))
    play.ask(b"POST and the rest of it").wait(0.1).reply(OWN + LATER).wait(0.1)
    assert play.passed(UP) == b"POST and the rest of it"
    said = play.passed(DOWN)
    assert b"close" not in said
    assert said.startswith(b"HTTP/1.1 413 ")
    assert said.endswith(LATER)
    assert OWN not in said


def test_it_comes_once():
    play = Play(early(then="stay"))
    play.ask(b"POST and the rest of it").wait(0.1).reply(OWN).wait(0.1)
    play.ask(b"POST and the rest of it").wait(0.1).reply(LATER).wait(0.1)
    assert play.passed(DOWN).count(b"413") == 1
    assert len(play.fired) == 1

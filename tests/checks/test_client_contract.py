from harness.checks.client_contract import ClientContract
from harness.history import ClientClosed, ClientFailed, ClientOpened


def test_a_client_that_opens_and_closes_passes(story):
    story.tell(ClientOpened, 1)
    story.tell(ClientClosed, 2)
    story.ends()
    story.judge(ClientContract(), "pass")


def test_a_client_that_fails_to_open_fails(story):
    failed = story.tell(ClientFailed, 1, during="open", kind="other", message="no")
    story.ends()
    story.judge(ClientContract(), "fail", failed, saying="open(): other: no")


def test_a_client_that_never_closed_is_unknown(story):
    story.tell(ClientOpened, 1)
    story.ends()
    story.judge(ClientContract(), "unknown")

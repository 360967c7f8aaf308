"""The man in the middle in a process of its own, for tests of any kind and in any language.

A test holds a ``ProxyProcess``; its child is a thin trio shell over ``harness.proxy``. They speak
JSON lines: one request, one reply, and nothing is sent unasked, so a test that stops listening
stops nobody. What a test imports needs the standard library alone: the proxy's own libraries are
loaded in the child.

::

    with ProxyProcess() as process:
        with process.open("127.0.0.1:5432") as proxy:
            with proxy.fault(fault_named("reset")(), when=Idle("200ms")) as fault:
                ...
"""

from harness.serve.facts import ConnectionFacts
from harness.serve.process import ProxyProcess
from harness.serve.served import ArmedFault, NeverFired, NotInTime, ServedProxy
from harness.serve.words import (
    Age,
    At,
    Backend,
    Byte,
    Connection,
    During,
    Event,
    Every,
    FaultWords,
    First,
    For,
    Idle,
    Match,
    Once,
    Probability,
    Request,
    Response,
    Times,
    When,
    fault_named,
)

__all__ = [
    "Age",
    "ArmedFault",
    "At",
    "Backend",
    "Byte",
    "Connection",
    "ConnectionFacts",
    "During",
    "Event",
    "Every",
    "FaultWords",
    "First",
    "For",
    "Idle",
    "Match",
    "NeverFired",
    "NotInTime",
    "Once",
    "Probability",
    "ProxyProcess",
    "Request",
    "Response",
    "ServedProxy",
    "Times",
    "When",
    "fault_named",
]

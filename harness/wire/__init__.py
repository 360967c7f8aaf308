"""What databases say on the wire: bytes to messages and back, without a socket.

``postgres`` and ``scram`` are PostgreSQL's protocol 3, ``resp`` is Redis's RESP2. Each reads
incrementally: however the bytes are cut on their way, the messages are the same.
"""

from harness.wire.errors import WireError

__all__ = ["WireError"]

"""Built-in HTTP and echo servers with an execution ledger."""

from harness.origin.calls import Asked, nonce_of, reply_body
from harness.origin.origin import Origin, open_origin

__all__ = ["Asked", "Origin", "nonce_of", "open_origin", "reply_body"]

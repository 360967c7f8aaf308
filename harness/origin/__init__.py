"""Built-in HTTP and echo servers with an execution ledger."""

from harness.origin.origin import Origin, open_origin

__all__ = ["Origin", "open_origin"]

"""How a call looks on its way to the built-in origin, and what the reply must be.

The nonce stands in the request and at the head of the reply, and the rest of the reply follows
from the nonce, so a caller can tell whose reply it got and whether every byte of it is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import parse_qs, urlencode, urlsplit

CALL_PATH = "/call"
REPLY_LIMIT_BYTES = 64 * 2**20
THINK_LIMIT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a call asks the origin for.

    With ``together`` the reply waits until so many calls of the same ``group`` have arrived.
    """

    nonce: str
    size_bytes: int = 256
    slow_s: float = 0.0
    framing: str = "length"
    together: int = 0
    group: str = ""

    def target(self) -> str:
        """The HTTP request target that asks for it."""
        words: dict[str, object] = {"nonce": self.nonce, "size": self.size_bytes}
        if self.slow_s:
            words["slow"] = self.slow_s
        if self.framing != "length":
            words["framing"] = self.framing
        if self.together:
            words |= {"together": self.together, "group": self.group}
        return f"{CALL_PATH}?{urlencode(words)}"

    @classmethod
    def from_target(cls, target: str) -> Asked | None:
        """What an HTTP request target asks for, or None if it is no call."""
        parts = urlsplit(target)
        words = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if parts.path != CALL_PATH or not words.get("nonce"):
            return None
        try:
            size_bytes = min(int(words.get("size", "256")), REPLY_LIMIT_BYTES)
            slow_s = min(float(words.get("slow", "0")), THINK_LIMIT_S)
            together = int(words.get("together", "0"))
        except ValueError:
            return None
        if size_bytes < 0 or together < 0 or not slow_s >= 0:  # "not >=" refuses nan as well
            return None
        return cls(
            nonce=words["nonce"],
            size_bytes=size_bytes,
            slow_s=slow_s,
            framing=words.get("framing", "length"),
            together=together,
            group=words.get("group", ""),
        )


def reply_body(nonce: str, size_bytes: int) -> bytes:
    """The reply that belongs to a nonce: its name, then bytes that follow from it.

    A size that can't hold the name is stretched to it.
    """
    head = nonce.encode() + b"\n"
    missing = size_bytes - len(head)
    if missing <= 0:
        return head
    pattern = blake2b(head, digest_size=32).hexdigest().encode()
    return head + (pattern * (missing // len(pattern) + 1))[:missing]


def nonce_of(body: bytes) -> str:
    """The nonce that a reply names, or empty if it names none."""
    head, newline, _ = body[:256].partition(b"\n")
    return head.decode("ascii", "replace") if newline else ""

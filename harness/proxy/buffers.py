"""Large read buffers, borrowed only while bytes move: an idle connection owns none."""

from __future__ import annotations

BUFFER_BYTES = 256 * 1024
SPARE_LIMIT = 16
"""How many buffers are kept for the next borrower; further ones are freed."""


class Buffers:
    """Lends buffers: plain calls, because this is done for every chunk of every connection."""

    __slots__ = ("_spare",)

    def __init__(self) -> None:
        self._spare: list[memoryview] = []

    def borrow(self) -> memoryview:
        """A buffer of ``BUFFER_BYTES``, to be given back."""
        return self._spare.pop() if self._spare else memoryview(bytearray(BUFFER_BYTES))

    def give_back(self, buffer: memoryview) -> None:
        """Let the next borrower have it."""
        if len(self._spare) < SPARE_LIMIT:
            self._spare.append(buffer)

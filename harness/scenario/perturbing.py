"""What ``perturb`` comes to: how long each call waits, and how late each packet is.

Both are drawn from the seed and from what they are about, never from when they are asked for: a
call's wait from its nonce, a packet's delay from its flow, direction and place in the stream. So
the order of tasks can't change them, and the same packet sent again has a delay of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from harness.packet import Packet
from harness.scenario.model import Perturb
from harness.timeline import Draws

_DIGEST_BYTES = 8
_EVERYTHING = 2.0 ** (8 * _DIGEST_BYTES)


def think_s(perturb: Perturb, seed: int, nonce: str) -> float:
    """How long the call with this nonce waits before it begins: 0 to ``think``, in seconds."""
    if not perturb.think_s:
        return 0.0
    random = Draws(seed, "think").random(nonce)
    if perturb.grid_s is None:
        return random.uniform(0.0, perturb.think_s)
    # Rounded as texts are read, so that 20 times 100ms is no more than 2s.
    return round(random.randint(0, _steps(perturb.think_s, perturb.grid_s)) * perturb.grid_s, 9)


def _steps(think: float, grid: float) -> int:
    """How often the grid fits, without the last digits of binary floats."""
    return int(think / grid + 1e-6)


def packet_delay(perturb: Perturb, seed: int) -> Callable[[Packet], float] | None:
    """How late each packet is, from 0 to ``delay`` in seconds; None if all are on time.

    The key is (seed, client, server, direction, kind, offset, attempt): the ports in the two
    addresses tell connections apart, and the side of the proxy as well. Who delivers the packets
    keeps their order within a direction.
    """
    if not perturb.delay_s:
        return None
    scale_s = perturb.delay_s / _EVERYTHING
    key = blake2b(f"packet {seed}".encode(), digest_size=16).digest()

    def delay(packet: Packet) -> float:
        kind, (client, server, _), direction, offset, _, attempt = packet
        place = f"{client}{server}{direction}{kind}{offset} {attempt}".encode()
        digest = blake2b(place, digest_size=_DIGEST_BYTES, key=key).digest()
        return int.from_bytes(digest, "big") * scale_s

    return delay

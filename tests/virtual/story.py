"""Prints what happens to every library, plain and over TLS: the same in every process.

Run as ``python story.py AUTHORITY-DIRECTORY``.
"""

import sys
from pathlib import Path

from harness.fabric.virtual.shim import install_shim

install_shim()
sys.path.insert(0, str(Path(__file__).parent))

import trio  # noqa: E402
from kit import Authority, virtually  # noqa: E402
from talkers import ALL, Talk  # noqa: E402

CALLERS = 3
CALLS = 4


def story(talker, authority, tls):
    """What a world saw: callers at once, one cancelled, idle closes, a reset."""

    async def main(world):
        world.network.delay = lambda packet: 0.001 + 0.0001 * (packet.offset % 7)
        watched = world.network.sockets
        context = authority.server() if tls else None
        serve, around = talker.server(world.note, context, 20.0)
        async with world.serving(serve, around) as port:
            talk = Talk(world, talker())
            await talk.do("open", port, authority.client() if tls else None, 90.0)

            async def caller(number):
                for call in range(CALLS):
                    await attempt(number * 10 + call)
                    await trio.sleep(0.01 * number + 9 * call)

            async def attempt(number):
                try:
                    with trio.move_on_after(0.002 if number % 5 == 2 else 60):
                        await talk.do("ask", number, 3.0 if number % 4 == 3 else 0.0)
                    world.note(f"call {number} is over, {len(watched())} sockets")
                except Exception as error:  # noqa: BLE001 - whatever a library raises is part of it
                    world.note(f"call {number} {type(error).__name__} {error}")

            async with trio.open_nursery() as nursery:
                for number in range(CALLERS):
                    nursery.start_soon(caller, number)
                await trio.sleep(10.5)
                world.reset_all()
            await talk.do("close")
            await trio.sleep(100)
        world.note(f"{world.bridge.steps} steps")
        return world.trace

    return virtually(main, seed=5)


def told(authority):
    """All stories, a line for each thing that happened."""
    for talker in ALL:
        for tls in (False, True):
            for at, what in story(talker, authority, tls):
                yield f"{talker.__name__} {'tls' if tls else 'plain'} {at!r} {what}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in told(Authority(Path(sys.argv[1]))))

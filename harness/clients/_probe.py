"""Who the chosen client is, before anything runs: its card, or every mistake there is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import trio

from harness.choice import ClientChoice
from harness.clients._answers import ClientGone
from harness.clients._cards import Card, all_clients, card_of
from harness.clients._launch import Launch, launch_of
from harness.clients._load import load_client, place_of
from harness.clients._process import open_process_client
from harness.errors import InputError, Problem, SetupError
from harness.worker.contract import FEATURES, PROTOCOLS
from harness.worker.messages import Hello


def card_for(choice: ClientChoice) -> Card:
    """The card of the chosen client, which is then known to be there.

    One in another interpreter, or behind a command, is started for it and asked. Raises
    InputError for a mistake, SetupError if a library is missing.
    """
    if choice.command or choice.python:
        return _asked(choice)[0]
    client = load_client(choice.base)
    return all_clients().get(choice.base) or card_of(client, file=choice.base.rpartition(":")[0])


def versions_for(choice: ClientChoice) -> dict[str, str]:
    """The versions that the client's own process tells; ``python`` is its interpreter's."""
    return _asked(choice)[1] if choice.command or choice.python else {}


@cache
def _asked(choice: ClientChoice) -> tuple[Card, dict[str, str]]:
    place = "" if choice.command else place_of(choice.base)
    launch = launch_of(choice)
    try:
        hello = trio.run(_greeted, launch)
    except (ClientGone, OSError) as error:
        option = "--command" if choice.command else "--python"
        hint = "`harness explain protocol` says what a client's process does"
        raise InputError(Problem(f"{option}: {choice.label}: {error}", hint)) from error
    _check(hello, choice)
    return _card(hello, choice, place), hello.versions


async def _greeted(launch: Launch) -> Hello:
    async with open_process_client(launch) as client:
        return await client.greet()


def _check(hello: Hello, choice: ClientChoice) -> None:
    if hello.problems:
        raise InputError(*hello.problems)
    if hello.missing:
        where = choice.python or "the client's interpreter"
        raise SetupError(
            f"the client {choice.label} needs {hello.missing}, which is not installed for "
            f"{where}; install it there: {where} -m pip install {_distribution(hello, choice)}"
        )
    strange = [word for word in hello.supports or () if word not in FEATURES]
    strange += [word for word in hello.serves if word not in PROTOCOLS]
    if strange:
        hint = f"there are {', '.join(FEATURES)}; and it serves {', '.join(PROTOCOLS)}"
        raise InputError(Problem(f"{choice.label} supports {', '.join(strange)}", hint))


def _distribution(hello: Hello, choice: ClientChoice) -> str:
    card = all_clients().get(choice.base)
    return " ".join(card.requires) if card and card.requires else hello.missing


def _card(hello: Hello, choice: ClientChoice, place: str) -> Card:
    return Card(
        name=hello.name or Path(choice.label).name,
        file=place.rpartition(":")[0],
        class_name=place.rpartition(":")[2],
        runs_on=hello.runs_on,
        serves=hello.serves,
        supports=None if hello.supports is None else frozenset(hello.supports),
        requires=tuple(name for name in hello.versions if name != "python"),
    )

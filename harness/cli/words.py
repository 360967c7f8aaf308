"""``harness list`` and ``harness explain``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

import harness.clients
from harness.choice import IDIOMATIC
from harness.cli.choosing import chosen_scenarios, settle
from harness.cli.screen import Screen, screen
from harness.cli.teaching import Taught
from harness.clients import Card, all_clients
from harness.errors import Problem
from harness.report.drawing import printable
from harness.report.page import page
from harness.scenario import Row, explain, listing
from harness.worker.contract import FEATURES


@click.command("list", cls=Taught)
@click.argument("kind", required=False, metavar="[faults|checks|triggers|clients|scenarios]")
def list_command(kind: str | None) -> None:
    """Every fault, check, trigger, client or scenario, a line each.

    With no argument: the names of all of them. What a word means in full tells `harness explain`.

    Examples:
      harness list
      harness list faults
      harness list scenarios | grep idle

    Exit codes:
      0  here is the list
      3  there is no such list, or some scenario has a mistake
    """
    problems: list[Problem] = []
    shown = screen()
    if kind is None:
        _overview(shown, problems)
    else:
        rows = rows_of(kind, problems)
        show = _sections if shown.live and kind in GROUPED else _rows
        show(shown, rows)
    settle(problems)


def rows_of(kind: str, problems: list[Problem]) -> list[Row]:
    """The rows of one list; what is wrong with scenarios is collected."""
    if kind == "clients":
        return [
            Row(name, ", ".join(card.serves), card.summary) for name, card in all_clients().items()
        ]
    if kind == "scenarios":
        return _scenario_rows(problems)
    if kind in OF_THE_LANGUAGE:
        return listing(kind)
    raise click.BadParameter(
        f"there is no list of {kind!r}; there are {', '.join(KINDS)}", param_hint="kind"
    )


GROUPED = ("faults", "checks")
CLIENTS = Path(harness.clients.__file__).parent
PAGES = {"adapter": CLIENTS / "ADAPTERS.md", "protocol": CLIENTS / "PROTOCOL.md"}
"""How to write a client: in Python, and in any language."""
OF_THE_LANGUAGE = ("faults", "checks", "triggers")
KINDS = (*OF_THE_LANGUAGE, "clients", "scenarios")


def _scenario_rows(problems: list[Problem]) -> list[Row]:
    scenarios = chosen_scenarios((), problems)
    return [Row(s.id, s.level, _sentence(s.about) or s.name) for s in scenarios]


def _sentence(text: str) -> str:
    """The first sentence, however it is broken into lines."""
    first, stop, _ = " ".join(text.split()).partition(". ")
    return first + stop.strip()


def _rows(shown: Screen, rows: list[Row]) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(style="dim", max_width=30 if shown.look.width else None)
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(*(Text(_bare(cell)) for cell in (row.word, row.group, row.summary)))
    shown.print(grid)


def _sections(shown: Screen, rows: list[Row]) -> None:
    """For people: under each group's name its members. Pipes get one line a member instead."""
    cells = max(len(row.word) for row in rows)
    for group in dict.fromkeys(row.group for row in rows):
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, min_width=cells + 2, style="bold")
        grid.add_column(overflow="fold")
        for row in rows:
            if row.group == group:
                grid.add_row(f"  {row.word}", Text(_bare(row.summary)))
        shown.print(Text(group, style="dim"), grid)


def _bare(text: str) -> str:
    return printable(text.replace("``", ""))


def _overview(shown: Screen, problems: list[Problem]) -> None:
    grid = Table.grid(padding=(0, 2, 1 if shown.look.width else 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(justify="right", no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for kind in KINDS:
        names = [row.word for row in rows_of(kind, problems)]
        shown_names = _families(names) if kind == "scenarios" else ", ".join(names)
        grid.add_row(kind, str(len(names)), Text(printable(shown_names)))
    shown.print(grid)


def _families(ids: list[str]) -> str:
    family: Callable[[str], str] = lambda name: name.partition("/")[0]  # noqa: E731 - used twice
    kinds = sorted({family(name) for name in ids})
    return ", ".join(f"{kind} ({sum(family(n) == kind for n in ids)})" for kind in kinds)


@click.command("explain", cls=Taught)
@click.argument("name", metavar="NAME")
def explain_command(name: str) -> None:
    """One page on one word of the language, with an example.

    NAME is a fault, a check, a trigger, a key of a scenario, or another tool's word for one; a
    client, with what becomes of each pool setting; adapter, which is how to write a client in
    Python; or protocol, which is how in any language.

    Examples:
      harness explain stall
      harness explain at_most_once
      harness explain idle
      harness explain aiohttp

    Exit codes:
      0  here is the page
      3  nothing is called so; the nearest word is named
    """
    text = _page(name)
    shown = screen()
    if shown.live:
        shown.print(*page(text))
    else:
        shown.show(text)


def _page(name: str) -> str:
    if name in PAGES:
        return PAGES[name].read_text(encoding="utf-8")
    card = all_clients().get(name.removesuffix(IDIOMATIC))
    return explain(name).text if card is None else _of_client(card)


def _of_client(card: Card) -> str:
    """What a client says of itself, what it runs on, and what scenarios may ask of it."""
    can = sorted(FEATURES if card.supports is None else card.supports)
    lacks = [word for word in FEATURES if word not in can]
    facts = [
        f"- speaks: {', '.join(card.serves) or 'everything'}",
        f"- runs on: {card.runs_on}",
        f"- needs: {', '.join(card.requires) or 'nothing else'}",
        f"- can: {', '.join(can)}",
        f"- can't: {', '.join(lacks) or 'nothing'}",
    ]
    example = f"harness run --client {card.name}"
    lines = "\n".join(facts)
    return f"# {card.name}\n\n{card.doc}\n\n{lines}\n\n```shell\n{example}\n```\n"

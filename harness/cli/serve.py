"""``harness serve``."""

from __future__ import annotations

import sys
from typing import Any

import click
import trio

from harness.cli.teaching import Taught
from harness.errors import InputError, Problem
from harness.fabric import LoopbackFabric
from harness.serve.desk import TLS_MODES, open_desk
from harness.serve.loop import Lines, converse
from harness.serve.messages import checked


@click.command("serve", cls=Taught)
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Where to listen, on 127.0.0.1.  [default: any free port]",
)
@click.option(
    "--tls",
    type=click.Choice(TLS_MODES),
    default="off",
    show_default=True,
    help="terminate: the proxy shows a certificate of its own; clients trust ca_pem.",
)
@click.option(
    "--backend-ca",
    default="",
    metavar="FILE",
    help="The backend speaks TLS; trust the authority in this PEM file.",
)
@click.option(
    "--protocol",
    default="http",
    show_default=True,
    metavar="NAME",
    help="What the backend speaks: goodbye must know, and so must TLS to PostgreSQL.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of all chance.")
def serve_command(addresses: tuple[str, ...], **options: Any) -> None:
    """The proxy with a control API, for tests in any language.

    Listens on 127.0.0.1 and passes everything on to ADDRESS (HOST:PORT); with several, each is
    NAME=HOST:PORT and the first is in use until the fault rotate or kill strikes. It takes
    requests on standard input and replies on standard output, a JSON object a line each, one
    reply for one request and nothing else. It ends when standard input does.

    The first line tells where it listens:
      {"ok": true, "ready": "0.1.0", "proxy": 1, "host": "127.0.0.1", "port": 40123, "ca_pem": ""}

    Requests, and what their replies hold besides "ok":
      {"do": "arm", "fault": {"fault": "reset", "when": {"idle": "2s"}}}   "fault": its number
      {"do": "heal", "fault": 0}      without a number all: "fired": how often each struck
      {"do": "look", "after": 0}      "events" after that one, "next", "more", "opened",
                                      "open_now", "fired", "live": [[connection, exchanges,
                                      bytes up, bytes down], ...]
      {"do": "phase", "name": "load"} a phase begins, for faults that say during
      {"do": "open", "backends": "127.0.0.1:6379", "tls": "off", "port": 0, "seed": 0}
                                      another proxy; requests then name it: "proxy": 2
      {"do": "close", "proxy": 2}     it ends, with its connections
      {"do": "stop"}                  everything ends

    A fault is written as in a scenario: `harness list faults`, `harness explain reset`. "at"
    counts from arming. A bare number is seconds for a duration and a share from 0 to 1 for a
    share. An "id" in a request comes back in its reply. What can't be done is answered by
      {"ok": false, "kind": "mistake", "errors": ["unknown fault 'rset'; did you mean 'reset'?"]}
    where kind is mistake (the request's) or set-up (this machine's).

    Examples:
      harness serve 127.0.0.1:5432
      harness serve blue=10.0.0.2:80 green=10.0.0.3:80 --port 8080 --seed 7

    Exit codes:
      0  stopped, or standard input ended
      3  a mistake in an address or an option
      4  the port is taken, or nobody knows the host
    """
    trio.run(_serve, _request(addresses, options), restrict_keyboard_interrupt_to_checkpoints=True)


def _request(addresses: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """The request to open the proxy that the command line asks for."""
    if len(addresses) == 1 and "=" not in addresses[0]:
        return {"do": "open", "backends": addresses[0]} | options
    named = [address.partition("=") for address in addresses]
    names = [name for name, _, _ in named]
    if not all(name and sign for name, sign, _ in named) or len(set(names)) < len(names):
        message = "several addresses need a name each"
        raise InputError(Problem(message, "write blue=127.0.0.1:5432 green=127.0.0.1:5433"))
    return {"do": "open", "backends": {name: place for name, _, place in named}} | options


async def _serve(request: dict[str, Any]) -> None:
    async with open_desk(LoopbackFabric()) as desk:
        opened = checked(await desk.answer(request))
        await converse(desk, Lines(sys.stdin.fileno(), sys.stdout.fileno()), opened)

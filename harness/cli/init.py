"""``harness init``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import click

from harness.cli.screen import screen
from harness.cli.teaching import Taught
from harness.errors import InputError, Problem, SetupError
from harness.registry import did_you_mean

TEMPLATES = Path(__file__).parent / "templates"
PLAIN = "plain"
"""The client that needs no library but the standard one, or trio."""


class Kind(NamedTuple):
    """A client there is a template for; ``needs`` is what is imported, ``install`` what has it."""

    protocol: str
    runs_on: str
    client: str
    template: str
    needs: str = ""
    install: str = ""


KINDS = (
    Kind("http", "asyncio", PLAIN, "http_asyncio.py.txt"),
    Kind("http", "trio", PLAIN, "http_trio.py.txt"),
    Kind("http", "threads", PLAIN, "http_threads.py.txt"),
    Kind("http", "asyncio", "httpx", "httpx.py.txt", "httpx", "httpx"),
    Kind("http", "trio", "httpx", "httpx.py.txt", "httpx", "httpx"),
    Kind("postgres", "asyncio", "asyncpg", "asyncpg.py.txt", "asyncpg", "asyncpg"),
    Kind(
        "postgres", "threads", "psycopg", "psycopg.py.txt", "psycopg_pool", "psycopg[binary,pool]"
    ),
    Kind("redis", "asyncio", "redis", "redis_asyncio.py.txt", "redis", "redis"),
    Kind("redis", "threads", "redis", "redis_threads.py.txt", "redis", "redis"),
)
"""The first that fits what is asked for is written."""

_NEXT = """
Both pass as they are:

  {enter}harness run scenarios/ --client my_client.py:MyClient
  {enter}pytest

Then put your own client into my_client.py, and let it meet what breaks others: name a family in
test_my_client.py, such as @pytest.mark.scenario("idle/**"); harness list scenarios has them all.
"""


@click.command("init", cls=Taught)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--protocol",
    default="http",
    show_default=True,
    metavar="NAME",
    help="What the client speaks: http, postgres or redis.",
)
@click.option(
    "--runs-on",
    metavar="NAME",
    help="asyncio, trio or threads.  [default: the first there is]",
)
@click.option(
    "--client",
    metavar="NAME",
    help="The library to begin with: plain (none; http only), httpx, asyncpg, psycopg or redis.  "
    "[default: the first that fits]",
)
def init_command(folder: Path, protocol: str, runs_on: str | None, client: str | None) -> None:
    """A first scenario, client and pytest file for your library, which pass as they are.

    Writes scenarios/first.yaml, my_client.py and test_my_client.py, with comments to learn from,
    into DIR (here, if none is named). No file is ever overwritten.

    Examples:
      harness init chaos
      harness init --protocol postgres --runs-on threads
      harness init --client httpx --runs-on trio

    Exit codes:
      0  written
      3  a file is there already, or there is no such client; nothing was written
      4  the folder can't be written to
    """
    kind = chosen(protocol, runs_on, client)
    files = contents(kind)
    _check_free(folder, files)
    _write(folder, files)
    shown = screen()
    for name in files:
        shown.show(f"wrote {folder / name}\n")
    if kind.needs and find_spec(kind.needs) is None:
        shown.show(f"it needs a library: pip install '{kind.install}'\n")
    enter = "" if folder == Path() else f"cd {folder} && "
    shown.show(_NEXT.format(enter=enter))


def chosen(protocol: str, runs_on: str | None, client: str | None) -> Kind:
    """The first kind that fits; raises InputError naming what there is."""
    left = list(KINDS)
    for option, value in (("protocol", protocol), ("runs_on", runs_on), ("client", client)):
        known = list(dict.fromkeys(getattr(kind, option) for kind in KINDS))
        if value is not None and value not in known:
            name = option.replace("_", "-")
            raise InputError(
                Problem(f"--{name}: unknown value {value!r}", did_you_mean(value, known))
            )
        left = [kind for kind in left if value in {None, getattr(kind, option)}]
    if not left:
        asked = ", ".join(word for word in (protocol, runs_on, client) if word)
        fits = [kind for kind in KINDS if kind.protocol == protocol]
        hint = " or ".join(f"--runs-on {kind.runs_on} --client {kind.client}" for kind in fits)
        raise InputError(Problem(f"there is no template for {asked}", f"write {hint}"))
    return left[0]


def contents(kind: Kind) -> dict[str, str]:
    """The text of each file, by its name."""
    templates = {
        "scenarios/first.yaml": "first.yaml.txt",
        "my_client.py": kind.template,
        "test_my_client.py": "pytest.py.txt",
    }
    return {name: _filled(template, kind) for name, template in templates.items()}


def _filled(template: str, kind: Kind) -> str:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return text.replace("{{protocol}}", kind.protocol).replace("{{runs_on}}", kind.runs_on)


def _check_free(folder: Path, files: dict[str, str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(Problem("this is no folder", "name another", file=str(folder)))
    taken = [folder / name for name in files if (folder / name).exists()]
    if taken:
        hint = "nothing was written; name another folder, or move it away"
        raise InputError(*(Problem("this is there already", hint, file=str(p)) for p in taken))


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise SetupError(f"{error.filename} can't be written: {error.strerror}") from error

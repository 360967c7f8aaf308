"""Finding the client that ``--client`` names: one of ours, or ``FILE:CLASS`` of the user's."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.clients._cards import Card, all_clients
from harness.errors import InputError, Problem, SetupError
from harness.fabric.virtual.shim import install_shim
from harness.registry import did_you_mean
from harness.worker.loading import flaws, import_problem


def load_client(choice: str) -> type[Any]:
    """The client's class: a name of ``harness list clients``, or ``FILE:CLASS``.

    Raises InputError if there is none, if its file can't be imported (with the line at fault),
    or if it hasn't the three methods.
    """
    if ":" not in choice and not choice.endswith(".py"):
        return _shipped(choice)
    file, name = _file_and_class(choice)
    module = _import(Path(file))
    client = getattr(module, name, None)
    if not isinstance(client, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        hint = did_you_mean(name, classes)
        raise InputError(Problem(f"there is no class {name!r}", hint=hint, file=file))
    problems = list(flaws(client, file))
    if problems:
        raise InputError(*problems)
    return client


def place_of(choice: str) -> str:
    """Where the client's class is, as ``FILE:CLASS``, without importing it.

    Raises InputError if there is no client of that name, or no such file.
    """
    if ":" not in choice and not choice.endswith(".py"):
        card = _card(choice)
        return f"{card.file}:{card.class_name}"
    file, name = _file_and_class(choice)
    _must_be_file(Path(file))
    return f"{file}:{name}"


def _file_and_class(choice: str) -> tuple[str, str]:
    file, _, name = choice.rpartition(":")
    if not file or not name.isidentifier():
        raise InputError(
            Problem(f"{choice!r} names no class", hint="write --client my_client.py:MyClient")
        )
    return file, name


def _card(name: str) -> Card:
    clients = all_clients()
    if name not in clients:
        hint = did_you_mean(name, clients) + "; a class of your own is FILE:CLASS"
        raise InputError(Problem(f"there is no client {name!r}", hint=hint))
    return clients[name]


def _shipped(name: str) -> type[Any]:
    card = _card(name)
    install_shim()  # as for a file of the user's
    try:
        module = importlib.import_module(_module_of(card))
    except ModuleNotFoundError as error:
        raise SetupError(
            f"the client {name} needs {error.name}, which is not installed; "
            "pip install 'chaos-harness[clients]' has it"
        ) from error
    client: type[Any] = getattr(module, card.class_name)
    return client


def _module_of(card: Card) -> str:
    path = Path(card.file)
    if path.parent == Path(__file__).parent:
        return f"harness.clients.{path.stem}"
    return next(  # it is imported already: an entry point is known by its class
        name for name, module in sys.modules.items() if getattr(module, "__file__", "") == card.file
    )


def _must_be_file(path: Path) -> None:
    if not path.is_file():
        hint = "give the path of a Python file, then a colon and the class"
        raise InputError(Problem("there is no such file", hint=hint, file=str(path)))


def _import(path: Path) -> ModuleType:
    _must_be_file(path)
    name = f"harness_client_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(Problem("this is no Python file", hint="name one", file=str(path)))
    module = importlib.util.module_from_spec(spec)
    install_shim()  # its library may take the clock by name, and be run in virtual time later
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # so that it may import what lies beside it
    try:
        with redirect_stdout(sys.stderr):  # what it prints must not spoil what we print
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(import_problem(path, error)) from error
    return module

"""Finding the client that ``--client`` names: one of ours, or ``FILE:CLASS`` of the user's."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.clients._cards import Card, all_clients
from harness.errors import InputError, Problem, SetupError
from harness.fabric.virtual.shim import install_shim
from harness.registry import did_you_mean

METHODS = {"open": 1, "call": 1, "close": 0}
"""What a client must have, and how many arguments each takes besides ``self``."""
SHAPE = "a client has async open(settings), async call(call) and async close()"
LIBRARIES = ("trio", "asyncio")
"""What ``RUNS_ON`` may say: whose coroutines the three methods are; trio's if it says nothing."""


def load_client(choice: str) -> type[Any]:
    """The client's class: a name of ``harness list clients``, or ``FILE:CLASS``.

    Raises InputError if there is none, if its file can't be imported (with the line at fault),
    or if it hasn't the three methods.
    """
    if ":" not in choice and not choice.endswith(".py"):
        return _shipped(choice)
    file, _, name = choice.rpartition(":")
    if not file or not name.isidentifier():
        raise InputError(
            Problem(f"{choice!r} names no class", hint="write --client my_client.py:MyClient")
        )
    module = _import(Path(file))
    client = getattr(module, name, None)
    if not isinstance(client, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        hint = did_you_mean(name, classes)
        raise InputError(Problem(f"there is no class {name!r}", hint=hint, file=file))
    problems = list(_flaws(client, file))
    if problems:
        raise InputError(*problems)
    return client


def _shipped(name: str) -> type[Any]:
    clients = all_clients()
    if name not in clients:
        hint = did_you_mean(name, clients) + "; a class of your own is FILE:CLASS"
        raise InputError(Problem(f"there is no client {name!r}", hint=hint))
    card = clients[name]
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


def _import(path: Path) -> ModuleType:
    if not path.is_file():
        hint = "give the path of a Python file, then a colon and the class"
        raise InputError(Problem("there is no such file", hint=hint, file=str(path)))
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
        raise InputError(_import_problem(path, error)) from error
    return module


def _import_problem(path: Path, error: BaseException) -> Problem:
    text = f"importing it raised {type(error).__name__}: {error}"
    hint = "a client's file must import without errors"
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, column = error.lineno or 0, error.offset or 1
        return Problem(f"{error.msg}", hint=hint, file=str(path), line=line, column=column)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno or 0 for frame in frames if frame.filename == str(path)]
    return Problem(text, hint=hint, file=str(path), line=lines[-1] if lines else 0, column=1)


def _flaws(client: type[Any], file: str) -> Iterator[Problem]:
    name = client.__name__
    for method, count in METHODS.items():
        function = inspect.getattr_static(client, method, None)
        if function is None:
            yield Problem(f"{name} has no method {method!r}", hint=SHAPE, file=file)
        elif not inspect.iscoroutinefunction(getattr(client, method)):
            yield Problem(f"{name}.{method} is not a coroutine", hint=SHAPE, file=file)
        elif not _takes(getattr(client, method), count):
            wanted = "no argument" if count == 0 else f"{count} argument"
            yield Problem(f"{name}.{method} must take {wanted}", hint=SHAPE, file=file)
    if getattr(client, "RUNS_ON", "trio") not in LIBRARIES:
        hint = f"RUNS_ON is {' or '.join(map(repr, LIBRARIES))}"
        yield Problem(f"{name} can't run on {client.RUNS_ON!r}", hint=hint, file=file)
    try:
        inspect.signature(client).bind()
    except (TypeError, ValueError):
        hint = "settings arrive in open(); give __init__ no required arguments"
        yield Problem(f"{name}() can't be made without arguments", hint=hint, file=file)


def _takes(function: Any, count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count + 1))
    except TypeError:
        return False
    return True

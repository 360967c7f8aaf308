"""A client's class out of a file, and what is wrong with it, in the place where it is wrong."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = {"open": 1, "call": 1, "close": 0}
"""What a client must have, and how many arguments each takes besides ``self``."""
SHAPE = "a client has async open(settings), async call(call) and async close()"
SHAPE_OF_THREADS = "on threads a client has open(settings), call(call) and close(), all plain"
LIBRARIES = ("trio", "asyncio", "threads")
"""What ``RUNS_ON`` may say: who runs the three methods; trio does if it says nothing."""
CLIENTS = Path(__file__).parent.parent / "clients"


class LibraryMissing(Exception):  # noqa: N818 - states what is so
    """The client's file needs a library that isn't installed; ``name`` is the missing module."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def load(place: str) -> type[Any]:
    """The class that ``FILE:CLASS`` names.

    Raises LibraryMissing if a library isn't there, InputError if the file can't be imported, has
    no such class, or the class isn't a client.
    """
    file, _, name = place.rpartition(":")
    path = Path(file)
    try:
        module = _imported(path)
    except ModuleNotFoundError as error:
        is_ours = path.parent == CLIENTS  # named after its library, but that is not what it means
        beside = path.parent / f"{error.name}.py"
        if error.name is None or (beside.exists() and not is_ours):
            raise InputError(import_problem(path, error)) from error
        raise LibraryMissing(error.name) from error
    except (Exception, SystemExit) as error:
        raise InputError(import_problem(path, error)) from error
    client = getattr(module, name, None)
    if not isinstance(client, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        hint = f"it has {', '.join(classes)}" if classes else "write one"
        raise InputError(Problem(f"there is no class {name!r}", hint, file=file))
    problems = list(flaws(client, file))
    if problems:
        raise InputError(*problems)
    return client


def _imported(path: Path) -> Any:
    """The module; one of ours is named after its library, so its folder stays out of the path."""
    if path.resolve().parent == CLIENTS:
        return importlib.import_module("harness.clients." + path.stem)
    name = "harness_client_" + path.stem
    spec = importlib.util.spec_from_file_location(name, str(path))
    if spec is None or spec.loader is None:
        raise InputError(Problem("this is no Python file", hint="name one", file=str(path)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))  # so that it may import what lies beside it
    spec.loader.exec_module(module)
    return module


def import_problem(path: Path, error: BaseException) -> Problem:
    """Why a file can't be imported, with the line of it that is at fault."""
    text = f"importing it raised {type(error).__name__}: {error}"
    hint = "a client's file must import without errors"
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, column = error.lineno or 0, error.offset or 1
        return Problem(f"{error.msg}", hint=hint, file=str(path), line=line, column=column)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno or 0 for frame in frames if frame.filename == str(path)]
    return Problem(text, hint=hint, file=str(path), line=lines[-1] if lines else 0, column=1)


def flaws(client: type[Any], file: str) -> Iterator[Problem]:
    """What a class lacks to be a client."""
    name = client.__name__
    runs_on = getattr(client, "RUNS_ON", "trio")
    is_async = runs_on != "threads"
    shape = SHAPE if is_async else SHAPE_OF_THREADS
    for method, count in METHODS.items():
        function = inspect.getattr_static(client, method, None)
        if function is None:
            yield Problem(f"{name} has no method {method!r}", hint=shape, file=file)
        elif inspect.iscoroutinefunction(getattr(client, method)) is not is_async:
            kind = "not a coroutine" if is_async else "a coroutine"
            yield Problem(f"{name}.{method} is {kind}", hint=shape, file=file)
        elif not _takes(getattr(client, method), count):
            wanted = "no argument" if count == 0 else f"{count} argument"
            yield Problem(f"{name}.{method} must take {wanted}", hint=shape, file=file)
    if runs_on not in LIBRARIES:
        hint = f"RUNS_ON is {' or '.join(map(repr, LIBRARIES))}"
        yield Problem(f"{name} can't run on {runs_on!r}", hint=hint, file=file)
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

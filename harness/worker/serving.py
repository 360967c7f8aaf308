"""Greets the harness, and hands the client to the host it runs on."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from harness.errors import InputError
from harness.worker.dials import watch_dials
from harness.worker.loading import LibraryMissing, load
from harness.worker.messages import Message, hello_answer, hello_of, hello_problems
from harness.worker.stdio import Stdio


def serve(place: str) -> None:
    """Serve the client that ``FILE:CLASS`` names; returns only if there is none."""
    stdio = Stdio.taken()
    request = stdio.first()
    if request is None:
        return
    hello_of(request)
    try:
        client = load(place)
    except LibraryMissing as missing:
        stdio.send(hello_problems((), missing=missing.name))
        return
    except InputError as error:
        stdio.send(hello_problems(error.problems))
        return
    watch_dials(stdio)
    _host(client, stdio).serve(_hello(client))


def _hello(client: type[Any]) -> Message:
    supports = getattr(client, "SUPPORTS", None)
    versions = {"python": platform.python_version()}
    for name in getattr(client, "REQUIRES", ()):
        versions[name] = version_of(name)
    return hello_answer(
        name=getattr(client, "NAME", client.__name__),
        runs_on=getattr(client, "RUNS_ON", "trio"),
        serves=tuple(getattr(client, "SERVES", ())),
        supports=None if supports is None else tuple(supports),
        versions=versions,
    )


def version_of(distribution: str) -> str:
    """The version that is installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "?"


def _host(client: type[Any], stdio: Stdio) -> Any:
    """Imported one by one: who runs on one needn't have what the others need."""
    runs_on = getattr(client, "RUNS_ON", "trio")
    if runs_on == "asyncio":
        from harness.worker.on_asyncio import AsyncioHost  # noqa: PLC0415 - see above

        return AsyncioHost(client(), stdio)
    if runs_on == "threads":
        from harness.worker.on_threads import ThreadsHost  # noqa: PLC0415 - see above

        return ThreadsHost(client(), stdio)
    from harness.worker.on_trio import TrioHost  # noqa: PLC0415 - see above

    return TrioHost(client(), stdio)

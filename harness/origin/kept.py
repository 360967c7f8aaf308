"""Throw-away servers from here: each has a keeper process, which outlives nothing of ours."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import trio

from harness.errors import SetupError
from harness.marking import marked

END_LIMIT_S = 8.0
"""How long a keeper may take to stop its server and clean up before it is killed."""
_KEEPER = Path(__file__).with_name("keeper.py")


@dataclass(frozen=True, slots=True)
class Identity:
    """A server's certificate with its chain and its key, as PEM, and what trusts it."""

    certificate: str
    key: str = field(repr=False)
    trust: ssl.SSLContext


@dataclass(eq=False)
class KeptServer:
    """A running server on 127.0.0.1 that is ended by ``close``, or with this process."""

    port: int
    folder: Path
    password: str = field(repr=False)
    _keeper: subprocess.Popen[bytes] = field(repr=False)

    def __post_init__(self) -> None:
        # Not atexit: processes of multiprocessing end without it.
        self._at_exit = Finalize(self, _end, args=(self._keeper,), exitpriority=1)

    @property
    def is_alive(self) -> bool:
        """Whether the server still runs, as far as is known."""
        return self._keeper.poll() is None

    def close(self) -> None:
        """Stop the server and remove its folder, however often this is called."""
        self._at_exit()

    async def aclose(self) -> None:
        """The same, while other tasks go on; it isn't cancelled, because that would leave it."""
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._at_exit)


async def keep(
    kind: str, programs: Mapping[str, Path], password: str, identity: Identity | None = None
) -> KeptServer:
    """A server that is ready; raises SetupError, with its own last words, if there is none.

    Cancelled, it leaves nothing behind. The server may outlive the trio run that began it.
    """
    order: dict[str, Any] = {
        "kind": kind,
        "programs": {name: str(path) for name, path in programs.items()},
        "password": password,
    }
    if identity is not None:
        order["tls"] = {"certificate": identity.certificate, "key": identity.key}
    # No process of trio's: it may outlive this run of trio.
    keeper = subprocess.Popen(  # noqa: ASYNC220, S603 - this interpreter and our own file
        [sys.executable, "-I", "-S", str(_KEEPER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=marked(),
        start_new_session=True,  # a Ctrl-C reaches us alone, and we end it in order
    )
    try:
        hello = await trio.to_thread.run_sync(_told, keeper, order, abandon_on_cancel=True)
    except BaseException:
        _end(keeper)
        raise
    if "port" not in hello:
        _end(keeper)
        raise SetupError(f"{kind} can't be served: {hello.get('error', 'its keeper died')}")
    return KeptServer(hello["port"], Path(hello["folder"]), password, keeper)


def _told(keeper: subprocess.Popen[bytes], order: dict[str, Any]) -> dict[str, Any]:
    """What the keeper says once it has done, or failed to do, what it is asked for."""
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    with keeper.stdout, suppress(BrokenPipeError):
        keeper.stdin.write(json.dumps(order).encode() + b"\n")
        keeper.stdin.flush()
        hello: dict[str, Any] = json.loads(keeper.stdout.readline() or b"{}")
        return hello
    return {}


def _end(keeper: subprocess.Popen[bytes]) -> None:
    assert keeper.stdin is not None
    with suppress(BrokenPipeError):
        keeper.stdin.close()
    try:
        keeper.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()

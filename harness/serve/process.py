"""The parent's side: the process that serves a test's proxies, and how it is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import harness
from harness.errors import SetupError
from harness.marking import marked
from harness.serve.messages import LINE_LIMIT_BYTES, READY, checked, decode, encode
from harness.serve.served import ServedProxy

START_LIMIT_S = 60.0
"""A process that isn't ready by then is killed; slow machines take a second or two."""
REPLY_LIMIT_S = 20.0
"""A process that doesn't answer for so long is killed."""
END_LIMIT_S = 5.0
"""How long a process that was told to end may take."""


class ProxyProcess:
    """A process that serves proxies; use it as a context manager, or call ``close``.

    It starts when the first proxy is opened. All of its calls are synchronous, take about a
    millisecond, and may come from any thread; a test on asyncio or trio may make them as well,
    and has its loop stopped that long. When the calling process ends, however it does, so does
    this one.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0
        self._timed_out = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process's id; None while there is none."""
        return None if self._process is None else self._process.pid

    def open(
        self,
        backends: str | Mapping[str, str],
        *,
        tls: str = "off",
        backend_ca: str | os.PathLike[str] = "",
        protocol: str = "http",
        port: int = 0,
        seed: int = 0,
        folder: Path | None = None,
    ) -> ServedProxy:
        """A proxy in front of an address, ``"127.0.0.1:5432"``, or of several by name.

        With several the first is in use until ``rotate`` or ``kill`` strikes. ``tls`` is
        ``off``, ``passthrough`` or ``terminate``: then clients trust ``proxy.ca_file``, and the
        backend is spoken to in plain TCP, or in TLS if ``backend_ca`` names a file with its CA.
        ``protocol`` is what the backend speaks, for faults that must know (``goodbye``) and for
        TLS where clients first ask for it (``postgres``).
        ``port`` 0 is any free one. ``folder`` is where ``ca_file`` is written.

        Raises InputError for words that mean nothing, SetupError for a port that is taken.
        """
        if not isinstance(backends, str):
            backends = dict(backends)
        words = {"tls": tls, "backend_ca": os.fspath(backend_ca), "protocol": protocol}
        reply = self.ask("open", backends=backends, port=port, seed=seed, **words)
        return ServedProxy(self, reply, tls=tls, seed=seed, folder=folder)

    def ask(self, do: str, **words: Any) -> dict[str, Any]:
        """The reply to a request; see ``harness serve --help``.

        Raises InputError for a mistake in it, SetupError if this machine can't do it or the
        process is gone.
        """
        with self._lock:
            process = self._running()
            self._asked += 1
            request = {"do": do, "id": self._asked} | words
            return checked(self._exchange(process, request, REPLY_LIMIT_S))

    def close(self) -> None:
        """End the process and all of its proxies. Harmless if it has ended."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                _end(process)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            process = self._process = _start()
            ready = self._exchange(process, None, START_LIMIT_S)
            if READY not in ready:
                raise self._gone(process)
        return self._process

    def _exchange(
        self, process: subprocess.Popen[bytes], request: dict[str, Any] | None, limit_s: float
    ) -> dict[str, Any]:
        """Send a request, if there is one, and wait for its reply; others are left behind.

        A wait that Ctrl-C interrupted has left its reply in the pipe.
        """
        timer = threading.Timer(limit_s, self._kill, [process])
        timer.daemon = True
        timer.start()
        wanted = None if request is None else request["id"]
        try:
            if request is not None:
                _stream(process.stdin).write(encode(request))
                _stream(process.stdin).flush()
            while True:
                line = _stream(process.stdout).readline(LINE_LIMIT_BYTES)
                if not line.endswith(b"\n"):
                    raise self._gone(process)
                reply = decode(line)
                if reply.get("id") == wanted:
                    return reply
        except (OSError, ValueError) as error:
            raise self._gone(process) from error
        finally:
            timer.cancel()

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        self._timed_out = True
        process.kill()

    def _gone(self, process: subprocess.Popen[bytes]) -> SetupError:
        """Clean up after a process that broke off; the next request starts another one."""
        self._process = None
        code = _end(process)
        late, self._timed_out = self._timed_out, False
        why = "answered no more and was killed" if late else f"ended by itself ({_how(code)})"
        return SetupError(f"the proxy's process {why}; its proxies are gone")


def _start() -> subprocess.Popen[bytes]:
    """The process, which imports the same harness as this one and nothing from the folder here."""
    command = [sys.executable, "-P", "-m", "harness.serve"]
    if threading.current_thread() is threading.main_thread():
        command.append(str(os.getpid()))
    home = str(Path(harness.__file__).parent.parent)
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = marked() | {"PYTHONPATH": os.pathsep.join(paths)}
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
    except OSError as error:
        raise SetupError(f"the proxy's process can't be started: {error}") from error


def _end(process: subprocess.Popen[bytes]) -> int:
    """Hang up, wait, kill if that takes too long; its exit code."""
    with suppress(OSError):  # it was gone before what we wrote could leave
        _stream(process.stdin).close()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        _stream(process.stdout).close()
    return process.returncode


def _stream(pipe: IO[bytes] | None) -> IO[bytes]:
    return cast("IO[bytes]", pipe)


def _how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

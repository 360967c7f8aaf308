"""Keeps one throw-away server. Run as a file, with the standard library alone: it begins at once.

It reads one line of JSON from stdin (``kind``, ``programs``, ``password``, perhaps ``tls``), starts
the server in a new folder, says in one line of JSON where it listens, and waits. When its stdin
ends, however its parent ended, or when the server ends, it stops the server and removes the folder.
The kernel ends the server should the keeper itself be killed (prctl(2), PR_SET_PDEATHSIG).

PostgreSQL refuses to run as root. There the keeper enters a user namespace in which it is an
ordinary user (user_namespaces(7)); where that isn't permitted, the server runs as nobody.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

START_LIMIT_S = 60.0
STOP_LIMIT_S = 3.0
POLL_S = 0.01
PORT_TRIES = 5
"""Somebody may take a free port before the server does."""
CONNECTIONS = 120
COMPLAINT_LIMIT = 300
MARK = "CHAOS_HARNESS_RUN"
"""Says whose keeper this is, in the words of ``harness.marking``: the folder's name says it too."""
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
ORDINARY_UID = 1000
NOBODY_UID = 65_534
AT_ONCE = getattr(signal, "SIGQUIT", signal.SIGTERM)
"""PostgreSQL's immediate shutdown: what it would save is thrown away."""


class StartError(Exception):
    """The server doesn't start, and why."""


def main() -> int:
    """Keep a server until stdin ends; 0 if it started."""
    order = json.loads(sys.stdin.buffer.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, _raise_exit)
    owner = _ordinary_user() if order["kind"] == "postgres" else None
    threading.Thread(target=_end_at_end_of_stdin, daemon=True).start()  # not before unshare(2)
    owner_mark = os.environ.get(MARK, "0:0").replace(":", "-")
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{order['kind']}-{owner_mark}-"))
    running: subprocess.Popen[bytes] | None = None
    try:
        server: Any = {"postgres": Postgres, "redis": Redis}[order["kind"]](order, folder, owner)
        running, port = _started(server)
        _say(port=port, pid=running.pid, folder=str(folder))
        running.wait()
    except (StartError, OSError, subprocess.SubprocessError) as error:
        _say(error=str(error))
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if running is not None:
            _stop(running, server.end_by)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _raise_exit(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _end_at_end_of_stdin() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _say(**facts: object) -> None:
    with suppress(BrokenPipeError):  # then stdin has ended as well
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


# --- who runs it ----------------------------------------------------------------------------


def _ordinary_user() -> int | None:
    """Stop being root, if that can be; else the user that the server has to run as."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    if _in_a_child(_enter_user_namespace):
        _enter_user_namespace()
        return None
    return NOBODY_UID


def _in_a_child(attempt: Any) -> bool:
    """Whether something works, tried where a failure can do no harm."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            attempt()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{ORDINARY_UID} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{ORDINARY_UID} {gid} 1", encoding="ascii")


def _end_with_parent(owner: int | None, end_by: int = AT_ONCE) -> Any:
    """What a child does before it becomes the server; None where it can't."""
    if os.name != "posix":
        return None

    def prepare() -> None:
        if owner is not None:
            os.setgroups([])
            os.setgid(owner)
            os.setuid(owner)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, end_by)

    return prepare


# --- the servers ----------------------------------------------------------------------------


class Postgres:
    """PostgreSQL in a folder of its own, on 127.0.0.1 alone, without a Unix socket."""

    end_by = AT_ONCE

    def __init__(self, order: dict[str, Any], folder: Path, owner: int | None) -> None:
        self.owner = owner
        self.log = folder / "log"
        self._program = order["programs"]["postgres"]
        self._data = folder / "data"
        self._tls = _write_tls(order, folder)
        word = folder / "password"
        _write_secret(word, order["password"])
        if owner is not None:
            for path in (folder, *folder.iterdir()):
                os.chown(path, owner, owner)
        self._initialise(order["programs"]["initdb"], word)
        word.unlink()

    def _initialise(self, initdb: str, word: Path) -> None:
        options = ["--no-sync", "--locale=C", "--encoding=UTF8", "--auth=scram-sha-256"]
        with self.log.open("wb") as log:
            made = subprocess.run(  # noqa: S603 - the server's own program
                [initdb, *options, "-U", "chaos", f"--pwfile={word}", "-D", str(self._data)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=START_LIMIT_S,
                check=False,
                preexec_fn=_end_with_parent(self.owner),
            )
        if made.returncode != 0:
            raise StartError(f"initdb fails: {last_line(self.log)}")

    def command(self, port: int) -> list[str]:
        """What to run. What is thrown away needs no disk: nothing waits for one."""
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": CONNECTIONS,
            "shared_buffers": "32MB",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": 0,
            "autovacuum": "off",
            "jit": "off",
            "log_line_prefix": "%d ",
            "lc_messages": "C",
        }
        if self._tls:
            certificate, key = self._tls
            settings |= {"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key}
        pairs = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self._program, "-D", str(self._data), *pairs]

    def is_ready(self, port: int) -> bool:  # noqa: ARG002 - the file is this server's own
        """Whether it says so in the eighth line of its postmaster.pid, as pg_ctl reads it."""
        with suppress(OSError):
            lines = (self._data / "postmaster.pid").read_text(encoding="ascii").splitlines()
            return len(lines) > 7 and lines[7].strip() == "ready"
        return False


class Redis:
    """Redis without a disk, on 127.0.0.1 alone."""

    end_by = signal.SIGTERM

    def __init__(self, order: dict[str, Any], folder: Path, owner: int | None) -> None:
        self.owner = owner
        self.log = folder / "log"
        self._program = order["programs"]["redis-server"]
        self._password = order["password"]
        self._folder = folder
        self._tls = _write_tls(order, folder)

    def command(self, port: int) -> list[str]:
        """What to run; the password stands in a file, because others see command lines."""
        lines = [
            "bind 127.0.0.1",
            f"requirepass {self._password}",
            f"dir {self._folder}",
            'save ""',
            "appendonly no",
            "daemonize no",
            "hz 500",  # blocked commands time out on a tick of this clock, 10 a second by default
        ]
        if self._tls:
            certificate, key = self._tls
            lines += ["port 0", f"tls-port {port}", "tls-auth-clients no"]
            lines += [f"tls-cert-file {certificate}", f"tls-key-file {key}"]
            lines += [f"tls-ca-cert-file {certificate}"]
        else:
            lines += [f"port {port}"]
        settings = self._folder / "redis.conf"
        _write_secret(settings, "\n".join(lines) + "\n")
        return [self._program, str(settings)]

    def is_ready(self, port: int) -> bool:
        """Whether it knows its password, which another one on that port wouldn't."""
        if self._tls:
            return "Ready to accept connections" in self.log.read_text(errors="replace")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0) as asking:
            asking.sendall(f"AUTH {self._password}\r\n".encode())
            return asking.recv(64) == b"+OK\r\n"
        return False


def _started(server: Any) -> tuple[subprocess.Popen[bytes], int]:
    """The running server and its port."""
    for _ in range(PORT_TRIES):
        port = _free_port()
        with server.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - as above
                server.command(port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent(server.owner, server.end_by),  # noqa: PLW1509 - as above
            )
        try:
            if _became_ready(process, server, port):
                return process, port
        except BaseException:
            _stop(process, server.end_by)
            raise
    raise StartError(f"it doesn't start: {last_line(server.log)}")


def _became_ready(process: subprocess.Popen[bytes], server: Any, port: int) -> bool:
    """Wait until it serves; False if it ended."""
    give_up = time.monotonic() + START_LIMIT_S
    while process.poll() is None:
        if server.is_ready(port):
            return True
        if time.monotonic() > give_up:
            raise StartError(f"it isn't ready after {START_LIMIT_S:g} s: {last_line(server.log)}")
        time.sleep(POLL_S)
    return False


def _free_port() -> int:
    with socket.socket() as asking:
        asking.bind(("127.0.0.1", 0))
        port: int = asking.getsockname()[1]
        return port


def _write_tls(order: dict[str, Any], folder: Path) -> tuple[str, str] | None:
    """The files of its certificate and key, if it has one."""
    if not order.get("tls"):
        return None
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    _write_secret(certificate, order["tls"]["certificate"])
    _write_secret(key, order["tls"]["key"])
    return str(certificate), str(key)


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def last_line(log: Path) -> str:
    """What the server said last."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip()[:COMPLAINT_LIMIT] if lines else "it says nothing"


def _stop(server: subprocess.Popen[bytes], end_by: int) -> None:
    for number in (end_by, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if server.poll() is not None:
            return
        server.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(STOP_LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())

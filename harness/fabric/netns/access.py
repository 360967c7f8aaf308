"""What this machine lets us do with networks, and what to do where it doesn't let us.

It is tried for real, in a child process and a throw-away network (``probing``): entering a user
namespace can't be undone, and no list of settings says what a kernel will refuse.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

Way: TypeAlias = Literal["root", "user namespace", ""]

PROBE_LIMIT_S = 20.0
MACHINE = "or use a virtual machine: vagrant up"
PRIVILEGED = f"start the container with --privileged, {MACHINE}"
_PROBING = Path(__file__).with_name("probing.py")
_CLONE = "kernel.unprivileged_userns_clone"
_APPARMOR = "kernel.apparmor_restrict_unprivileged_userns"
_USERS, _NETWORKS = "user.max_user_namespaces", "user.max_net_namespaces"
SETTINGS = (_CLONE, _APPARMOR, _USERS, _NETWORKS)
"""What may stand in the way: user_namespaces(7), namespaces(7), and distributions' own."""
_CONTAINERS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_WHAT = {
    "user": "a user namespace",
    "map": "a user namespace that knows this user",
    "net": "a network namespace",
    "lo": "a network namespace with a loopback",
    "sysctl": "a network namespace that forwards",
}


@dataclass(frozen=True, slots=True)
class Access:
    """By which ``way`` namespaces are made (empty: by none, for this ``reason``), and what works.

    ``why`` are pairs of what doesn't work and the name of the errno, such as
    ``("netem", "ENOENT")``.
    """

    way: Way = ""
    reason: str = ""
    advice: str = ""
    netem: bool = False
    tbf: bool = False
    htb: bool = False
    nft: bool = False
    conntrack: bool = False
    tun: bool = False
    sock_destroy: bool = False
    why: tuple[tuple[str, str], ...] = ()

    def why_not(self, name: str) -> str:
        """The name of the errno with which the kernel refused something; empty if it didn't."""
        return dict(self.why).get(name, "")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What explains a refusal: settings by their sysctl names, and who and where we are."""

    settings: Mapping[str, str] = field(default_factory=dict)
    is_root: bool = False
    in_container: bool = False
    is_filtered: bool = False


@cache
def probe() -> Access:
    """What this machine lets us do, tried once a process; never raises."""
    if sys.platform != "linux":
        return Access(reason="network namespaces are of Linux", advice="use a virtual machine")
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and our own file
            [sys.executable, "-I", "-S", str(_PROBING)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_LIMIT_S,
            check=True,
        )
        return understood(json.loads(done.stdout), _surroundings())
    except subprocess.TimeoutExpired:
        told = f"the kernel did not answer within {PROBE_LIMIT_S:g} s"
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        told = lines[-1] if lines else f"the probe ended with {error.returncode}"
    except (OSError, ValueError) as error:
        told = str(error)
    return Access(reason=f"network namespaces can't be tried: {told}", advice=MACHINE[3:])


def understood(found: Mapping[str, Any], around: Surroundings) -> Access:
    """What ``probing`` found, with reason and advice where there is no way."""
    if not found["way"]:
        reason, advice = refusal(found["failed"], found["number"], around)
        return Access(reason=reason, advice=advice)
    able = {name: found[name] for name in Access.__annotations__ if found.get(name) is True}
    return Access(way=found["way"], why=tuple(found["why"].items()), **able)


def refusal(step: str, number: int, around: Surroundings) -> tuple[str, str]:
    """Why there is no way, and what to do, by the step that failed and its errno."""
    cause, advice = next(_causes(step, number, around))
    return f"{_WHAT[step]} can't be made: {cause}", advice


def _causes(step: str, number: int, around: Surroundings) -> Iterator[tuple[str, str]]:
    """What may be the cause, the likeliest first, and what to do about it."""
    settings = around.settings
    limit = _NETWORKS if step == "net" else _USERS
    if number == errno.ENOSPC or (settings.get(limit) == "0" and step in {"user", "net"}):
        yield _to_set(limit, settings.get(limit, "too low"), "15000")
    if step == "sysctl" and number == errno.EROFS:
        yield "/proc/sys can't be written, as is usual in containers", PRIVILEGED
    if step in {"user", "net"} and number in {errno.EINVAL, errno.ENOSYS}:
        yield "this kernel was built without them", MACHINE[3:]
    if settings.get(_CLONE) == "0" and not around.is_root:
        yield _to_set(_CLONE, "0", "1")
    if around.in_container or around.is_filtered:
        yield f"{os.strerror(number)}, as is usual in containers", PRIVILEGED
    if settings.get(_APPARMOR, "0") != "0" and not around.is_root:
        yield _to_set(_APPARMOR, settings[_APPARMOR], "0")
    yield os.strerror(number), f"run as root, {MACHINE}"


def _to_set(name: str, value: str, wanted: str) -> tuple[str, str]:
    return f"{name} is {value}", f"sudo sysctl -w {name}={wanted}, or run as root, {MACHINE}"


def _surroundings() -> Surroundings:
    paths = {name: Path("/proc/sys") / name.replace(".", "/") for name in SETTINGS}
    texts = {name: _text(path).strip() for name, path in paths.items()}
    filtered = "Seccomp:\t2" in _text(Path("/proc/self/status"))
    return Surroundings(
        settings={name: text for name, text in texts.items() if text},
        is_root=os.geteuid() == 0,
        in_container=any(path.exists() for path in _CONTAINERS),
        is_filtered=filtered,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

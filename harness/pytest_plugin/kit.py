"""What the ``chaos`` fixture is: proxies for one test, closed with it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from harness.serve import ProxyProcess, ServedProxy


class Chaos:
    """Opens proxies for one test; those still open at its end are closed then."""

    def __init__(self, process: ProxyProcess, seed: int, folder: Path | None = None) -> None:
        self.seed = seed
        self.proxies: list[ServedProxy] = []
        self._process = process
        self._folder = folder

    def proxy(
        self,
        backends: str | Mapping[str, str],
        *,
        tls: str = "off",
        backend_ca: str | os.PathLike[str] = "",
        protocol: str = "http",
        port: int = 0,
        seed: int | None = None,
    ) -> ServedProxy:
        """A proxy in front of an address, ``"127.0.0.1:5432"``, or of several by name.

        The words are those of ``ProxyProcess.open``; ``seed`` is the session's unless given.
        """
        proxy = self._process.open(
            backends,
            tls=tls,
            backend_ca=backend_ca,
            protocol=protocol,
            port=port,
            seed=self.seed if seed is None else seed,
            folder=self._folder,
        )
        self.proxies.append(proxy)
        return proxy

    def summary(self, node_id: str) -> str:
        """What the proxies saw, and how to repeat it."""
        lines = [proxy.summary() for proxy in self.proxies]
        repeat = f"repeat with  pytest {shlex.quote(node_id)} --chaos-seed {self.seed}"
        return "\n".join([*lines, repeat])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as stack:
            for proxy in self.proxies:
                stack.callback(proxy.close)


KIT = pytest.StashKey[Chaos]()
"""Where a test keeps its kit."""

"""Which client is tested, and where it runs: what ``--client``, ``--python``, ``--command`` say."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

IDIOMATIC = "+idiomatic"
"""Behind a client's name: with what its library's documentation recommends for production."""


@dataclass(frozen=True, slots=True)
class ClientChoice:
    """The client that was chosen.

    ``name`` is a shipped client's, with ``+idiomatic`` perhaps, or ``FILE:CLASS``. With
    ``python`` it runs in a process of that interpreter. ``command`` is a program that speaks the
    protocol of clients; then there is no name.
    """

    name: str = "reference"
    python: str = ""
    command: str = ""

    @property
    def base(self) -> str:
        """The name without ``+idiomatic``."""
        return self.name.removesuffix(IDIOMATIC)

    @property
    def is_idiomatic(self) -> bool:
        """Whether it is asked to be as its documentation recommends."""
        return self.name.endswith(IDIOMATIC)

    @property
    def label(self) -> str:
        """What a report calls it."""
        return self.command or self.name

    @property
    def options(self) -> str:
        """The options by which a command line chooses it, each behind a space; empty if default."""
        chosen = {"command": self.command} if self.command else {"client": self.name}
        if self.name == "reference":
            chosen.pop("client", None)
        if self.python:
            chosen["python"] = self.python
        return "".join(f" --{word} {shlex.quote(value)}" for word, value in chosen.items())


def as_choice(client: str | ClientChoice) -> ClientChoice:
    """A choice; a mere name chooses that client."""
    return ClientChoice(client) if isinstance(client, str) else client

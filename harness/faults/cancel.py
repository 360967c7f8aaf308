"""A caller that is cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.faults._base import Cancellation
from harness.trigger import OrdinalsField
from harness.units import YAML_CONFIG, DurationS


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancels callers in the middle of a call: ``after`` a while, or at the N-th ``step``.

    A step is a checkpoint of the caller's task: each time it gives way to others. Which calls
    are struck is up to ``when`` (``probability``, ``during``, ``times``), or to ``call``, which
    counts calls by the order in which they begin while ``when`` holds.
    """

    NAME: ClassVar[str] = "cancel"
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "{fault: cancel, after: 3ms, when: {probability: 5%}}",
        "{fault: cancel, step: 4, during: rush}",
        "{fault: cancel, step: 4, call: 2, during: rush}",
    )
    __pydantic_config__: ClassVar[Any] = YAML_CONFIG

    after_s: Annotated[DurationS | None, Field(description="this long into the call")] = None
    jitter_s: Annotated[DurationS, Field(description="up to this much later, by the seed")] = 0.0
    step: Annotated[int | None, Field(ge=1, description="at this checkpoint of the call")] = None

    call: Annotated[
        OrdinalsField | None, Field(description="only these, by the order in which they begin")
    ] = None

    def __post_init__(self) -> None:
        if (self.after_s is None) == (self.step is None):
            raise ValueError("when in the call is not clear; give either after: 3ms or step: 4")

    def on_call(self, random: Random) -> Cancellation:
        """The instant or the step."""
        if self.after_s is None:
            return Cancellation(step=self.step)
        return Cancellation(after_s=self.after_s + random.uniform(0.0, self.jitter_s))

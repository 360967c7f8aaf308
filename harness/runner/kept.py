"""Kept runs: the history, the scenario as it was resolved, and the environment, in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from harness.choice import ClientChoice
from harness.errors import InputError, Problem
from harness.history import History
from harness.result import RunResult
from harness.runner.run import judge
from harness.scenario import at_value, read_text

HISTORY = "history.jsonl"
SCENARIO = "scenario.yaml"
RUN = "run.json"


def keep(result: RunResult, folder: Path, part: str = "") -> Path:
    """The folder this run was kept in: ``folder/<id>/<client>-<seed>``, and what else it is.

    That is the value of its sweep, its round, or the ``part`` of a campaign that it belongs to.

    Raises InputError if it can't be written.
    """
    client = "".join(c if c.isalnum() or c in "-_." else "_" for c in result.client)
    again = f"-{result.round}" if result.round > 1 else ""
    value = f"-{result.scenario.value}" if result.scenario.value else ""
    own = f"-{part.replace('/', '-').replace(':', '-')}" if part else ""
    identity = result.scenario.base_id.partition("[")[0]
    place = folder / identity / f"{client}-{result.seed}{value}{own}{again}"
    write(result, place)
    return place


def write(result: RunResult, place: Path) -> None:
    """Keep the run in this very folder. Raises InputError if it can't be written."""
    about = {
        "id": result.scenario.base_id,
        "value": result.scenario.value,
        "client": result.choice.name,
        "python": result.choice.python,
        "command": result.choice.command,
        "seed": result.seed,
        "fabric": result.fabric,
        "round": result.round,
        "took_s": round(result.took_s, 3),
        "verdict": result.verdict.value,
        "setup_error": result.setup_error,
        "environment": result.environment,
    }
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / HISTORY).write_text(result.history.to_jsonl(), encoding="utf-8")
        (place / SCENARIO).write_text(result.scenario.source, encoding="utf-8")
        (place / RUN).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        hint = "name a folder that can be written, with --keep"
        problem = Problem(f"can't keep the run: {error.strerror}", hint=hint, file=str(place))
        raise InputError(problem) from error


def load(folder: Path) -> list[RunResult]:
    """The runs kept in or below a folder, judged again. Raises InputError if there is none."""
    places = sorted(path.parent for path in folder.rglob(RUN)) if folder.is_dir() else []
    if not places:
        hint = "name the folder that was given to `harness run --keep`"
        raise InputError(Problem(f"no kept run is here (no {RUN})", hint=hint, file=str(folder)))
    return [load_run(place) for place in places]


def load_run(place: Path) -> RunResult:
    """The run kept in this very folder, judged again. Raises InputError if it can't be read."""
    about = _about(place / RUN)
    source = _text(place / SCENARIO)
    scenario = read_text(source, file=str(place / SCENARIO), id=str(about.get("id", "")) or None)
    if value := str(about.get("value", "")):
        scenario = at_value(scenario, value)
    history = History.from_jsonl(_text(place / HISTORY), str(place / HISTORY))
    setup_error = str(about.get("setup_error", ""))
    return RunResult(
        scenario=scenario,
        choice=ClientChoice(
            *(str(about.get(word, "")) for word in ("client", "python", "command"))
        ),
        seed=int(str(about.get("seed", 0))),
        fabric=str(about.get("fabric", "")),
        history=history,
        findings=() if setup_error else judge(scenario.checks, history),
        took_s=float(str(about.get("took_s", 0.0))),
        round=int(str(about.get("round", 1))),
        setup_error=setup_error,
        environment=dict(about.get("environment", {})),  # type: ignore[call-overload]
    )


def _about(path: Path) -> dict[str, object]:
    try:
        about = json.loads(_text(path))
        int(str(about.get("seed", 0))), float(str(about.get("took_s", 0.0)))
        return dict(about)
    except (ValueError, TypeError, AttributeError) as error:
        hint = "keep the file as `harness run --keep` wrote it"
        raise InputError(Problem(f"not readable: {error}", hint=hint, file=str(path))) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "keep the folder as `harness run --keep` wrote it"
        raise InputError(Problem(f"can't be read: {error}", hint=hint, file=str(path))) from error

"""Where tasks wait: what a person needs to know of a program that stands still."""

from __future__ import annotations

import trio

_BELOW = ("trio.", "harness.fabric.")


def waits_in(task: trio.lowlevel.Task) -> str:
    """Where a task waits, as ``waits in function (module line N)``; empty if it doesn't.

    The innermost frame is named that is neither trio's nor a fabric's own.
    """
    place = ""
    for frame, line in task.iter_await_frames():
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith(_BELOW):
            place = f"waits in {frame.f_code.co_name} ({module} line {line})"
    return place


def waiting_tasks() -> list[str]:
    """What each task of this run waits for, as ``name: waits in function (module line N)``.

    Tasks that only wait for their children are left out.
    """
    found: list[str] = []
    root = trio.lowlevel.current_root_task()
    todo = [] if root is None else [root]
    while todo:
        task = todo.pop(0)
        place = waits_in(task)
        for nursery in task.child_nurseries:
            todo += sorted(nursery.child_tasks, key=lambda child: (child.name, waits_in(child)))
        if place and not task.child_nurseries:
            found.append(f"{task.name}: {place}")
    return found

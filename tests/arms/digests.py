"""Prints a digest of the history of each scenario that is named, run in virtual time.

Arguments: scenario ids, each perhaps with a client behind ``@``.
"""

import hashlib
import sys

from harness.runner import run_scenario
from harness.scenario import bundled_root, read_file


def main(names):
    root = bundled_root()
    for name in names:
        scenario_id, _, client = name.partition("@")
        scenario = read_file(root / f"{scenario_id}.yaml", root)
        result = run_scenario(scenario, client or "reference", fabric="virtual")
        text = result.history.to_jsonl()
        digest = hashlib.sha256(text.encode()).hexdigest()
        sys.stdout.write(f"{name} {result.verdict.value} {digest}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Who may run on the netns fabric: a normal user as well as root, and who may not is told why."""

import json
import sys

import pytest
from dropping import (
    as_in_a_container,
    as_user,
    python_of_all,
    run,
    without_user_namespaces,
)

SCENARIO = """\
scenario: of-a-user
level: must
workload:
  - {phase: load, callers: 4, calls: 60, every: 2ms, timeout: 5s}
faults:
  - {fault: latency, delay: 2ms}
  - {fault: loss, every: 20}
expect: {errors: 0}
"""
NOT_SET_UP = 4
PROBE = """
import json
from dataclasses import asdict
from harness.fabric.netns.access import probe
print(json.dumps(asdict(probe())))
"""


@pytest.fixture
def folder(tmp_path):
    """A folder of anybody's, with a scenario in it."""
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.owner() == tmp_path.owner() and len(parent.parts) > 2:
            parent.chmod(0o755)
    return tmp_path


@pytest.fixture
def python():
    """An interpreter for a normal user, where user namespaces can be made."""
    if not (found := python_of_all()):
        pytest.skip("needs an interpreter and libraries that a normal user may read")
    return found


def harness(python, *options):
    return [python, "-m", "harness", "run", "mine.yaml", "--on", "netns", *options]


def namespaces_of(python, folder):
    return json.loads(run(as_user(python, "-c", PROBE), folder).stdout)


def test_a_normal_user_runs_and_captures_without_any_privilege(folder, python):
    access = namespaces_of(python, folder)
    if not access["way"] or not access["tun"]:
        pytest.skip(f"needs network namespaces: {access['reason'] or 'no /dev/net/tun'}")
    options = ["--jobs", "2", "--repeat", "2", "--capture", "captures", "--json", "-"]
    done = run(as_user(*harness(python, *options)), folder)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert [one["verdict"] for one in results] == ["pass", "pass"]
    files = [path for path in (folder / "captures").rglob("*.pcap") if path.stat().st_size > 1000]
    assert len(files) == 8
    own_process = run(as_user(*harness(python, "--client", "urllib3")), folder)
    assert own_process.returncode == 0, own_process.stdout + own_process.stderr


@pytest.mark.parametrize("confine", [without_user_namespaces, as_in_a_container])
def test_where_it_is_forbidden_it_is_said_why_and_what_to_do(folder, confine):
    done = run(confine(*harness(sys.executable)), folder)
    said = done.stdout + done.stderr
    if "unshare" in done.stderr and "harness" not in said:
        pytest.skip(f"this test itself needs a user namespace: {done.stderr}")
    assert done.returncode == NOT_SET_UP, said
    assert "Traceback" not in said
    assert "a user namespace can't be made" in said
    assert "run as root" in said or "--privileged" in said

"""``harness run --capture``: only where there are packets to capture."""

import pytest
from click.testing import CliRunner

from harness.cli import main


def run(*options):
    return CliRunner().invoke(main, ["run", "a/one", *options])


@pytest.mark.parametrize("fabric", ["loopback", "virtual"])
def test_a_fabric_without_packets_of_its_own_is_refused_with_the_name_of_one_that_has(here, fabric):
    told = run("--on", fabric, "--capture", "packets")
    assert told.exit_code == 3
    assert f"--capture: a/one runs on {fabric}, which has no packets to capture" in told.output
    assert "add --on netns" in told.output
    assert not (here / "packets").exists()


def test_so_is_a_scenario_that_belongs_elsewhere_and_all_are_refused_in_one_line(here):
    told = CliRunner().invoke(main, ["run", "--capture", "packets"])
    assert told.exit_code == 3
    assert told.output.count("--capture") == 1


def test_a_file_is_no_folder(here):
    (here / "packets").touch()
    told = run("--on", "netns", "--capture", "packets")
    assert told.exit_code == 3
    assert "Traceback" not in told.output

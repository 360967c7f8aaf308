"""Help teaches: what you get, examples, exit codes."""

import subprocess
import sys
from importlib import import_module

import click
import pytest

from harness import __version__
from harness.cli.app import COMMANDS, main
from harness.cli.teaching import as_written


def command_of(name) -> click.Command:
    return getattr(import_module(f"harness.cli.{COMMANDS[name][0]}"), f"{name}_command")


def test_the_group_names_every_command_with_its_first_line(harness):
    text = harness("--help").output
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name}" in text
        assert summary in text


def test_the_group_names_the_exit_codes(harness):
    text = harness("-h").output
    for code in range(5):
        assert f"\n    {code}  " in text


def test_no_argument_is_help(harness):
    assert "Commands:" in harness().output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_mentions_all_its_options(harness, name):
    done = harness(name, "--help")
    assert done.exit_code == 0
    for parameter in command_of(name).params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.opts[0] in done.output
            assert parameter.help


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_names_exit_codes_and_keeps_its_lines(harness, name):
    text = harness(name, "--help").output
    assert "Exit code" in text
    for line in (command_of(name).help or "").splitlines():
        if line.startswith("  "):
            assert f"  {line}\n" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_opens_with_what_you_get(name):
    first = (command_of(name).help or "").strip().splitlines()[0]
    assert first[0].isupper()
    assert not first.lower().startswith(("this command", "run ", "show ", "print ", "display "))


@pytest.mark.parametrize("name", ["run", "list", "explain", "validate", "judge", "bench"])
def test_the_help_of_a_command_has_examples_of_itself(harness, name):
    text = harness(name, "--help").output
    assert f"    harness {name}" in text


def test_the_version_is_the_packages(harness):
    assert harness("--version").output == f"harness {version()}\n"


def version():
    return __version__


@pytest.mark.parametrize(
    "args", [["--bogus"], ["run", "--bogus"], ["run", "--jobs", "0"], ["run", "--seed", "x"],
             ["explain"], ["judge"], ["bench", "extra"]],
)  # fmt: skip
def test_mistakes_of_usage_are_exit_code_3(harness, args):
    done = harness(*args)
    assert done.exit_code == 3
    assert "Usage: harness" in done.stderr
    assert "Error: " in done.stderr


def test_an_unknown_command_names_the_nearest(harness):
    done = harness("rum")
    assert done.exit_code == 3
    assert "did you mean 'run'?" in done.stderr


def test_help_imports_no_runner():
    code = (
        "import sys\nfrom harness.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('trio', 'pydantic', 'rich', 'harness.runner') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_paragraphs_with_indented_lines_are_kept_as_written():
    assert as_written("One\ntwo.\n\nThree:\n  four") == "One\ntwo.\n\n\b\nThree:\n  four"


def test_outside_of_a_terminal_session_the_group_returns_its_code():
    assert main(["--version"], standalone_mode=False) == 0

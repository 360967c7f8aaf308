"""The options that choose a client: what they name, what excludes what, where they can't be had."""

import pytest

from harness.choice import ClientChoice
from harness.cli.options import chosen_client
from harness.cli.words import PAGES
from harness.errors import InputError

KEPT = ClientChoice("mine.py:Mine", python="old/python")


@pytest.mark.parametrize(
    ("words", "choice"),
    [
        ({}, ClientChoice()),
        ({"client": "requests"}, ClientChoice("requests")),
        ({"python": "p"}, ClientChoice("reference", python="p")),
        ({"client": "a.py:A", "python": "p"}, ClientChoice("a.py:A", python="p")),
        ({"command": "./c -x"}, ClientChoice("", command="./c -x")),
        ({"default": KEPT}, KEPT),
        ({"default": KEPT, "python": "new"}, ClientChoice("mine.py:Mine", python="new")),
        ({"default": KEPT, "client": "b"}, ClientChoice("b", python="old/python")),
        ({"default": ClientChoice("", command="c")}, ClientChoice("", command="c")),
        ({"default": ClientChoice("", command="c"), "client": "b"}, ClientChoice("b")),
    ],
)
def test_options_name_a_client_and_what_they_leave_out_is_the_default(words, choice):
    assert chosen_client(**({"client": None, "python": None, "command": None} | words)) == choice


@pytest.mark.parametrize("other", ["client", "python"])
def test_a_command_is_a_client_by_itself(other):
    words = {"client": None, "python": None, "command": "./c"} | {other: "x"}
    with pytest.raises(InputError, match=f"--command and --{other} exclude each other"):
        chosen_client(**words)


@pytest.mark.parametrize("name", ["explore", "torture"])
@pytest.mark.parametrize("option", ["--python", "--command"])
def test_campaigns_say_why_they_take_no_client_of_another_process(harness, name, option):
    done = harness(name, "idle/fin/race", option, "x")
    assert done.exit_code == 3
    assert f"{option}: `{name}` needs the client in its own process" in done.stderr


def test_the_protocol_has_a_page(harness):
    assert harness("explain", "protocol").stdout == PAGES["protocol"].read_text()

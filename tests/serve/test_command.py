"""``harness serve``: the proxy with a control API, for tests in any language."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from serve_backends import Connection

REPO = Path(__file__).parents[2]


class Served:
    """The command as a program in another language sees it."""

    def __init__(self, *args):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness", "serve", *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(REPO)},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def hear(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, line):
        text = line if isinstance(line, str) else json.dumps(line)
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.hear()


@pytest.fixture(scope="module")
def served(request):
    from serve_backends import Backend

    with Backend("blue") as blue, Served(blue.address, "--seed", "7") as served:
        served.first = served.hear()
        served.address = blue.address
        yield served


def test_the_first_line_says_where_it_listens(served):
    first = served.first
    assert (first["ok"], first["proxy"], first["host"]) == (True, 1, "127.0.0.1")
    connection = Connection(socket.create_connection((first["host"], first["port"]), timeout=20))
    assert connection.say("hi") == "blue hi"
    connection.close()


def test_a_fault_is_armed_strikes_and_heals(served):
    first = served.first
    armed = served.ask({"do": "arm", "fault": {"fault": "reset", "when": {"request": 2}}})
    assert armed["ok"]
    connection = Connection(socket.create_connection((first["host"], first["port"]), timeout=20))
    assert connection.say("hi") == "blue hi"
    with pytest.raises(ConnectionResetError):
        connection.say("ho")
    connection.close()
    healed = served.ask({"do": "heal", "fault": armed["fault"]})
    assert healed["fired"] == {str(armed["fault"]): 1}
    look = served.ask({"do": "look", "after": 0})
    assert "FaultFired" in [event["type"] for event in look["events"]]
    assert look["opened"] >= 1


def test_another_proxy_can_be_opened_and_closed(served):
    opened = served.ask({"do": "open", "backends": served.address, "tls": "terminate"})
    assert opened["ca_pem"].startswith("-----BEGIN CERTIFICATE")
    assert served.ask({"do": "close", "proxy": opened["proxy"]})["ok"]
    assert not served.ask({"do": "look", "proxy": opened["proxy"]})["ok"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nonsense", "this line is no JSON"),
        ("[1]", "a message is a JSON object"),
        ("[" * 100_000, "no JSON"),
        ({"do": "arm", "fault": "rset"}, "did you mean 'reset'"),
        ({"do": "arm", "fault": 7}, "7 is no fault"),
        ({"do": "heal", "fault": 999}, "no fault 999 was armed"),
        ({"do": "heal", "fault": -1}, "no fault -1 was armed"),
        ({"do": "phase"}, "name: None is no text"),
        ({"do": "look", "after": "x"}, "after: 'x' is no number"),
        ({"do": "open", "backends": "127.0.0.1:1", "tsl": "off"}, "did you mean 'tls'"),
        ({"do": "arm", "proxy": [1], "fault": "reset"}, "no proxy [1] is open"),
        ({}, "None can't be done"),
        ({"do": ["arm"]}, "can't be done"),
        ({"do": "open", "backends": "127.0.0.1:1", "protocol": {}}, "unknown value {}"),
        ({"do": "open", "backends": {"a": ["127.0.0.1:1"]}}, "is not an address"),
        ({"do": "arm", "fault": {"fault": ["reset"]}}, "unknown fault"),
    ],
)
def test_a_mistake_is_answered_and_nothing_ends(served, line, told):
    reply = served.ask(line)
    assert (reply["ok"], reply["kind"]) == (False, "mistake")
    assert told in reply["errors"][0]
    assert served.ask({"do": "look", "id": "x"})["id"] == "x"


def test_it_ends_when_its_input_does():
    with Served("127.0.0.1:1") as served:
        served.hear()
        out, err = served.process.communicate(timeout=20)
        assert (served.process.returncode, out, err) == (0, "", "")


def test_it_ends_when_told_to():
    with Served("blue=127.0.0.1:1", "green=127.0.0.1:2") as served:
        served.hear()
        served.process.stdin.write('{"do": "stop"}\n')
        served.process.stdin.flush()
        assert served.process.wait(20) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_it_without_noise():
    with Served("127.0.0.1:1") as served:
        served.hear()
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(20) == 130
        assert served.process.stderr.read() == "interrupted\n"


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["127.0.0.1"], 3, "'127.0.0.1' is not an address; write HOST:PORT"),
        (["127.0.0.1:1", "127.0.0.1:2"], 3, "several addresses need a name each"),
        (["a=127.0.0.1:1", "a=127.0.0.1:2"], 3, "several addresses need a name each"),
        (["nowhere.invalid:1"], 4, "nobody knows where nowhere.invalid is"),
        ([], 3, "Missing argument"),
    ],
)
def test_a_mistake_on_the_command_line_says_what_would_be_right(args, code, told):
    from click.testing import CliRunner

    from harness.cli import main

    done = CliRunner().invoke(main, ["serve", *args], prog_name="harness")
    assert done.exit_code == code
    assert told in done.output

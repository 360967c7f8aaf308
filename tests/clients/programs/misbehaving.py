"""A client that answers as it should, but for the one thing that its argument names."""

import json
import os
import signal
import subprocess
import sys
import time

MODE = sys.argv[1]


def write(line, stream=sys.stdout):
    stream.write(line + "\n")
    stream.flush()


def say(**message):
    write(json.dumps(message))


def misbehave(at):
    """What it does when it is asked to do this; tells whether that was all."""
    if f"dies at {at}" == MODE:
        write("some warning", sys.stderr)
        write("fatal: out of luck", sys.stderr)
        os._exit(3)
    if f"is killed at {at}" == MODE:
        os.kill(os.getpid(), signal.SIGKILL)
    if f"hangs at {at}" == MODE:
        time.sleep(60)
    if f"talks at {at}" == MODE:
        write("hello, world")
    if f"floods at {at}" == MODE:
        while True:
            sys.stdout.write("x" * 65536)
    if f"tells too much at {at}" == MODE:
        while True:
            say(event="leak", where="here")
    return f"ignores {at}" == MODE


def hello():
    answer = {"op": "hello", "protocol": 1, "name": "odd", "serves": ["http"]}
    if MODE == "another version":
        answer["protocol"] = 2
    if MODE == "no such feature":
        answer["supports"] = ["telepathy"]
    if MODE == "starts another":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        answer["versions"] = {"child": child.pid}
    say(**answer)


def call(number, words):
    name = words["nonce"].encode() + b"\n"
    if MODE == "answers nobody":
        say(id=99, ok=True)
    elif MODE == "a wrong type":
        say(id=number, reply={"body": 7})
    elif MODE == "a list":
        write("[1]")
    elif MODE == "an unknown kind":
        say(id=number, error={"kind": "bad luck"})
    elif MODE == "says ok":
        say(id=number, ok=True)
    elif MODE == "says refused":
        say(id=number, error={"kind": "refused", "certainty": "failed", "message": "no"})
    elif MODE not in {"cancels", "ignores cancel", "answers late"}:
        say(id=number, reply={"body": name.decode(), "colour": "green"}, colour="green")
    if MODE == "answers twice":
        say(id=number, ok=True)


def main():
    if MODE == "ignores the end":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        message = json.loads(line)
        op, number = message["op"], message.get("id")
        if misbehave(op):
            continue
        if op == "hello":
            hello()
        elif op == "call":
            call(number, message["call"])
        elif op == "cancel" and MODE == "cancels":
            say(event="cancelling", id=number)
            say(id=number, cancelled=True)
        elif op == "cancel" and MODE == "answers late":
            time.sleep(0.3)
            say(id=number, reply={"body": "too late"})
        elif op in {"open", "close"}:
            say(event="news from the future", id=number)
            say(id=number, ok=True)
    if MODE == "ignores the end":
        time.sleep(60)


main()

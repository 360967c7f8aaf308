"""A user namespace for real: each test has a process of its own, since there is no way back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.fabric.netns import access
from harness.fabric.netns.entering import in_user_namespace

ROOT = Path(__file__).parent.parent.parent
LIMIT_S = 60


def says(program, *before):
    """What a program prints as JSON, run by this interpreter."""
    done = subprocess.run(
        [*before, sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def needs_a_user_namespace():
    found = says(
        "import json, harness.fabric.netns.probing as p\n"
        "try: p._enter_user_namespace(); p._unshare(p.CLONE_NEWNET, 'net')\n"
        "except p.StepError as e: print(json.dumps([e.step, e.number]))\n"
        "else: print(json.dumps([]))"
    )
    if found:
        pytest.skip(access.refusal(*found, access._surroundings())[0])


def test_inside_it_a_process_is_who_it_was_and_may_make_networks():
    needs_a_user_namespace()
    before, after, uid, gid, home_changed = says("""
import json, os
from harness.fabric.netns.entering import can_make, enter_user_namespace, in_user_namespace
uid, gid = os.geteuid(), os.getegid()
host = os.readlink("/proc/self/ns/net")
before = in_user_namespace()
enter_user_namespace()
after = [in_user_namespace(), can_make()]
moved = os.readlink("/proc/self/ns/net") != host
print(json.dumps([before, after, os.geteuid() == uid, os.getegid() == gid, moved]))
""")
    assert (before, after) == (in_user_namespace(), [True, True])
    assert uid
    assert gid
    assert home_changed


def test_namespaces_are_gone_into_and_come_back_from_there():
    needs_a_user_namespace()
    assert (
        says("""
import json, socket
from harness.fabric.netns import plan
from harness.fabric.netns.entering import enter_user_namespace
from harness.fabric.netns.layout import layout
from harness.fabric.netns.namespaces import Namespaces
from harness.fabric.netns.netlink import Netlink
from harness.scenario.model import Topology
enter_user_namespace()
place = layout(Topology(), ["blue"])
with Namespaces([*place.routers, *place.hosts]) as spaces:
    netlink = Netlink(spaces)
    netlink.perform(plan.building(place))
    netlink.perform(plan.roam(place, "client-1", 1))
    with (
        spaces.socket("proxy", socket.AF_INET, socket.SOCK_STREAM) as listener,
        spaces.socket("client-1", socket.AF_INET, socket.SOCK_STREAM) as dialer,
    ):
        listener.bind((place.address_of("proxy"), 0))
        listener.listen()
        dialer.settimeout(10)
        dialer.connect(listener.getsockname())
        print(json.dumps(dialer.getsockname()[0]))
""")
        == "198.18.1.3"
    )


def test_what_is_made_outside_is_of_the_hosts_network():
    needs_a_user_namespace()
    there, inside, refused = says("""
import json, os, socket
from harness.fabric.netns.entering import enter_user_namespace, outside
listener = socket.create_server(("127.0.0.1", 0))
network = lambda: os.readlink("/proc/thread-self/ns/net")
host = network()
assert outside(network) == host
enter_user_namespace()
def dial():
    sock = socket.socket()
    sock.settimeout(10)
    return sock
made = outside(dial)
made.connect(listener.getsockname())
own = socket.socket()
refused = own.connect_ex(listener.getsockname())
try:
    outside(lambda: 1 // 0)
except ZeroDivisionError:
    refused = [refused]
print(json.dumps([outside(network) == host, network() == host, refused]))
""")
    assert there
    assert not inside
    assert refused == [111], "home has a loopback of its own"


def test_with_more_than_one_thread_it_is_refused_and_nothing_has_changed():
    said, entered = says("""
import json, threading
from harness.errors import SetupError
from harness.fabric.netns.entering import enter_user_namespace, in_user_namespace
before = in_user_namespace()
done = threading.Event()
threading.Thread(target=done.wait).start()
try:
    enter_user_namespace()
except SetupError as error:
    print(json.dumps([str(error), in_user_namespace() != before]))
done.set()
""")
    assert "2 threads run" in said
    assert not entered


def test_a_thread_that_has_just_ended_is_no_obstacle():
    needs_a_user_namespace()
    assert says("""
import json, threading
from harness.fabric.netns.entering import can_make, enter_user_namespace
for _ in range(20):
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
enter_user_namespace()
print(json.dumps(can_make()))
""")


def test_the_probe_touches_nothing_of_the_network_it_is_started_in():
    def state():
        rows = Path("/proc/net/dev").read_text().splitlines()
        forwards = Path("/proc/sys/net/ipv4/ip_forward").read_text()
        return [row.split(":")[0] for row in rows], forwards

    before = state()
    access.probe.cache_clear()
    found = access.probe()
    assert state() == before
    assert found.way or (found.reason and found.advice)


def test_the_probe_says_the_same_as_really_entering():
    found = access.probe()
    made = says("""
import json
from harness.errors import SetupError
from harness.fabric.netns.entering import can_make, enter_user_namespace
from harness.fabric.netns.namespaces import Namespaces
try:
    if not can_make():
        enter_user_namespace()
    with Namespaces(["one"]):
        print(json.dumps(True))
except SetupError as error:
    print(json.dumps(False))
""")
    assert made == bool(found.way)


def test_what_was_made_outside_is_not_kept_open():
    needs_a_user_namespace()
    assert says("""
import json, time, weakref
from harness.fabric.netns.entering import enter_user_namespace, outside
enter_user_namespace()
class Made:
    pass
made = outside(Made)
gone = weakref.ref(made)
del made
give_up = time.monotonic() + 10
while gone() is not None and time.monotonic() < give_up:
    time.sleep(0.01)
print(json.dumps(gone() is None))
""")

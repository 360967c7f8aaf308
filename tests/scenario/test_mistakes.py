"""Every mistake is told with its exact position, what is wrong and what would be right."""

import pytest

from harness.errors import InputError
from harness.scenario import read_file, read_text
from harness.scenario.reader import TEXT_LIMIT_BYTES

HEAD = "scenario: x\n"
LOAD = "workload: [{phase: load, calls: 4}]\n"
EXPECT = "expect: {no_leaks: true}\n"


def lines(text):
    with pytest.raises(InputError) as caught:
        read_text(text, file="f.yaml")
    return str(caught.value).splitlines()


SYNTAX = [
    ("", "1:1: there is nothing in this scenario; begin with scenario: my-first-race"),
    ("# only a remark\n", "1:1: there is nothing in this scenario; "),
    ("race", "1:1: 'race' is not a scenario; "),
    ("- a", "1:1: a list is not a scenario; "),
    ("a: [", "1:5: a value is missing here; "),
    ("a: 'x", "1:6: a quote is never closed; "),
    ("\tx: 1", "1:1: a tab stands where a value or indentation begins; use spaces"),
    ("a: b: c", "1:5: a colon stands where no key can be; "),
    ("a: {b: 1", "1:9: a bracket is still open here; "),
    ("a: @x", "1:4: this character can't begin a value; put it in quotes"),
    ("a: 1\nb: \x01", "2:4: a control character stands here; "),
    ("a: \ud800", "1:4: a control character stands here; "),
    ('a: "\\ud800"', "1:4: a: half a character (a lone surrogate); "),
    ("a: 1\n---\nb: 2", "2:1: a second document begins; keep one scenario a file"),
    (
        "a: 1\na: 2\n",
        "2:1: a: the key 'a' stands here again; keep one; the first is at line 1, col",
    ),
    ("w:\n  - {a: 1, a: 2}", "2:12: w[0].a: the key 'a' stands here again; "),
    ("a: !!python/object:os.x {}", "1:4: a: the tag tag:yaml.org,2002:python/object:os.x is "),
    ("a: &x [*x]", "1:8: *x stands for nothing yet; "),
    ("1: 2", "1:1: a key is a plain text; quote it if it looks like a number"),
    ("? [1]\n: 2", "1:3: a key is a plain text; "),
    ("<<: 3", "1:1: << merges mappings in YAML 1.1 only; write the keys out"),
    ("a: 99999999999999999999999", "1:4: a: a number of 23 digits is longer than any that is "),
    ("[" * 5000, "1:25: nested more than 24 deep; "),
    ("%YAML 9.9\n---\na: 1", "1:1: this is no YAML (found incompatible YAML document"),
]


@pytest.mark.parametrize(("text", "line"), SYNTAX)
def test_structural_mistakes_are_told_first(text, line):
    (told,) = lines(text)
    assert told.startswith(f"f.yaml:{line}")


SECTION = [
    ("scenario: 7\n" + LOAD + EXPECT, ['1:11: scenario: 7 is not a text; write it in quotes: "7"']),
    (
        "scenario: ''\n" + LOAD + EXPECT,
        ["1:11: scenario: there is too little here; give at least 1"],
    ),
    (LOAD + EXPECT, ["1:1: the key 'scenario' is missing; add scenario: idle-close-race"]),
    (HEAD + EXPECT, ["1:1: the key 'workload' is missing; add workload: [{phase: load, "]),
    (HEAD + LOAD, ["1:1: the key 'expect' is missing; add expect: {errors: 0}"]),
    (HEAD + LOAD + "expect: {}", ["3:9: expect: nothing is expected; add a check, such as "]),
    (HEAD + LOAD + "expect: {no_leaks: false}", ["3:9: expect: nothing is expected; "]),
    (HEAD + LOAD + "expect: yes", ["3:9: expect: 'yes' expects nothing; "]),
    (
        HEAD + "workload: 3\n" + EXPECT,
        ["2:11: workload: 3 is not a list; write [{phase: load", "2:11"],
    ),
    (HEAD + "workload: []\n" + EXPECT, ["2:11: workload: nobody calls; write [{phase: load"]),
    (HEAD + LOAD + EXPECT + "abot: hi", ["4:1: abot: unknown key 'abot'; did you mean 'about'?"]),
    (HEAD + LOAD + EXPECT + "level: mst", ["4:8: level: unknown value 'mst'; did you mean 'must'"]),
    (HEAD + LOAD + EXPECT + 'seed: "4"', ["4:7: seed: '4' is a text; write 4 without quotes"]),
    (HEAD + LOAD + EXPECT + "seed: 1.5", ["4:7: seed: 1.5 is not a whole number; "]),
    (HEAD + LOAD + EXPECT + "recovery: yes", ["4:11: recovery: 'yes' is neither true nor false; "]),
    (
        HEAD + LOAD + EXPECT + "origin: {serve: postgress}",
        ["4:17: origin.serve: unknown value 'postgress'; did you mean 'postgres', or it is one "],
    ),
    (
        HEAD + LOAD + EXPECT + 'origin: {serve: {address: "10.9.0.2:5432"}}',
        ["4:17: origin.serve: the key 'protocol' is missing; add protocol: http"],
    ),
    (
        HEAD + LOAD + EXPECT + "origin: {serve: {address: here, protocol: redis}}",
        ["4:17: origin.serve: 'here' is no address; write 10.9.0.2:5432 or [::1]:5432"],
    ),
    (
        HEAD + LOAD + EXPECT + 'origin: {serve: {address: "h:1", protcol: redis}}',
        [
            "4:17: origin.serve: the key 'protocol' is missing; add protocol: http",
            "4:34: origin.serve.protcol: unknown key 'protcol'; did you mean 'protocol'?",
        ],
    ),
    (
        HEAD
        + LOAD
        + EXPECT
        + 'origin: {serve: {address: "h:1", protocol: redis}, backends: [a, b]}',
        ["4:62: origin.backends: one address is one backend, and here are 2; leave backends out"],
    ),
    (
        HEAD + LOAD + EXPECT + "origin: {serve: redis, keep_alive: 2s}",
        ["4:24: origin.keep_alive: redis keeps connections as it likes, so keep_alive means noth"],
    ),
    (
        HEAD + LOAD + EXPECT + "origin: {serve: postgres}\nfabric: virtual",
        ["5:9: fabric: postgres needs real time, and the virtual fabric has none; write fabric: "],
    ),
    (
        HEAD + LOAD + EXPECT + "origin: {serve: postgres}\nfabric: virtual",
        ["5:9: fabric: postgres needs real time, and the virtual fabric has none; write fabric: l"],
    ),
    (
        HEAD + LOAD + EXPECT + "origin: {serve: redis}\nperturb: {delay: 1ms}",
        ["4:17: origin.serve: redis needs real time, and delay runs on virtual alone, without any"],
    ),
    (
        HEAD
        + LOAD
        + EXPECT
        + "origin: {serve: redis}\nfaults: [{fault: blackhole, side: backend}]",
        ["5:18: faults[0].fault: blackhole strikes packets on a link, and none leads to this serv"],
    ),
    (
        HEAD + LOAD + EXPECT + "fabric: virtual\ntopology: {clients: 2}",
        ["4:9: fabric: topology needs hosts of their own, and the virtual fabric has none; write "],
    ),
    (
        HEAD + LOAD + EXPECT + "topology: {clients: 2, proxy: client}",
        ["4:11: topology: a sidecar serves the client beside it alone; write clients: 1"],
    ),
    (
        HEAD + LOAD + EXPECT + "topology: {proxy: client}\nfaults: [{fault: loss, rate: 5%}]",
        ["5:18: faults[0].fault: loss strikes packets between client and proxy, and no link is th"],
    ),
    (
        HEAD + LOAD + EXPECT + "origin: {serve: postgres}\nfaults: [{fault: goodbye, timeout: 1s}]",
        ["5:27: faults[0].timeout: postgres announces no timeout, as http does; leave it out, and"],
    ),
    (
        HEAD + LOAD + EXPECT + "origin: {backends: blue}",
        ["4:20: origin.backends: 'blue' is not a list; write [blue]"],
    ),
    (
        HEAD + LOAD + EXPECT + "origin: {backends: [blue, blue]}",
        ["4:27: origin.backends[1]: backend 'blue' stands here again; "],
    ),
    (
        HEAD + LOAD + EXPECT + "proxy: {tls: passthrough}",
        ["4:14: proxy.tls: passthrough lets the client handshake with the backend, which speaks "],
    ),
    (
        HEAD + LOAD + EXPECT + "client: {pool: {timeout: 5, sise: 3}}",
        [
            "4:26: client.pool.timeout: 5 has no unit; write 250ms, 2s or 1h",
            "4:29: client.pool.sise: unknown key 'sise'; did you mean 'size'?",
        ],
    ),
    (
        HEAD + LOAD + EXPECT + "client: {pool: {size: 2, min_idle: 3}}",
        ["4:36: client.pool.min_idle: min_idle keeps 3 ready, and the pool keeps only 2; "],
    ),
]

PHASES = [
    ("{calls: 4}", ["2:12: workload[0]: the key 'phase' is missing; add phase: load"]),
    ("{phase: a}", ["workload[0]: phase 'a' neither calls nor pauses; add calls: 100"]),
    ("load", ["2:12: workload[0]: 'load' is not a mapping"]),
    ("{phase: a, calls: 0}", ["2:30: workload[0].calls: 0 is too small; it is at least 1"]),
    ('{phase: a, calls: "4"}', ["2:30: workload[0].calls: '4' is a text; write 4 without"]),
    ("{phase: a, calls: 4, pause: 1s}", ["2:23: workload[0].calls: nobody calls in a pause, so"]),
    ("{phase: a, calls: 4, every: 1s, rate: 2/s}", ["2:44: workload[0].rate: every paces each"]),
    ("{phase: a, calls: 4, cancel: {}}", ["2:41: workload[0].cancel: cancel doesn't say when; "]),
    (
        "{phase: a, calls: 4, cancel: {after: 1s, to: 9}}",
        ["2:53: workload[0].cancel.to: to counts on from step, and there is nothing between; "],
    ),
    (
        "{phase: a, calls: 4, cancel: {after: 1s, step: 2}}",
        ["2:53: workload[0].cancel.step: after and step both say when to cancel; keep one"],
    ),
    ("{phase: a, calls: 4, session: 30%}", ["2:33: workload[0].session: only a session of post"]),
    ("{phase: a, calls: 4, request: 9}", ["2:33: workload[0].request: request is the body of"]),
    ("{phase: a, calls: 4, slow: 9}", ["2:39: workload[0].slow: 9 has no unit; write 250ms"]),
    ("{phase: a, calls: 4, size: 2x}", ["2:39: workload[0].size: unknown unit 'x' in '2x'; "]),
    (
        "{phase: a, calls: 4}, {phase: a, calls: 1}",
        ["2:42: workload[1].phase: phase 'a' stands here again; give each phase its own name"],
    ),
]

FAULTS = [
    ("close", "13: faults[0]: 'close' is not a fault; write {fault: close}"),
    ("{idle: 2s}", "13: faults[0]: the key 'fault' is missing; name one, such as fault: close"),
    ("{fault: clos}", "21: faults[0].fault: unknown fault 'clos'; did you mean 'close'?"),
    ("{fault: [a]}", "21: faults[0].fault: unknown fault a list; write one such as close"),
    ("{fault: sock_destroy, byte: 9}", "35: faults[0].byte: sock_destroy strikes the client's own"),
    ("{fault: port_exhaustion, ports: 0}", "45: faults[0].ports: 0 is too small; it is at"),
    ("{fault: backlog_full, idle: 2s}", "35: faults[0].idle: backlog_full strikes the listening "),
    ("{fault: vanish}", "21: faults[0].fault: vanish strikes connections that are open, and at fi"),
    ("{fault: vanish, for: 2s}", "21: faults[0].fault: vanish strikes connections that are open, "),
    ("{fault: address_change}", "21: faults[0].fault: address_change strikes connections that are"),
    (
        "{fault: blackhole, byte: 512}",
        "32: faults[0].byte: blackhole strikes packets, which are not cut to the byte, so byte ",
    ),
    (
        "{fault: loss, rate: 5%, when: {match: OK}}",
        "44: faults[0].when.match: loss strikes packets, which are not cut to the byte, so match ",
    ),
    ("{fault: link_down, idle: 2s}", "32: faults[0].idle: link_down strikes a whole link, so idle"),
    ("{fault: drop_syn, connection: 3}", "31: faults[0].connection: drop_syn strikes a whole link"),
    ("{fault: link_down, side: client}", "32: faults[0].side: link_down strikes the client's link"),
    (
        "{fault: vanish, at: 1s, direction: upstream}",
        "37: faults[0].direction: vanish strikes both directions; leave direction out; ",
    ),
    ("{fault: partition, side: left}", "38: faults[0].side: unknown value 'left'; it is one of "),
    ("{fault: partition, how: rest}", "37: faults[0].how: unknown value 'rest'; did you mean 're"),
    ("{fault: partition, up: 1s}", "13: faults[0]: up is only half of how it flaps; add down: 2s"),
    (
        "{fault: partition, up: 1s, down: 0s}",
        "46: faults[0].down: '0s' is too small; it is more than 0",
    ),
    ("{fault: loss}", "13: faults[0]: how much is lost is not clear; give rate: 5%, or p: 1% and "),
    ("{fault: loss, rate: 1%, p: 1%}", "13: faults[0]: rate and p are two models of loss; keep "),
    ("{fault: loss, k: 99%}", "13: faults[0]: k speaks of bursts, and p of how they begin; add p"),
    ("{fault: loss, rate: 0.05}", "33: faults[0].rate: 0.05 is not a share; write 5% or 99.9%"),
    ("{fault: reorder, rate: 5%}", "13: faults[0]: the key 'delay' is missing; add delay: 250ms"),
    ("{fault: reorder, rate: 5%, delay: 0s}", "13: faults[0]: who is late by nothing isn't overt"),
    ("{fault: mtu, limit: 40}", "33: faults[0].limit: 40 is too small; it is at least 68"),
    ("{fault: nat_expiry, after: 350}", "40: faults[0].after: 350 has no unit; write 250ms, 2s "),
    ("{fault: drop_syn, attempts: 0}", "41: faults[0].attempts: 0 is too small; it is at least 1"),
    (
        "{fault: close, rqest: 2}",
        "28: faults[0].rqest: unknown key 'rqest'; did you mean 'request'?",
    ),
    ("{fault: close, when: soon}", "34: faults[0].when: 'soon' says nothing about when; "),
    (
        "{fault: close, when: {idle: 2}}",
        "41: faults[0].when.idle: 2 has no unit; write 250ms, 2s or 1h",
    ),
    (
        "{fault: close, when: {idle: 2s}, idle: 3s}",
        "35: faults[0].when.idle: idle stands under when and beside it; keep one",
    ),
    (
        "{fault: refuse, request: 3}",
        "29: faults[0].request: refuse strikes the listening port, so request means nothing ",
    ),
    ("{fault: refuse, side: client}", "29: faults[0].side: refuse doesn't end one side alone; "),
    ("{fault: half_close, side: client}", "33: faults[0].side: half_close doesn't end one side"),
    ("{fault: close, direction: both}", "28: faults[0].direction: close works on no single dir"),
    ("{fault: stall, direction: up}", "39: faults[0].direction: unknown value 'up'; it is one "),
    ("{fault: latency}", "13: faults[0]: the key 'delay' is missing; add delay: 20ms ± 5ms"),
    ("{fault: slice, size: 4, variation: 9}", "13: faults[0]: variation leaves segments without"),
    ("{fault: stall, direction: both, byte: 9}", "39: faults[0].direction: byte looks at one dir"),
    ("{fault: close, when: {byte: 9, match: a}}", "35: faults[0].when.byte: match and byte both "),
    ("{fault: close, request: 1, response: 1}", "40: faults[0].response: a point is in a request "),
    ("{fault: close, during: laod}", "36: faults[0].during: no phase is called 'laod'; did you "),
    ("{fault: close, backend: red}", "37: faults[0].backend: no backend is called 'red'; known "),
    ("{fault: kill, backend: red}", "36: faults[0].backend: no backend is called 'red'; known "),
    ("{fault: rotate, to: red}", "33: faults[0].to: no backend is called 'red'; known are blue"),
    ("{fault: rotate}", "13: faults[0]: rotate needs a second backend to go to; add origin: "),
    ("{fault: truncate}", "21: faults[0].fault: truncate needs a proxy that terminates TLS, and "),
    ("{fault: handshake_reset}", "21: faults[0].fault: handshake_reset strikes TLS handshakes, "),
    ("{fault: certificate, problem: expired}", "21: faults[0].fault: certificate needs a proxy "),
    (
        "{fault: close, event: tls_established}",
        "35: faults[0].event: only a proxy that terminates TLS sees it established; ",
    ),
    ("{fault: close, match: 'a{99999999999}'}", "35: faults[0].match: the pattern is too"),
    (f"{{fault: limit, bytes: {'9' * 400}GB}}", "35: faults[0].bytes: a number of 400 digits is"),
    (f"{{fault: close, idle: {'9' * 400}s}}", "34: faults[0].idle: a number of 400 digits is "),
    (f"{{fault: close, request: every {'9' * 5000}}}", "37: faults[0].request: a number of 5000 "),
]

CHECKS = [
    ("no_leeks: true", "3:10: expect.no_leeks: unknown check 'no_leeks'; did you mean 'no_leaks'?"),
    ("fault_fired: false", "3:23: expect.fault_fired: fault_fired is always on; leave it out"),
    (
        "errors: {only: [rest]}",
        "3:26: expect.errors.only[0]: unknown value 'rest'; did you mean 're",
    ),
    ("no_leaks: 3", "3:20: expect.no_leaks: 3 says nothing to no_leaks; write no_leaks: true"),
    (
        "no_leaks: ~",
        "3:20: expect.no_leaks: nothing says nothing to no_leaks; write no_leaks: true",
    ),
    ("connections_opened: many", "3:30: expect.connections_opened: 'many' is not a whole number"),
    ("connections_opened: [1]", "3:30: expect.connections_opened: a list says nothing to "),
    ("connections_opened: {at_mst: 1}", "3:31: expect.connections_opened.at_mst: unknown key "),
    ("recovers_within: 1", "3:27: expect.recovers_within: 1 has no unit; write 250ms, 2s or 1h"),
]


@pytest.mark.parametrize(("text", "expected"), SECTION)
def test_mistakes_in_a_section(text, expected):
    told = lines(text)
    assert len(told) == len(expected), told
    assert all(t.startswith(f"f.yaml:{e}") for t, e in zip(told, expected, strict=True)), told


@pytest.mark.parametrize(("phases", "expected"), PHASES)
def test_mistakes_in_a_phase(phases, expected):
    told = lines(HEAD + f"workload: [{phases}]\n" + EXPECT)
    assert all(any(e in t for t in told) for e in expected), told


@pytest.mark.parametrize(("entry", "expected"), FAULTS)
def test_mistakes_in_a_fault(entry, expected):
    (told,) = lines(HEAD + LOAD + EXPECT + f"faults:    [{entry}]\n")
    assert told.startswith(f"f.yaml:4:{expected}")


@pytest.mark.parametrize(("check", "expected"), CHECKS)
def test_mistakes_in_a_check(check, expected):
    (told,) = lines(HEAD + LOAD + f"expect: {{{check}}}\n")
    assert told.startswith(f"f.yaml:{expected}")


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (
            "origin: {serve: echo}\n",
            "goodbye speaks http and postgres, and the origin serves echo; ",
        ),
        (
            "origin: {tls: true}\nproxy: {tls: passthrough}\n",
            "goodbye must read what is said, and passthrough shows it only ciphertext; ",
        ),
    ],
)
def test_a_fault_that_speaks_a_protocol_needs_to_be_understood(rest, expected):
    (told,) = lines(HEAD + LOAD + EXPECT + rest + "faults: [{fault: goodbye}]\n")
    assert f"faults[0].fault: {expected}" in told


def test_a_fabric_without_packets_cannot_be_asked_for_what_needs_them():
    text = HEAD + LOAD + EXPECT + "fabric: loopback\nfaults: [{fault: blackhole}]\n"
    (told,) = lines(text)
    assert told == (
        "f.yaml:4:9: fabric: blackhole needs packets, and the loopback fabric has none; "
        "write fabric: virtual, or leave it out"
    )
    (told,) = lines(HEAD + LOAD + EXPECT + "fabric: moon\n")
    assert told == "f.yaml:4:9: fabric: unknown value 'moon'; it is one of loopback, virtual, netns"


def test_an_echo_has_no_framing():
    text = HEAD + "workload: [{phase: a, calls: 1, framing: eof}]\n" + EXPECT
    (told,) = lines(text + "origin: {serve: echo}\n")
    assert told.startswith("f.yaml:2:42: workload[0].framing: an echo has no framing, so eof ")


def test_without_recovery_there_is_nothing_to_recover_within():
    (told,) = lines(HEAD + LOAD + "expect: {recovers_within: 1s}\nrecovery: false\n")
    assert told.startswith("f.yaml:3:10: expect.recovers_within: recovery: false leaves ")


def test_a_workload_of_pauses_calls_nobody():
    (told,) = lines(HEAD + "workload: [{phase: a, pause: 1s}]\n" + EXPECT)
    assert told.startswith("f.yaml:2:11: workload: no phase makes a call; ")


def test_all_mistakes_come_at_once_and_in_the_order_of_the_text():
    text = """scenario: 7
level: mst
workload:
  - {phase: a, calls: "4"}
  - {phase: b, calls: 1, every: 5}
faults:
  - {fault: clos}
  - {fault: close, during: c}
expect: {no_leeks: true}
"""
    places = [line.split(": ", 2)[:2] for line in lines(text)]
    assert places == [
        ["f.yaml:1:11", "scenario"],
        ["f.yaml:2:8", "level"],
        ["f.yaml:4:23", "workload[0].calls"],
        ["f.yaml:5:33", "workload[1].every"],
        ["f.yaml:7:13", "faults[0].fault"],
        ["f.yaml:8:28", "faults[1].during"],
        ["f.yaml:9:10", "expect.no_leeks"],
    ]


def test_aliases_of_aliases_are_bounded():
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (told,) = lines("a0: &a0 [lol, lol]\n" + laughs)
    assert "more than 50000 values are too many for a scenario; " in told


def test_an_alias_stands_for_its_value_and_mistakes_point_there():
    text = HEAD + "workload:\n  - &l {phase: a, calls: 0}\n" + EXPECT + "client: *l\n"
    assert any(line.startswith("f.yaml:3:26: workload[0].calls: 0 is too") for line in lines(text))


def test_a_long_value_is_not_repeated_in_full():
    (told,) = lines(HEAD + LOAD + EXPECT + f"level: {'x' * 5000}\n")
    assert len(told) < 300


def test_files_that_cannot_be_read_say_why(tmp_path):
    cases = {
        "no.yaml": (None, "no.yaml: can't be read: No such file or directory; name a scenario"),
        "latin.yaml": ("a: x\nb: é".encode("latin-1"), "latin.yaml:2:4: byte 0xe9 is not UTF-8; "),
        "utf16.yaml": ("a: x".encode("utf-16"), "utf16.yaml:1:1: byte 0xff is not UTF-8; save "),
        "huge.yaml": (b"#" * (TEXT_LIMIT_BYTES + 1), "huge.yaml: a scenario has at most 256 KiB; "),
    }
    for name, (content, expected) in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_file(tmp_path / name, tmp_path)
        assert expected in str(caught.value)


def test_a_directory_and_an_impossible_name_are_no_files(tmp_path):
    for path in (tmp_path, tmp_path / "a\0b"):
        with pytest.raises(InputError):
            read_file(path)


def test_a_huge_text_is_refused():
    (told,) = lines("#" * (TEXT_LIMIT_BYTES + 1))
    assert told.startswith("f.yaml: a scenario has at most 256 KiB; ")

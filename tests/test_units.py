"""Quantities as people write them, and what is said when they are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import units as u


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("2s", 2.0),
        ("1h", 3600.0),
        ("1.5 min", 90.0),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("0.3s", 0.3),
        ("1d", 86400.0),
    ],
)
def test_durations(text, seconds):
    assert u.parse_duration_s(text) == seconds


@pytest.mark.parametrize("value", [5, 2.5, True, None, "7", "s", "-1s", "1 fortnight", "", []])
def test_what_is_no_duration_is_told_what_would_be(value):
    with pytest.raises(ValueError, match="write 250ms, 2s or 1h"):
        u.parse_duration_s(value)


@pytest.mark.parametrize(
    ("value", "spread"),
    [("20ms", (0.02, 0.0)), ("20ms ± 5ms", (0.02, 0.005)), (u.Spread(1.0), (1.0, 0.0))],
)
def test_spreads(value, spread):
    assert u.parse_spread_s(value) == spread


@pytest.mark.parametrize("value", [7, "20ms ± ", "± 5ms", "20ms +- 5ms"])
def test_half_a_spread_is_none(value):
    with pytest.raises(ValueError, match="write"):
        u.parse_spread_s(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [(512, 512), ("512B", 512), ("64KiB", 65536), ("2MB", 2_000_000), ("0.5KiB", 512), (0, 0)],
)
def test_sizes(value, size):
    assert u.parse_size_bytes(value) == size


@pytest.mark.parametrize("value", [-1, True, "0.3B", "64", "64Kb", None, 1.5])
def test_what_is_no_size_is_told_what_would_be(value):
    with pytest.raises(ValueError, match="512B"):
        u.parse_size_bytes(value)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10Mbit/s", 1_250_000.0), ("64KiB/s", 65536.0), ("50 B/s", 50.0), ("1Gbit/s", 125e6)],
)
def test_rates(text, rate):
    assert u.parse_rate_bytes_per_s(text) == rate


@pytest.mark.parametrize("value", [10, "10Mbit", "10/s", "0B/s", "10furlong/s", "Mbit/s", None])
def test_what_is_no_rate_is_refused(value):
    with pytest.raises(ValueError, match=r"write|use stall"):
        u.parse_rate_bytes_per_s(value)


@pytest.mark.parametrize(("text", "per_s"), [("20/s", 20.0), ("90/min", 1.5), ("36/h", 0.01)])
def test_frequencies(text, per_s):
    assert u.parse_frequency_per_s(text) == pytest.approx(per_s)


@pytest.mark.parametrize("value", ["0/s", "20", "20/d", 7])
def test_what_is_no_frequency_is_refused(value):
    with pytest.raises(ValueError, match="write 20/s"):
        u.parse_frequency_per_s(value)


@pytest.mark.parametrize(("value", "share"), [("5%", 0.05), ("99.9%", 0.999), (0, 0.0), (1, 1.0)])
def test_shares(value, share):
    assert u.parse_fraction(value) == pytest.approx(share)


@pytest.mark.parametrize("value", ["101%", "7", 0.5, True, None, "%"])
def test_what_is_no_share_is_refused(value):
    with pytest.raises(ValueError, match="share"):
        u.parse_fraction(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250ms"), (2.5, "2.5s"), (3600, "1h"), (0, "0s"), (1e-5, "10us"), (90, "1.5min")],
)
def test_durations_as_a_person_would_write_them(seconds, text):
    assert u.format_duration(seconds) == text


def test_for_ever_is_never():
    assert u.format_duration(float("inf")) == "never"


@pytest.mark.parametrize(
    ("size", "text"),
    [(512, "512B"), (65536, "64KiB"), (1536, "1.5KiB"), (2**31, "2GiB"), (0, "0B")],
)
def test_sizes_as_a_person_would_write_them(size, text):
    assert u.format_size(size) == text


@given(st.floats(1e-6, 1e6))
def test_what_is_written_is_read_again_within_its_three_digits(seconds):
    assert u.parse_duration_s(u.format_duration(seconds)) == pytest.approx(seconds, rel=0.05)


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("delay_s", "delay"),
        ("rate_bytes_per_s", "rate"),
        ("limit_bytes", "limit"),
        ("connects_per_s", "connects"),
        ("for_s", "for"),
        ("to", "to"),
    ],
)
def test_fields_are_called_without_their_units(field, word):
    assert u.yaml_name(field) == word

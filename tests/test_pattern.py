"""Patterns in a stream are found at the same byte however it is cut."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.pattern import BLOCK_BYTES, PatternFinder, surroundings

PATTERNS = ["ab", "a+b", "a.b", "(?:ab|ba){2}", "[^a]b", "b.{3,}a"]


def found(pattern, text, cuts, start=0):
    """Where in ``text`` matches end, fed as chunks."""
    finder, ends = PatternFinder(pattern), []
    finder.forget(start)
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    for begin, end in itertools.pairwise(places):
        passed = begin
        while (count := finder.find(start + passed, text[passed:end])) is not None:
            passed += count
            ends.append(passed)
    return ends


@given(
    st.sampled_from(PATTERNS),
    st.text("abc", max_size=60).map(str.encode),
    st.lists(st.integers(0, 100), max_size=10),
)
def test_chunks_change_nothing(pattern, text, cuts):
    assert found(pattern, text, cuts) == found(pattern, text, [])


@given(st.sampled_from(PATTERNS), st.text("abc", max_size=60).map(str.encode))
def test_a_match_counts_as_soon_as_its_last_byte_has_arrived(pattern, text):
    compiled = re.compile(pattern.encode(), re.DOTALL)
    expected, begin = [], 0
    for end in range(1, len(text) + 1):
        if compiled.search(text, begin, end):
            expected.append(end)
            begin = end
    assert found(pattern, text, []) == expected


@given(
    st.integers(0, 2 * BLOCK_BYTES),
    st.integers(0, BLOCK_BYTES - 10),
    st.integers(0, 3 * BLOCK_BYTES),
    st.lists(st.integers(0, 4 * BLOCK_BYTES), max_size=5),
)
def test_blocks_belong_to_the_stream_and_not_to_its_chunks(start, gap, before, cuts):
    text = b"." * before + b"<" + b"." * gap + b">"
    assert found("<.*>", text, cuts, start) == [len(text)]


def test_nothing_reaches_back_further_than_two_blocks():
    text = b"<" + b"." * 2 * BLOCK_BYTES + b">"
    assert found("<.*>", text, []) == found("<.*>", text, range(0, len(text), 100)) == []


def test_a_gap_forgets_the_past():
    finder = PatternFinder("ab")
    assert finder.find(0, b"a") is None
    assert finder.find(5, b"b") is None


@pytest.mark.parametrize("pattern", ["^HTTP", "end$", r"\bword", r"a\Z", "(?=x)y", "(?<!x)y"])
def test_what_speaks_of_the_surroundings_is_noticed(pattern):
    assert surroundings(pattern)


@pytest.mark.parametrize("pattern", [r"\^\$", "[^a]b", "[$^]x", r"\\\d+", "(?:a|b)", "(?P<n>a)"])
def test_what_only_looks_like_it_is_not(pattern):
    assert surroundings(pattern) == ""

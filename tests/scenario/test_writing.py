import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.scenario import bundled_root, files_below, id_of, read_file, read_text
from harness.scenario.writing import document_of, written

ROOT = bundled_root()
FILES = {id_of(path, ROOT): path for path in files_below(ROOT)}


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_a_bundled_scenario_that_is_written_again_reads_the_same(path):
    scenario = read_file(path, ROOT)
    text = written(document_of(scenario.source))
    assert read_text(text, file=scenario.file, id=scenario.id) == scenario
    assert document_of(text)["workload"] == document_of(scenario.source)["workload"]


def test_the_whole_language_is_written_as_people_write_it(full):
    text = written(document_of(full))
    assert read_text(text, file="x.yaml") == read_text(full, file="x.yaml")
    assert "about: >\n  The server drops keep-alive connections after 2 s idle" in text
    assert "client:\n  pool: {size: 4, max_overflow: 2, timeout: 1s," in text
    assert "  - {fault: close, when: {idle: 2s}}\n" in text
    assert "  errors: 0\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_sections_stand_in_the_order_of_the_language():
    text = written({"expect": {"errors": 0}, "sweep": {"x": 1}, "seed": 3, "scenario": "x"})
    assert [line.partition(":")[0] for line in text.splitlines()] == [
        "scenario", "seed", "sweep", "expect", "  errors",
    ]  # fmt: skip


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=18)
KEYS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=18)
KEYS = KEYS.filter(lambda key: key != "<<")
SCALARS = st.none() | st.booleans() | st.integers(-(10**15), 10**15) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20
)


@given(st.dictionaries(st.sampled_from(["about", "faults", "expect"]) | KEYS, VALUES, min_size=1))
def test_every_document_reads_back_as_it_was(document):
    text = written(document)
    assert _tidy(document_of(text)) == _tidy(document)


def _tidy(document):
    """``about`` is a text of words; the space around them is nobody's."""
    about = document.get("about")
    return document | {"about": " ".join(about.split())} if isinstance(about, str) else document


def test_what_is_no_mapping_is_a_mistake():
    with pytest.raises(InputError, match="not a scenario"):
        document_of("[1, 2]")

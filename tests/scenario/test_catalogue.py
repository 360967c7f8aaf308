import pytest

from harness.errors import InputError
from harness.scenario import bundled_root, default_root, files_below, find, id_of


@pytest.fixture
def root(tmp_path):
    home = tmp_path / "scenarios"
    for name in ("idle/fin/race", "idle/fin/slow", "idle/rst/race", "tls/hang", "README"):
        path = home / (name + (".md" if name == "README" else ".yaml"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("scenario: x\n")
    return home


def ids(paths, root):
    return [id_of(path, root) for path in paths]


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        ([], ["idle/fin/race", "idle/fin/slow", "idle/rst/race", "tls/hang"]),
        (["tls/hang"], ["tls/hang"]),
        (["idle"], ["idle/fin/race", "idle/fin/slow", "idle/rst/race"]),
        (["idle/fin/"], ["idle/fin/race", "idle/fin/slow"]),
        (["idle/**"], ["idle/fin/race", "idle/fin/slow", "idle/rst/race"]),
        (["tls/*"], ["tls/hang"]),
        (["*/*/race"], ["idle/fin/race", "idle/rst/race"]),
        (["**/rac?"], ["idle/fin/race", "idle/rst/race"]),
        (["tls/hang", "idle/rst", "tls", "tls/*"], ["idle/rst/race", "tls/hang"]),
    ],
)
def test_selectors_name_scenarios_once_and_sorted(root, selectors, expected):
    assert ids(find(selectors, root), root) == expected


def test_one_star_crosses_no_slash(root):
    with pytest.raises(InputError):
        find(["idle/*"], root)


def test_paths_to_files_and_directories_are_taken(root, tmp_path):
    other = tmp_path / "mine.yaml"
    other.write_text("scenario: y\n")
    assert find([str(other)], root) == [other]
    assert ids(find([str(root / "idle" / "rst")], root), root) == ["idle/rst/race"]
    assert find([str(root / "tls" / "hang.yaml"), "tls/hang"], root) == [root / "tls" / "hang.yaml"]


def test_what_names_nothing_is_told_for_each(root):
    with pytest.raises(InputError) as caught:
        find(["idel", "tls/hang", "no/such/thing.yaml", "x*", "", "a\0b"], root)
    first, *others = str(caught.value).splitlines()
    assert first == "no scenario is called 'idel'; did you mean 'idle'?"
    assert len(others) == 4


def test_a_projects_own_scenarios_come_before_the_bundled_ones(root, tmp_path):
    assert default_root(tmp_path) == root
    assert default_root(root) == bundled_root()


def test_bundled_scenarios_are_found():
    assert bundled_root().name in {"scenarios", "bundled"}
    assert files_below(bundled_root()) == sorted(files_below(bundled_root()))

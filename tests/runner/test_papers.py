from pathlib import Path

from harness.runner.papers import certificate_file


def test_a_certificate_is_a_file_as_long_as_the_block_runs():
    with certificate_file(b"PEM") as place:
        assert Path(place).is_file()
        assert Path(place).read_bytes() == b"PEM"
    assert not Path(place).exists()


def test_without_one_there_is_no_file():
    with certificate_file(b"") as place:
        assert place == ""


def test_where_files_need_a_name_it_is_removed(monkeypatch, tmp_path):
    monkeypatch.delattr("os.memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with certificate_file(b"PEM") as place:
        assert Path(place).read_bytes() == b"PEM"
        assert [*tmp_path.iterdir()] == [Path(place)]
    assert not [*tmp_path.iterdir()]

"""What --input may name, and what it then means."""

from __future__ import annotations

import pytest

from wristseg.errors import DataError, UsageError
from wristseg.predict.sources import find_sources


@pytest.fixture
def folder(tmp_path):
    for name in ("b.JPG", "a.png", "clip.mp4", "notes.txt", ".hidden.png", "[1].png", "c d ü.webp"):
        (tmp_path / name).touch()
    (tmp_path / "deeper.png").mkdir()
    (tmp_path / "deeper.png" / "e.png").touch()
    return tmp_path


def names(sources):
    return [(source.path.name, source.kind) for source in sources]


def test_folder_gives_its_images_and_videos_sorted_and_nothing_below(folder):
    assert names(find_sources(str(folder))) == [
        ("[1].png", "image"),
        ("a.png", "image"),
        ("b.JPG", "image"),
        ("c d ü.webp", "image"),
        ("clip.mp4", "video"),
    ]


def test_glob_gives_what_matches(folder):
    assert names(find_sources(f"{folder}/*.mp4")) == [("clip.mp4", "video")]
    assert names(find_sources(f"{folder}/**/e.*")) == [("e.png", "image")]


def test_file_that_exists_is_no_glob(folder):
    assert names(find_sources(f"{folder}/[1].png")) == [("[1].png", "image")]


@pytest.mark.parametrize("text", ["*.gif", "notes.txt", "*.txt", "deeper*/f*"])
def test_nothing_found_is_a_usage_error_that_lists_the_suffixes(folder, text):
    with pytest.raises(UsageError, match=r"no image or video|neither an image nor.*\.mp4"):
        find_sources(f"{folder}/{text}")


def test_empty_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no image or video in this folder"):
        find_sources(str(tmp_path))


def test_path_of_nothing_is_an_error_of_the_data(tmp_path):
    with pytest.raises(DataError, match=r"none\.mp4: no such file or folder"):
        find_sources(str(tmp_path / "none.mp4"))


@pytest.mark.parametrize("text", ["rtsp://camera/stream.mp4", "https://example.com/x.png"])
def test_address_is_refused(text):
    with pytest.raises(UsageError, match="is an address"):
        find_sources(text)


@pytest.mark.parametrize("text", ["", "*.png", "bad\udcff.png"])
def test_a_name_that_is_no_text_is_refused_before_any_work(tmp_path, text):
    (tmp_path / "bad\udcff.png").touch()
    (tmp_path / "good.png").touch()
    with pytest.raises(DataError, match=r"bad\\udcff.png': the name is not UTF-8; rename it"):
        find_sources(str(tmp_path / text))

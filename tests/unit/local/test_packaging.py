from __future__ import annotations

import os
import zipfile
from pathlib import Path

from freehold_cli.local.packaging import archive, requirements_of


def folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        target = path / name.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return path


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as opened:
        return opened.namelist()


def test_equal_files_make_equal_archives_whenever_they_were_written(tmp_path: Path):
    first = folder(tmp_path / "first", app="1", lib__a="2")
    second = folder(tmp_path / "second", lib__a="2", app="1")
    os.utime(second / "app", (0, 0))

    one, two = archive([first], tmp_path / "b1"), archive([second], tmp_path / "b2")

    assert one.digest == two.digest
    assert one.path.read_bytes() == two.path.read_bytes()


def test_a_changed_file_or_mode_changes_the_digest(tmp_path: Path):
    source = folder(tmp_path / "source", app="1")
    before = archive([source], tmp_path / "build").digest

    (source / "app").chmod(0o755)
    executable = archive([source], tmp_path / "build").digest
    (source / "app").write_text("2")
    changed = archive([source], tmp_path / "build").digest

    assert len({before, executable, changed}) == 3


def test_caches_and_hidden_folders_stay_outside(tmp_path: Path):
    source = folder(tmp_path / "source", app="1", sub__b="2")
    for name in ("__pycache__", ".venv", "sub/__pycache__"):
        folder(source / name, cached="x")

    assert names(archive([source], tmp_path / "build").path) == ["app", "sub/b"]


def test_files_lie_below_the_prefix_and_the_later_folder_wins(tmp_path: Path):
    libraries, own = folder(tmp_path / "libraries", a="theirs", b="1"), folder(tmp_path / "own", a="ours")

    made = archive([libraries, own], tmp_path / "build", below="python/")

    with zipfile.ZipFile(made.path) as opened:
        assert opened.namelist() == ["python/a", "python/b"]
        assert opened.read("python/a") == b"ours"


def test_requirements_of_comments_alone_are_none(tmp_path: Path):
    folder(tmp_path, **{"requirements.txt": "# comes with the layer\n\n"})

    assert requirements_of(tmp_path) is None

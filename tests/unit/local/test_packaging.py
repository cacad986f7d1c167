from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from freehold_cli.local.failures import TemplateInvalid
from freehold_cli.local.packaging import archive, made, requirements_of

MAKEFILE = """
build-Words:
\tmkdir $(ARTIFACTS_DIR)/python
\tcp words.py $(ARTIFACTS_DIR)/python/
\techo "$(PYTHON)|$(WHEELS)" > $(ARTIFACTS_DIR)/told
\ttouch left-behind
build-Broken:
\techo "no words today" >&2; exit 3
"""


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


def makefile(path: Path) -> Path:
    return folder(path, Makefile=MAKEFILE, **{"words.py": "one"})


def test_a_makefile_makes_what_is_packed_for_the_python_that_runs_this(tmp_path: Path):
    source = makefile(tmp_path / "source")

    result = made(source, "Words", tmp_path / "build")

    assert (result / "python" / "words.py").read_text() == "one"
    assert (result / "told").read_text() == f"{sys.executable}|\n"
    assert sorted(path.name for path in result.iterdir()) == ["python", "told"]
    assert sorted(path.name for path in source.iterdir()) == ["Makefile", "words.py"]


def test_a_make_that_runs_all_this_has_no_say(tmp_path: Path):
    source = makefile(tmp_path / "source")
    call = "import sys, pathlib as p; from freehold_cli.local.packaging import made; "
    call += "print(made(p.Path(sys.argv[1]), 'Words', p.Path(sys.argv[2])))"

    done = subprocess.run(
        [sys.executable, "-c", call, str(source), str(tmp_path / "build")],
        env=os.environ | {"MAKEFLAGS": "n"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert (Path(done.stdout.strip()) / "told").is_file()


def test_the_same_files_are_made_once_and_changed_ones_anew(tmp_path: Path):
    source, build = makefile(tmp_path / "source"), tmp_path / "build"

    first = made(source, "Words", build)
    (first / "told").write_text("made before")
    again = made(source, "Words", build)
    (source / "words.py").write_text("two")
    changed = made(source, "Words", build)

    assert (again, (again / "told").read_text()) == (first, "made before")
    assert (changed / "python" / "words.py").read_text() == "two"


@pytest.mark.parametrize(("resource", "said"), [("Broken", "no words today"), ("Other", "build-Other")])
def test_a_make_that_fails_is_told_with_its_words_and_leaves_nothing(
    tmp_path: Path, resource: str, said: str
):
    source = makefile(tmp_path / "source")

    with pytest.raises(TemplateInvalid, match=said) as caught:
        made(source, resource, tmp_path / "build")

    assert str(source / "Makefile") in str(caught.value)
    assert list((tmp_path / "build" / "made").iterdir()) == []


def test_a_folder_without_its_makefile_is_refused_with_its_name(tmp_path: Path):
    with pytest.raises(TemplateInvalid, match=r"source: Words is built by a Makefile"):
        made(folder(tmp_path / "source", app="1"), "Words", tmp_path / "build")

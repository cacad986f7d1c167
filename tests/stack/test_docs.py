"""The pages do what they say: their files are written, their commands run, their outputs seen.

A `bash` fence runs in the repository's root with `set -e`, and a `text` fence right after it lists what its output has.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pages import blocks, missing_line
from product_stack import ROOT, share_build

pytestmark = pytest.mark.stack

PAGES = ("README.md", "docs/first-agent.md")
SECONDS = 240


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A root that looks like the repository's, with a stack and pages' files of its own."""
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    share_build(home)
    for entry in ROOT.iterdir():
        if entry.name not in (".freehold", "my-agent"):
            (root / entry.name).symlink_to(entry)
    yield root
    shell("freehold down", root, home)


def shell(script: str, root: Path, home: Path) -> subprocess.CompletedProcess[str]:
    kept = ("LANG", "TERM", "USER", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    environment |= {"PATH": path, "HOME": str(home), "FREEHOLD_HOME": str(home)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(page: str, checkout: Path):
    output, ran = "", 0
    for block in blocks(page):
        if block.path:
            target = checkout / block.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.body)
        elif block.kind == "bash":
            done = shell(block.body, checkout, checkout.parent / "home")
            output = done.stdout + done.stderr
            assert done.returncode == 0, f"{page}:{block.line}\n{output}"
            ran += 1
        elif block.kind == "text":
            assert missing_line(block.body, output) is None, f"{page}:{block.line}\n{output}"
    assert ran


def test_an_output_that_lacks_a_line_or_has_it_too_early_is_noticed():
    output = "one\ntwo three\nfour\n"

    assert missing_line("one\n…three\n", output) is None
    assert missing_line("four\none\n", output) == "one"
    assert missing_line("five\n", output) == "five"


def test_every_link_between_pages_leads_somewhere():
    others = (".venv*", ".freehold", ".aws-sam", ".pytest_cache")
    pages = [
        page
        for page in ROOT.rglob("*.md")
        if not any(fnmatch(part, other) for part in page.parts for other in others)
    ]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    ]

    assert len(links) > 20
    assert [f"{page}: {target}" for page, target in links if not (page.parent / target).exists()] == []


def test_the_readme_stays_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150

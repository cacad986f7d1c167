"""The pages do what they say: their files are written, their commands run, their outputs seen.

A line that is **`a/path`** right before a fence names a file. A `bash` fence runs in the repository's root with
`set -e`. A `text` fence right after it lists lines that its output has, in this order; `…` stands for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from product_stack import ROOT, share_build

pytestmark = pytest.mark.stack

PAGES = ("README.md", "docs/first-agent.md")
FENCE = re.compile(
    r"(?:^\*\*`(?P<path>[^`]+)`\*\*\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
SECONDS = 240


@dataclass(frozen=True)
class Block:
    kind: str
    path: str | None
    body: str
    line: int


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text()
    return [
        Block(found["kind"], found["path"], found["body"], text[: found.start()].count("\n") + 1)
        for found in FENCE.finditer(text)
    ]


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


def missing_line(wanted: str, output: str) -> str | None:
    """The first line of `wanted` that `output` lacks after those before it."""
    lines = iter(output.splitlines())
    for line in wanted.splitlines():
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("…")))
        if line.strip() and not any(pattern.fullmatch(seen.rstrip()) for seen in lines):
            return line
    return None


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

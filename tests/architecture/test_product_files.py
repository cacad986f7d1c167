"""Nothing of one machine, and no secret, is in what is published."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = {
    ".py",
    ".md",
    ".yaml",
    ".yml",
    ".toml",
    ".json",
    ".txt",
    ".in",
    ".ini",
    ".cfg",
    ".sh",
    ".lock",
    ".html",
    "",
}
PLACES = re.compile(r"(?<![\w.])/(home|root|Users|work|opt/homebrew|var/folders|private/tmp)/[\w.-]+")
# Where this machine's packages came from; pip's own default is nobody's secret, but pins need no host either.
HOSTS = re.compile(
    r"https?://[\w.-]*(artifactory|nexus|devpi|pypi|files\.pythonhosted|npmjs|registry)[\w.-]*/|--(extra-)?index-url"
)
SECRETS = {
    "AWS key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "API key of ours": re.compile(r"\bfh_[a-z0-9-]{1,40}_[a-f0-9]{12}_[a-f0-9]{64}\b"),
    "OpenAI key": re.compile(r"\bsk-(proj-)?[A-Za-z0-9]{20,}\b"),
    "GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "Slack token": re.compile(r"\bxox[abpr]-[A-Za-z0-9-]{10,}"),
}


@cache
def files() -> tuple[Path, ...]:
    """What git has, and what it would take: everything but what it ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    found = tuple(ROOT / name for name in listed if name and (ROOT / name).is_file())
    assert len(found) > 100
    return tuple(path for path in found if path.suffix in TEXT)


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {line.strip()[:120]}"
        for path in files()
        if path != Path(__file__) and pattern.search(text(path))
        for line in text(path).splitlines()
        if pattern.search(line)
    ]


def test_no_file_names_a_place_on_somebodys_machine():
    assert lines_with(PLACES) == []


def test_no_file_names_a_package_registry():
    assert lines_with(HOSTS) == []


@pytest.mark.parametrize("kind", SECRETS)
def test_no_file_holds_a_secret(kind: str):
    assert lines_with(SECRETS[kind]) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (PLACES, "open('/home/ada/notes.txt')"),
        (PLACES, "cd /root/project"),
        (HOSTS, "--index-" + "url https://packages.example/simple"),
        (SECRETS["AWS key"], "key = AKIA" + "ABCDEFGHIJKLMNOP"),
        (SECRETS["API key of ours"], f"fh_acme_{'0' * 12}_{'a' * 64}"),
        (SECRETS["private key"], "-----BEGIN RSA " + "PRIVATE KEY-----"),
    ],
)
def test_the_check_sees_what_it_looks_for(pattern: re.Pattern[str], line: str):
    assert pattern.search(line)

"""Processes that are killed while they make a call. `bench/kills.py` kills 500."""

from __future__ import annotations

from pathlib import Path

from bench.kill_report import figures, markdown
from bench.killing import BOUNDARIES, EXECUTORS, killed

KILLS = 40


def test_a_call_whose_process_is_killed_is_made_once_or_reported(tmp_path: Path):
    made = killed(KILLS, tmp_path)

    assert len(made) == KILLS
    assert {(each.executor, each.boundary) for each in made} == {
        (executor, boundary) for executor in EXECUTORS for boundary in BOUNDARIES
    }
    assert [each for each in made if each.repeated or each.unreported] == []
    # Between mark and result nobody can know, and all else is done. Another agent is asked again, and is the same run.
    known = ("before the mark", "after the write")
    assert {(each.boundary, each.outcome) for each in made if each.executor != "agent"} == {
        (boundary, "success" if boundary in known else "unknown") for boundary in BOUNDARIES
    }
    assert {each.outcome for each in made if each.executor == "agent"} == {"success"}
    assert "| 0 | 0 | yes |" in markdown(figures(made), made, day="2026-01-01")

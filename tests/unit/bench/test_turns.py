from __future__ import annotations

import pytest
from bench.costs import Costs
from bench.executions import Executions
from bench.traffic import Write
from bench.turns import bill
from bench.workload import Plan

MEGABYTES = {"invoke_model": 1024, "run_tool": 512, "finish_run": 512}


def turn() -> Costs:
    """Three laps with one tool and the answer: four model calls, three tool calls and the end."""
    writes = tuple(Write("sessions", "C1", f"{i}", "lap", 900, 2, 0, True, {}) for i in range(10))
    return Costs(Plan(3, 1), Executions(1, 15, 200, 0, tasks=8), writes, (), read_units=40)


def test_a_durable_turn_is_billed_by_transitions_units_and_invocations():
    billed = bill(turn(), "durable", MEGABYTES)

    assert {part.name: (part.number, round(part.dollars, 5)) for part in billed.parts} == {
        "Standard state transitions": (15, 0.375),
        "DynamoDB write units": (20, 0.0125),
        "DynamoDB read units": (40, 0.005),
        # The loop's functions, the authorizer and the api.
        "Lambda requests": (10, 0.002),
    }
    assert billed.dollars == pytest.approx(0.3945)


def test_a_fast_turn_pays_for_its_time_and_not_for_its_states():
    billed = bill(turn(), "fast", MEGABYTES)

    parts = {part.name: part for part in billed.parts}
    # Four times 3 s of a model, three times 0.3 s of a tool, and 0.1 s of each of eight functions, at 64 MB.
    assert parts["Express GB-seconds"].number == pytest.approx(13.7 / 16)
    assert parts["Express requests"].dollars == pytest.approx(0.001)
    assert "Standard state transitions" not in parts


@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_lambdas_time_stands_beside_the_bill(mode: str):
    billed = bill(turn(), mode, MEGABYTES)

    assert billed.beside.number == pytest.approx(4 * 3.1 + 3 * 0.4 / 2 + 0.1 / 2)
    assert billed.dollars == pytest.approx(sum(part.dollars for part in billed.parts))

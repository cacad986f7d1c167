"""Ten tenants do whatever they like, and none learns of another or does anything to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from .tenancy import AGENTS, SESSIONS, Tenancy
from .tenant_calls import ACTIONS, NAMES, TENANTS

WHO = st.sampled_from(TENANTS)
# Often a name under which all tenants have something.
AGENT, SESSION = (st.sampled_from(shared) | st.sampled_from(NAMES) for shared in (AGENTS, SESSIONS))
PICK = st.integers(0, 10_000)
DOES = st.sampled_from(list(ACTIONS))
BESIDES = st.sampled_from(
    [{}, {"tenant": "a"}, {"principal": {"type": "key", "id": "0"}}, {"sessionId": "a"}]
)


class TenTenants(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.tenancy = Tenancy()

    @rule(who=WHO, does=DOES, a=AGENT, b=SESSION, n=PICK)
    def ask(self, who: str, does: str, a: str, b: str, n: int) -> None:
        self.tenancy.ask(who, does, a, b, n)

    @rule(seed=PICK)
    def ask_much(self, seed: int) -> None:
        """More evenly than hypothesis draws."""
        self.tenancy.ask_much(Random(f"{seed} {self.tenancy.operations}"), 20)

    @rule(n=PICK)
    def go_on(self, n: int) -> None:
        self.tenancy.go_on(n)

    @rule(who=WHO, a=AGENT, b=SESSION, body=BESIDES)
    def message(self, who: str, a: str, b: str, body: dict[str, Any]) -> None:
        self.tenancy.message(who, a, b, body)

    def teardown(self) -> None:
        try:
            self.tenancy.look()
        finally:
            self.tenancy.close()


@dataclass
class Met:
    """How often anything was asked, and what it came to, by action and status."""

    operations: int = 0
    came_to: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def taken(self) -> set[str]:
        return {does for does, status in self.came_to if status < 300}


def meet(examples: int) -> Met:
    """So many worlds of ten tenants. Raises `AssertionError` where one of them learns of another or comes to it."""
    met = Met()

    class Counted(TenTenants):
        def teardown(self) -> None:
            met.operations += self.tenancy.operations
            met.came_to.update(self.tenancy.came_to)
            super().teardown()

    with_few_steps = settings(max_examples=examples, stateful_step_count=20, deadline=None, derandomize=True)
    run_state_machine_as_test(Counted, settings=settings(with_few_steps, database=None))
    return met

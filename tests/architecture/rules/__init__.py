"""What `template.yaml` has to hold to: each rule takes a rendered template and tells what breaks it."""

from __future__ import annotations

from . import access, arriving, deploying, keeping, watching
from .reading import Rule

# Wherever the stack is deployed.
RULES: tuple[Rule, ...] = (*access.RULES, *arriving.RULES, *keeping.RULES, *watching.RULES, *deploying.RULES)
# Where users depend on it.
PROD_RULES: tuple[Rule, ...] = deploying.PROD_RULES


def broken(template: dict[str, object], rules: tuple[Rule, ...]) -> list[str]:
    return [told for rule in rules for told in rule(template)]

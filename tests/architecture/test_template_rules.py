"""The rules that the template holds to, on the template as each environment deploys it and on seeded mistakes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from rendering import ARN, HERE, Template, configuration, rendered, source

from .mutants import MUTANTS
from .rules import PROD_RULES, RULES, broken

ENVIRONMENTS = {"default": RULES, "dev": RULES, "prod": RULES + PROD_RULES}
# What no environment sets and makes resources or statements of its own.
CHOICES = {
    "AlarmEmail": "operations@example.com",
    "AllowedOrigins": "https://app.example.com,http://localhost:3000",
    "EscalationTargets": f"{ARN}:sqs:{HERE}:people.fifo,{ARN}:sns:{HERE}:people",
    "ModelRegion": "us-east-1",
    "OidcAudience": "freehold",
    "OidcIssuer": "https://issuer.example.com",
    "ReplyTargets": f"{ARN}:sqs:{HERE}:replies.fifo,{ARN}:events:{HERE}:event-bus/shop",
    "RequestQueues": f"{ARN}:sqs:{HERE}:web-shop.fifo,{ARN}:sqs:{HERE}:desk",
    "SchemaBuckets": "schemas,more-schemas",
    "SignedApis": f"{ARN}:execute-api:{HERE}:abc123/prod/*,{ARN}:execute-api:{HERE}:abc123/test/GET/orders",
    "ToolFunctions": f"{ARN}:lambda:{HERE}:function:desk,{ARN}:lambda:{HERE}:function:shop:live",
    "WebAdapterLayerArn": f"{ARN}:lambda:{HERE}:layer:web-adapter:1",
}


@pytest.mark.parametrize("choices", [{}, CHOICES], ids=["as it is", "with choices"])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_template_keeps_every_rule(environment: str, choices: dict[str, str]):
    template = rendered(source(), {**configuration(environment), **choices})

    assert broken(template, ENVIRONMENTS[environment]) == []


@pytest.mark.parametrize("mistake", MUTANTS)
def test_a_mistake_breaks_a_rule(mistake: str):
    _, told = MUTANTS[mistake]

    found = broken(mutated(mistake), ENVIRONMENTS["prod"])

    assert any(told in problem for problem in found), found


@pytest.mark.parametrize("rule", RULES + PROD_RULES, ids=lambda rule: rule.__name__)
def test_no_rule_is_idle(rule: Callable[[Template], Any]):
    """A rule that no mistake breaks may not be able to speak at all."""
    assert any(list(rule(mutated(mistake))) for mistake in MUTANTS)


@cache
def mutated(mistake: str) -> Template:
    template = source()
    MUTANTS[mistake][0](template)
    return rendered(template, configuration("prod"))


def test_a_new_account_can_deploy_it():
    """Its functions may run ten at once, and Lambda keeps more than that unreserved."""
    functions = [
        resource["Properties"]
        for resource in rendered(source(), configuration("dev"))["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    ]

    assert not [function for function in functions if "ReservedConcurrentExecutions" in function]


def test_a_key_of_ones_own_is_used_everywhere_and_none_is_made():
    own = f"{ARN}:kms:{HERE}:key/11111111-2222-3333-4444-555555555555"

    template = rendered(source(), {**configuration("prod"), "KmsKeyArn": own})

    kinds = {resource["Type"] for resource in template["Resources"].values()}
    problems = broken(template, RULES)
    assert "AWS::KMS::Key" not in kinds
    assert problems
    assert all("is not encrypted with the customer's key" in problem for problem in problems)
    assert repr(template).count(own) > 20
    assert "freehold-Key" not in repr(template)

"""Values for a template's parameters, against what the template says of each."""

from __future__ import annotations

import pytest

from freehold_cli.local.failures import TemplateInvalid
from freehold_cli.local.parameters import check

DECLARED = {
    "Source": {"Type": "String", "AllowedValues": ["catalog", "rehearsal"]},
    "Url": {"Type": "String", "MaxLength": 10},
    "Tenant": {
        "Type": "String",
        "AllowedPattern": "^([a-z]{1,3})?$",
        "ConstraintDescription": "must be short",
    },
    "Queues": {"Type": "CommaDelimitedList", "AllowedPattern": "^(arn:[a-z]+)?$"},
    "Days": {"Type": "Number", "MinValue": 1, "MaxValue": 35},
    "Kept": {"Type": "Number", "AllowedValues": [1, 7]},
}


def test_what_the_template_allows_is_taken():
    given = {
        "Source": "catalog",
        "Url": "",
        "Tenant": "abc",
        "Queues": "arn:a, arn:b",
        "Days": "7",
        "Kept": "7",
    }

    check(DECLARED, given)
    check(DECLARED, {"Queues": "", "Tenant": ""})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("Sauce", "catalog", "Sauce is none of its parameters: Days, Kept, Queues, Source, Tenant, Url"),
        ("Source", "oracle", "must be one of catalog, rehearsal; found 'oracle'"),
        ("Url", "x" * 11, "must have 0 to 10 characters"),
        ("Tenant", "abcd", "Tenant must be short; found 'abcd'"),
        ("Queues", "arn:a,queue", "must match"),
        ("Days", "many", "must be a number"),
        ("Days", "0", "must be at least 1"),
        ("Days", "36", "must be at most 35"),
        ("Kept", "2", "must be one of 1, 7"),
    ],
)
def test_what_it_does_not_allow_is_refused_with_what_it_does(name: str, value: str, told: str):
    with pytest.raises(TemplateInvalid) as refused:
        check(DECLARED, {"Days": "7", name: value})

    assert told in str(refused.value)


def test_every_value_is_told_of_at_once():
    with pytest.raises(TemplateInvalid, match=r"(?s)Days .*Tenant ") as refused:
        check(DECLARED, {"Days": "0", "Tenant": "abcd"})

    assert len(str(refused.value).splitlines()) == 3

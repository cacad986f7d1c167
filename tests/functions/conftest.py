from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from freehold.observability import logger
from model_server import ModelServer

from .aws import REQUESTS, aws
from .deployed import Deployed, agent, deployed, desk
from .lambdas import environment
from .loop import Loop
from .policies import refused, rule_broken


@pytest.fixture
def product() -> Iterator[Deployed]:
    """Tables, bucket, bus and state machines, and one agent named `helper`.

    Whatever a test makes the functions do: their roles allow it, reads are consistent and writes conditional.
    """
    REQUESTS.forget()
    with deployed() as made:
        assert made.admin.call("PUT", "/agents/helper", agent()).status == 200
        yield made
    assert [told for request in REQUESTS.made for told in refused(request)] == []
    tables = [request for request in REQUESTS.made if request.service == "dynamodb"]
    assert tables
    assert [told for each in tables if (told := rule_broken(each.operation, each.parameters))] == []


@pytest.fixture
def loop(product: Deployed) -> Iterator[Loop]:
    with ModelServer() as model, environment(MODEL_SOURCE="openai_compatible", MODEL_URL=model.url):
        aws("secretsmanager").create_secret(Name="freehold-model-key", SecretString="sk-model-secret")
        assert product.admin.call("PUT", "/agents/helper", desk()).status == 200
        yield Loop(product, model)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the functions write to their logs, in Powertools' own form."""
    lines = io.StringIO()
    watching = logging.StreamHandler(lines)
    watching.setFormatter(logger.registered_formatter)
    logger.addHandler(watching)
    yield lines
    logger.removeHandler(watching)

from __future__ import annotations

from collections.abc import Iterator

import pytest

from product_stack import RUN_TOOL_SECONDS, Product, running_product


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product, started once for the whole suite."""
    seconds = {
        "RunToolLambdaSeconds": str(RUN_TOOL_SECONDS),
        "RunToolStateSeconds": str(RUN_TOOL_SECONDS + 5),
    }
    with running_product(tmp_path_factory.mktemp("product") / "home", **seconds) as made:
        yield made

"""Who tries again: Step Functions alone where a second attempt costs money or has an effect."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from freehold import wiring
from freehold.adapters.openai_compatible import OpenAICompatible, keep_alive_pool
from freehold.errors import ModelUnavailable
from freehold.values.model import ModelRequest, UserMessage


@pytest.fixture(autouse=True)
def _clients_of_this_test_alone() -> Iterator[None]:
    yield
    wiring.client.cache_clear()
    wiring.tool_client.cache_clear()


def attempts(client: Any) -> int:
    return client.meta.config.retries["total_max_attempts"]


@pytest.mark.parametrize("seconds", [1, 60, 300])
def test_a_tool_is_called_once_and_waited_for_longer_than_it_may_take(seconds: int):
    config = wiring.tool_client(seconds).meta.config

    assert attempts(wiring.tool_client(seconds)) == 1
    assert config.tcp_keepalive is True
    assert config.read_timeout > seconds


@pytest.mark.parametrize("service", ["dynamodb", "s3", "stepfunctions", "events"])
def test_a_store_is_tried_again_because_every_write_is_conditional(service: str):
    client = wiring.client(service)

    assert attempts(client) > 1
    assert client.meta.config.read_timeout <= 10


@pytest.mark.parametrize("made", [lambda: wiring.client("s3"), lambda: wiring.tool_client(5)])
def test_aws_is_told_whose_calls_these_are(made: Callable[[], Any]):
    client, sent = made(), list[dict[str, Any]]()

    def answer(params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        sent.append(params)
        return SimpleNamespace(status_code=200), {}

    client.meta.events.register("before-call", answer)
    client.list_buckets() if client.meta.service_model.service_name == "s3" else client.list_functions()

    assert sent[0]["headers"]["User-Agent"].startswith("Freehold ")


def test_a_model_server_is_asked_once_over_a_connection_that_stays_open():
    pool: Any = keep_alive_pool()

    assert pool.connection_pool_kw["retries"].total is False
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in pool.connection_pool_kw["socket_options"]


def test_a_model_server_that_hangs_up_is_not_asked_again():
    asked: list[str] = []

    def hang_up(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            asked.append("once")
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=hang_up, args=(server,), daemon=True)
        thread.start()
        model = OpenAICompatible(f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        with pytest.raises(ModelUnavailable):
            model.reply(ModelRequest("m", "i", (UserMessage("hi"),), timeout_seconds=5))
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)

    assert asked == ["once"]

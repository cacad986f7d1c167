from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from freehold_cli.local import processes
from freehold_cli.local.failures import StartFailed
from freehold_cli.local.home import Home


def test_a_process_that_cannot_start_is_told_with_the_end_of_its_log(tmp_path: Path):
    log = tmp_path / "aws.log"
    environment = dict(os.environ)
    child = processes.start("timeit", (), "freehold-test", environment=environment, log=log, end_with=None)

    with pytest.raises(StartFailed, match="aws ended while it started") as caught:
        processes.await_answer(child, lambda: False, log, 30)

    assert "--instance" in str(caught.value)


def test_a_process_is_known_by_its_mark_not_by_its_number():
    own = os.getpid()

    assert not processes.OwnProcess(own, "freehold-somebody-else").lives()
    assert not processes.OwnProcess(own, "freehold-somebody-else").end(0.1)


def test_a_port_in_use_is_not_free():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        assert not processes.port_is_free(server.getsockname()[1])


def test_a_home_keeps_its_port_until_it_is_taken(tmp_path: Path):
    home = Home(tmp_path)
    first = home.choose_port()
    second = home.choose_port()
    with socket.socket() as server:
        server.bind(("127.0.0.1", first))
        server.listen()

        third = home.choose_port()

    assert first == second
    assert third != first
    assert home.known_port() == third

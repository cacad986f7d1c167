from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from freehold_cli.local import processes
from freehold_cli.local.failures import PortTaken, StartFailed
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
    assert processes.OwnProcess(own, "freehold-somebody-else").end(0.1) == "gone"


def test_a_process_that_becomes_another_program_lives_all_the_while(tmp_path: Path):
    again = tmp_path / "again.sh"
    again.write_text('exec sh "$0" "$@"\n')
    with subprocess.Popen(["sh", again, "freehold-test"]) as child:
        try:
            looks = {processes.OwnProcess(child.pid, "freehold-test").lives() for _ in range(2_000)}
        finally:
            child.kill()

    assert looks == {True}


STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


def test_a_process_that_does_not_end_is_killed_and_its_waiting_told(tmp_path: Path):
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    log, environment = tmp_path / "aws.log", {**os.environ, "PYTHONPATH": str(tmp_path)}
    child = processes.start("stubborn", (), "freehold-test", environment=environment, log=log, end_with=None)
    processes.await_answer(child, lambda: "ready" in log.read_text(), log, 30)
    waited: list[float] = []

    how = child.end(0.1, waited.append)

    assert (how, child.lives(), len(waited)) == ("killed", False, 1)
    assert child.end(0.1) == "gone"


def test_a_port_in_use_is_not_free():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        assert not processes.port_is_free(server.getsockname()[1])


def test_the_front_door_stays_at_its_port_until_it_is_taken(tmp_path: Path):
    home, asked = Home(tmp_path), processes.free_port()
    first = home.choose_front_port(asked)
    again = Home(tmp_path).choose_front_port(None)
    with socket.socket() as server:
        server.bind(("127.0.0.1", asked))
        server.listen()

        other = home.choose_front_port(None)
        with pytest.raises(PortTaken, match=str(asked)):
            home.choose_front_port(asked)

    assert first == again == asked
    assert other != asked


def test_a_home_tells_up_to_when_its_state_was_saved(tmp_path: Path):
    home = Home(tmp_path)
    nothing = home.kept()
    (tmp_path / "state" / "services").mkdir(parents=True)
    saved = tmp_path / "state" / "services" / "dynamodb.json"
    saved.write_text("{}")
    noon = time.mktime((2026, 1, 31, 12, 0, 0, 0, 0, -1))
    os.utime(saved, (noon, noon))

    assert "nothing" in nothing
    assert "by 12:00:00" in home.kept()


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

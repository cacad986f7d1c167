"""A client of DynamoDB whose requests a test puts in order, loses or ends a process with."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition, local
from typing import Any

from botocore.exceptions import ReadTimeoutError

from freehold.errors import FreeholdError, StoreUnavailable

WRITES = ("put_item", "transact_write_items", "delete_item")
# What else is done outside.
DONE = ("start", "publish", "send", "invoke")
Steer = Callable[[str, Callable[[], Any]], Any]
At = Callable[[Callable[[], Any]], Any]


class Died(BaseException):
    """What a process does that is killed: nothing more."""


class Helm:
    """What steers: it makes a request, or does not."""

    def __init__(self) -> None:
        self.steer: Steer = lambda operation, request: request()

    def over(self, target: Any) -> Any:
        """The same client or fake, each of whose methods is a request that is steered."""
        return Steered(target, self)

    @contextmanager
    def held(self, steer: Steer) -> Generator[None]:
        before, self.steer = self.steer, steer
        try:
            yield
        finally:
            self.steer = before


class Steered:
    def __init__(self, target: Any, helm: Helm) -> None:
        self._target, self._helm = target, helm

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found
        return lambda *args, **given: self._helm.steer(name, lambda: found(*args, **given))


class Requests:
    """Counts requests of these operations, and does something at one of them."""

    def __init__(self, number: int, at: At, among: Sequence[str]) -> None:
        self.seen, self._number, self._at, self._among = 0, number, at, among

    def __call__(self, operation: str, request: Callable[[], Any]) -> Any:
        if operation not in self._among:
            return request()
        self.seen += 1
        return self._at(request) if self.seen == self._number else request()

    @property
    def reached(self) -> bool:
        return self.seen >= self._number


def lost_after(request: Callable[[], Any]) -> Any:
    """It is done, and nobody hears of it."""
    request()
    raise ReadTimeoutError(endpoint_url="http://dynamodb")


def refused(request: Callable[[], Any]) -> Any:
    """Whoever it was for is out of order."""
    raise StoreUnavailable("out of order")


def died_after(request: Callable[[], Any]) -> Any:
    request()
    raise Died


def outcome(act: Callable[[], Any]) -> Any:
    """What an act came to: what it returned, or the product's own error that it raised."""
    try:
        return act()
    except FreeholdError as error:
        return error


class InTurn:
    """Lets one racer make one request at a time, drawn by a seed: the same seed is the same order."""

    def __init__(self, seed: int, racers: int) -> None:
        self._random, self._turn = random.Random(seed), Condition()
        self._racing, self._waiting = set(range(racers)), set[int]()
        self._chosen: int | None = None
        self._mine = local()

    def __call__(self, operation: str, request: Callable[[], Any]) -> Any:
        me = getattr(self._mine, "number", None)
        if me is not None:
            self._await_turn(me)
        return request()

    def race(self, act: Callable[[], Any], number: int) -> Any:
        """What racer `number` came to."""
        self._mine.number = number
        try:
            self._await_turn(number)
            return outcome(act)
        except Died as died:
            return died
        finally:
            with self._turn:
                self._racing.discard(number)
                self._choose()

    def _await_turn(self, me: int) -> None:
        with self._turn:
            self._waiting.add(me)
            self._choose()
            assert self._turn.wait_for(lambda: self._chosen == me, 30)
            self._chosen = None
            self._waiting.discard(me)

    def _choose(self) -> None:
        """Only once everybody waits: whose turn it is then depends on nothing else."""
        if self._racing and self._waiting == self._racing:
            self._chosen = self._random.choice(sorted(self._waiting))
            self._turn.notify_all()


def race(helm: Helm, seed: int, *acts: Callable[[], Any]) -> list[Any]:
    """What each act came to, all at once, request by request in an order drawn by `seed`."""
    turns = InTurn(seed, len(acts))
    with helm.held(turns), ThreadPoolExecutor(len(acts)) as pool:
        racing = [pool.submit(turns.race, act, number) for number, act in enumerate(acts)]
        return [each.result(60) for each in racing]

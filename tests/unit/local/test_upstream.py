from __future__ import annotations

from types import SimpleNamespace

import pytest

from freehold_cli.local.patches.upstream import UpstreamChanged, wrap


def double(number: int) -> int:
    return number * 2


def test_a_wrapper_gets_the_original_and_its_arguments():
    owner = SimpleNamespace(__name__="owner", double=double)

    wrap(owner, "double", lambda original, number: original(number) + 1, reads=("number * 2",))

    assert owner.double(4) == 9


def test_a_wrapped_function_can_be_wrapped_again():
    owner = SimpleNamespace(__name__="owner", double=double)

    for _ in range(2):
        wrap(owner, "double", lambda original, number: original(number) + 1, reads=("number * 2",))

    assert owner.double(4) == 10


def test_a_function_that_reads_otherwise_is_left_alone():
    owner = SimpleNamespace(__name__="owner", double=double)

    with pytest.raises(UpstreamChanged, match=r"owner\.double no longer reads 'number \+ number'"):
        wrap(owner, "double", lambda original, number: 0, reads=("number + number",))

    assert owner.double is double

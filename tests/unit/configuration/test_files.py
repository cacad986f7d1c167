"""Configurations in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freehold.configuration import load_file
from freehold.errors import Invalid

from .conftest import Workbench


def _agent(bench: Workbench, folder: Path, schema: object, name: str = "agent.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(bench.document(actionGroups=[bench.group(apiSchema=schema)])))
    return path


def test_a_schema_file_is_put_in_relative_to_the_configuration(bench: Workbench, tmp_path: Path):
    (tmp_path / "apis").mkdir()
    (tmp_path / "apis" / "hotel.yaml").write_text(bench.pet_hotel)

    document = load_file(_agent(bench, tmp_path, {"file": "apis/hotel.yaml"}))

    assert document["actionGroups"][0]["apiSchema"] == {"payload": bench.pet_hotel}
    assert len(bench.compile(document).agent.tools) == 6


def test_a_configuration_may_be_yaml(bench: Workbench, tmp_path: Path):
    path = tmp_path / "agent.yaml"
    path.write_text("agentName: helper\nfoundationModel: openai.gpt-5.5-v1\ninstruction: Help.\n")

    assert bench.compile(load_file(path)) == bench.compile(bench.document())


@pytest.mark.parametrize(
    ("schema", "path", "message"),
    [
        ({"file": "none.yaml"}, ".file", "No such file"),
        ({"file": "."}, ".file", "cannot read"),
        ({"file": 7}, ".file", "name of a file"),
        ({"file": "a\0b"}, ".file", "cannot read"),
        ({"file": "x", "payload": "y"}, "", "file stands for the document"),
        ({"file": "latin.yaml"}, ".file", "UTF-8"),
        ({"file": "large.yaml"}, ".file", "8 MB"),
    ],
)
def test_a_schema_file_that_cannot_be_read_is_named(
    bench: Workbench, tmp_path: Path, schema: object, path: str, message: str
):
    (tmp_path / "latin.yaml").write_bytes("größe".encode("latin-1"))
    (tmp_path / "large.yaml").write_bytes(b"x" * 8_388_609)

    with pytest.raises(Invalid) as refused:
        load_file(_agent(bench, tmp_path, schema))

    (problem,) = refused.value.problems
    assert problem.path == f"actionGroups[0].apiSchema{path}"
    assert message in problem.message


def test_of_a_schema_file_only_the_chosen_operations_are_sent(bench: Workbench, tmp_path: Path):
    (tmp_path / "hotel.yaml").write_text(bench.pet_hotel)
    chosen = ["bookStay", "GET /stays"]

    document = load_file(_agent(bench, tmp_path, {"file": "hotel.yaml", "operations": chosen}))

    schema = document["actionGroups"][0]["apiSchema"]
    assert schema["operations"] == chosen
    assert len(schema["payload"]) < len(bench.pet_hotel)
    assert [tool.name for tool in bench.compile(document).agent.tools] == ["listStays", "bookStay"]


@pytest.mark.parametrize(
    ("operations", "path", "message"),
    [
        (["bookStays"], ".operations[0]", 'did you mean "bookStay"'),
        ([], ".operations", "at least 1"),
        ("bookStay", ".operations", "must be a list"),
        ([7], ".operations[0]", "must be text"),
    ],
)
def test_operations_that_cannot_be_chosen_from_a_file_are_named(
    bench: Workbench, tmp_path: Path, operations: object, path: str, message: str
):
    (tmp_path / "hotel.yaml").write_text(bench.pet_hotel)
    file = _agent(bench, tmp_path, {"file": "hotel.yaml", "operations": operations})

    with pytest.raises(Invalid) as refused:
        bench.compile(load_file(file))

    (problem,) = refused.value.problems
    assert problem.path == f"actionGroups[0].apiSchema{path}"
    assert message in problem.message


def test_a_configuration_of_ten_megabytes_is_refused(tmp_path: Path):
    path = tmp_path / "agent.json"
    path.write_bytes(b" " * 10_000_000)

    with pytest.raises(Invalid, match="larger than 8,388,608 bytes"):
        load_file(path)


@pytest.mark.parametrize(
    ("content", "message"), [("[]", "is a list"), ("{", "not valid JSON"), ("", "is empty")]
)
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, content: str, message: str):
    path = tmp_path / "agent.json"
    path.write_text(content)

    with pytest.raises(Invalid, match=message) as refused:
        load_file(path)

    assert refused.value.problems[0].path == str(path)


@pytest.mark.parametrize("groups", [7, [7], [{}], [{"apiSchema": 7}], [{"apiSchema": {}}]])
def test_odd_groups_are_left_for_the_compiler_to_judge(tmp_path: Path, groups: object):
    path = tmp_path / "agent.json"
    path.write_text(json.dumps({"actionGroups": groups}))

    assert load_file(path) == {"actionGroups": groups}

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from freehold_cli.local import sam_template
from freehold_cli.local.failures import TemplateInvalid


def template(path: Path, text: str) -> Path:
    file = path / "template.yaml"
    file.write_text(text)
    return file


class Uploads(dict[str, bytes]):
    """What was uploaded, by key."""

    def take(self, key: str, content: bytes | Path) -> dict[str, str]:
        self[key] = content if isinstance(content, bytes) else content.read_bytes()
        return {"Bucket": "here", "Key": key}


def function(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Serverless::Function", "Properties": properties}


@pytest.mark.parametrize(
    ("text", "said"),
    [("Resources: [", "no YAML"), ("just words", "no Resources"), ("Resources: 3", "no Resources")],
)
def test_a_file_that_is_no_template_is_refused_with_its_name(tmp_path: Path, text: str, said: str):
    with pytest.raises(TemplateInvalid, match=said) as caught:
        sam_template.load(template(tmp_path, text))

    assert "template.yaml" in str(caught.value)


def test_a_template_that_is_not_there_is_refused_with_its_path(tmp_path: Path):
    with pytest.raises(TemplateInvalid, match=r"template\.yaml: cannot be read"):
        sam_template.load(tmp_path / "template.yaml")


INCLUDE = """
Resources:
  Api: {Properties: {DefinitionBody: {"Fn::Transform": {Name: AWS::Include, Parameters: {Location: api.yaml}}}}}
"""


def test_a_file_that_the_template_includes_stands_in_it_by_value(tmp_path: Path):
    (tmp_path / "api.yaml").write_text("openapi: 3.0.1\npaths: {/: {get: {uri: {Ref: Function}}}}")

    loaded = sam_template.load(template(tmp_path, INCLUDE))

    paths = {"/": {"get": {"uri": {"Ref": "Function"}}}}
    assert loaded["Resources"]["Api"]["Properties"]["DefinitionBody"] == {"openapi": "3.0.1", "paths": paths}


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("a: [", "no YAML")])
def test_an_include_that_cannot_be_read_is_refused_with_its_name(
    tmp_path: Path, content: str | None, said: str
):
    if content:
        (tmp_path / "api.yaml").write_text(content)

    with pytest.raises(TemplateInvalid, match=rf"api\.yaml: .*{said}"):
        sam_template.load(template(tmp_path, INCLUDE))


def test_paths_of_resources_and_globals_become_uploads(tmp_path: Path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("")
    resources = {"Own": function(CodeUri="code"), "Shared": function(), "There": function(CodeUri="s3://b/k")}
    described: dict[str, Any] = {"Globals": {"Function": {"CodeUri": "code"}}, "Resources": resources}
    uploads = Uploads()

    sam_template.package(described, tmp_path, tmp_path / "build", uploads.take)

    (key,) = uploads
    assert described["Globals"]["Function"]["CodeUri"] == {"Bucket": "here", "Key": key}
    assert resources["Own"]["Properties"]["CodeUri"] == {"Bucket": "here", "Key": key}
    assert resources["There"]["Properties"]["CodeUri"] == "s3://b/k"


def test_a_path_that_is_not_there_is_named_with_its_place(tmp_path: Path):
    described: dict[str, Any] = {"Resources": {"Api": function(CodeUri="functions/api")}}

    with pytest.raises(TemplateInvalid, match=r"Resources\.Api\.Properties\.CodeUri: .*functions/api"):
        sam_template.package(described, tmp_path, tmp_path, Uploads().take)


def test_what_a_makefile_makes_is_uploaded_as_it_is(tmp_path: Path):
    (tmp_path / "words").mkdir()
    recipe = "build-Words:\n\tmkdir $(ARTIFACTS_DIR)/python && touch $(ARTIFACTS_DIR)/python/words.py\n"
    (tmp_path / "words" / "Makefile").write_text(recipe)
    layer = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "words"}}
    tool = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "words"}}
    made_by = {"Metadata": {"BuildMethod": "makefile"}}
    uploads = Uploads()

    for resource in (layer | made_by, tool | made_by):
        sam_template.package({"Resources": {"Words": resource}}, tmp_path, tmp_path / "build", uploads.take)

    (content,) = uploads.values()
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert opened.namelist() == ["python/words.py"]


def test_a_state_machine_in_yaml_is_uploaded_as_json(tmp_path: Path):
    (tmp_path / "loop.asl.yaml").write_text("StartAt: One\nStates: {One: {Type: Succeed}}\n")
    machine = {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": "loop.asl.yaml"}}
    uploads = Uploads()

    sam_template.package({"Resources": {"Loop": machine}}, tmp_path, tmp_path, uploads.take)

    (content,) = uploads.values()
    assert json.loads(content) == {"StartAt": "One", "States": {"One": {"Type": "Succeed"}}}


def test_a_template_without_the_transform_stays_as_it_is():
    plain = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}

    assert sam_template.transform(plain, {}) == plain


def test_what_sam_refuses_is_told_by_resource():
    wrong = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Wrong": function(Runtime="python3.13")},
    }

    with pytest.raises(TemplateInvalid, match=r"\[Wrong\]"):
        sam_template.transform(wrong, {})

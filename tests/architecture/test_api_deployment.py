"""How API Gateway gets `openapi.yaml`: it stands in the template by the transform AWS::Include."""

from __future__ import annotations

import json

import pytest
from samtranslator.yaml_helper import yaml_parse

from rendering import ARN, HERE, REGION, ROOT, Template, rendered, source, transformed

ACL = f"{ARN}:wafv2:{HERE}:regional/webacl/office/0d1e2f3a-4b5c-6d7e-8f90-a1b2c3d4e5f6"


def as_it_is() -> Template:
    """The template with the transform in it, as `sam deploy` sends it."""
    return yaml_parse((ROOT / "template.yaml").read_text())


def as_included() -> Template:
    return yaml_parse((ROOT / "openapi.yaml").read_text())


def deployments(template: Template) -> set[str]:
    made = transformed(template, {})["Resources"]
    return {name for name, each in made.items() if each["Type"] == "AWS::ApiGateway::Deployment"}


def test_a_changed_description_is_deployed():
    """CloudFormation puts it in before SAM sees the template, and SAM names a deployment by what it sees."""
    changed = source()
    changed["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"]["/runs"]["get"]["summary"] = "Runs"

    assert len(deployments(source())) == 1
    assert deployments(source()) == deployments(source())
    assert deployments(source()).isdisjoint(deployments(changed))


def test_it_would_be_deployed_too_if_sam_saw_its_place_alone():
    """`sam package` names an upload by its content, so that another content lies elsewhere."""

    def uploaded(digest: str) -> Template:
        template = as_it_is()
        include = template["Resources"]["Api"]["Properties"]["DefinitionBody"]["Fn::Transform"]
        assert include["Parameters"]["Location"] == "openapi.yaml"
        include["Parameters"]["Location"] = f"s3://uploads/{digest}"
        return template

    assert deployments(uploaded("one")).isdisjoint(deployments(uploaded("other")))


def test_every_condition_of_the_template_decides_something():
    """Also where it does so in the description alone."""
    template = source()
    rest = json.dumps({key: value for key, value in template.items() if key != "Conditions"}, default=str)
    decided = json.dumps(template["Conditions"])

    unused = [
        name
        for name in template["Conditions"]
        if f'"{name}"' not in rest and f'"Condition": "{name}"' not in decided
    ]
    assert unused == []


def test_api_gateway_may_call_functions_for_this_api_alone():
    made = rendered(source(), {})["Resources"]
    permissions = {
        name: each["Properties"]["SourceArn"]
        for name, each in made.items()
        if each["Type"] == "AWS::Lambda::Permission"
        and each["Properties"]["Principal"] == "apigateway.amazonaws.com"
    }

    api = f"{ARN}:execute-api:{HERE}:freehold-Api"
    assert permissions == {
        "ApiPermission": f"{api}/v1/*",
        "LivePermission": f"{api}/v1/*",
        "AuthorizerPermission": f"{api}/authorizers/*",
    }


@pytest.mark.parametrize("given", ["", ACL])
def test_the_api_stands_behind_a_web_acl_where_one_is_given(given: str):
    made = rendered(source(), {"WebAclArn": given})["Resources"]
    found = [each["Properties"] for each in made.values() if each["Type"] == "AWS::WAFv2::WebACLAssociation"]

    stage = f"arn:aws:apigateway:{REGION}::/restapis/freehold-Api/stages/v1"
    assert [each["WebACLArn"] for each in found] == ([given] if given else [])
    assert all(each["ResourceArn"].startswith(stage.removesuffix("v1")) for each in found)


def test_pages_may_read_what_api_gateway_answers_by_itself():
    """Also without AllowedOrigins: a stage has what was deployed, which no change of a parameter changes."""
    body = source()["Resources"]["Api"]["Properties"]["DefinitionBody"]

    for told in body["x-amazon-apigateway-gateway-responses"].values():
        sent = told["responseParameters"]
        assert sent["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
        assert sent["gatewayresponse.header.Access-Control-Expose-Headers"] == "'Retry-After,x-request-id'"


def test_nothing_of_the_description_hangs_on_a_parameter():
    """It would be written to the API, and not to its stage."""
    body = json.dumps(as_included(), default=str)

    parameters = as_it_is()["Parameters"]
    assert [name for name in parameters if f'"Ref": "{name}"' in body or f"${{{name}}}" in body] == []
    assert [word for word in ("Fn::If", "Condition") if f'"{word}"' in body] == []

"""Who may do what: least privilege, tools, models, schemas, the key and the API."""

from __future__ import annotations

from collections.abc import Iterator

from .reading import IDENTITY, RESOURCE, Rule, Template, listed, resources, statements

# AWS judges these by the account alone, so that the resource has to be *.
# https://docs.aws.amazon.com/service-authorization/latest/reference/
WITHOUT_RESOURCES = {
    *(f"logs:{verb}LogDelivery" for verb in ("Create", "Get", "Update", "Delete")),
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
}
# A whole kind of resource is a wildcard too wide as well, unless a condition narrows it.
WHOLE_KINDS = ("function:*", "table/*", "stateMachine:*", ":::*", "secret:*", "event-bus/*", "key/*")
NARROWING = {"aws:ResourceTag/freehold:tool", "kms:ViaService"}
OPENS_DATA = {"kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:CreateGrant"}


def actions_are_named(template: Template) -> Iterator[str]:
    for each in statements(template, kinds=(*IDENTITY, *RESOURCE)):
        wide = [action for action in each.actions if "*" in action]
        if each.allows and (wide or "NotAction" in each.given):
            yield f"{each.name} allows {', '.join(wide) or 'all but some actions'}"


def resources_are_named(template: Template) -> Iterator[str]:
    for each in statements(template):
        if not each.allows:
            continue
        needless = set(each.actions) - WITHOUT_RESOURCES
        if "NotResource" in each.given or ("*" in each.resources and needless):
            yield f"{each.name} allows {', '.join(sorted(needless))} on everything"
        whole = [resource for resource in each.resources if resource.endswith(WHOLE_KINDS)]
        if whole and not NARROWING & set(each.conditions):
            yield f"{each.name} allows {', '.join(each.actions)} on {', '.join(whole)}"


def roles_are_the_functions_own(template: Template) -> Iterator[str]:
    """One role for one function, for the service that uses it, and nothing that AWS keeps and widens."""
    held = [function["Role"] for function in resources(template, "AWS::Lambda::Function").values()]
    yield from (f"{role} is the role of two functions" for role in sorted(set(held)) if held.count(role) > 1)
    for name, role in resources(template, "AWS::IAM::Role").items():
        if role.get("ManagedPolicyArns"):
            yield f"{name} has managed policies"
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            principal = statement["Principal"]
            if set(principal) != {"Service"} or len(listed(principal["Service"])) != 1:
                yield f"{name} may be taken by {principal}"


def tools_are_tagged_or_listed(template: Template) -> Iterator[str]:
    """A function is called as a tool where its owner says so, and never if it is the stack's own."""
    denied: set[str] = set()
    for each in statements(template):
        if "lambda:InvokeFunction" not in each.actions or each.where == "AgentLoopRole":
            continue
        if not each.allows:
            denied |= set(each.resources)
        elif each.name == "RunToolRole.ListedTools":
            continue
        elif each.given.get("Condition") != {"StringEquals": {"aws:ResourceTag/freehold:tool": "true"}}:
            yield f"{each.name} calls functions that carry no tag"
    for name in resources(template, "AWS::Lambda::Function"):
        arn = f"arn:aws:lambda:us-east-1:123456789012:function:freehold-{name}"
        if not {arn, f"{arn}:*"} <= denied:
            yield f"{name} could be a tool"


def models_are_listed(template: Template) -> Iterator[str]:
    """Models by name; outside of the stack's Region only behind a profile."""
    for each in statements(template):
        for resource in each.resources if each.allows else []:
            if ":bedrock:" not in resource:
                continue
            if resource.endswith(("foundation-model/*", ":inference-profile/*")):
                yield f"{each.name} allows every model"
            elsewhere = ":bedrock:*:" in resource
            if elsewhere and not {"aws:RequestedRegion", "bedrock:InferenceProfileArn"} & set(
                each.conditions
            ):
                yield f"{each.name} allows models in every Region"
        if "bedrock-mantle:CreateInference" in each.actions and "bedrock-mantle:Model" not in each.conditions:
            yield f"{each.name} allows every model"


def buckets_are_listed(template: Template) -> Iterator[str]:
    for each in statements(template):
        wide = [place for place in each.resources if ":s3:::" in place and "*" in place.split(":::")[1][:-2]]
        if each.allows and wide:
            yield f"{each.name} reads {', '.join(wide)}"


def the_key_is_not_open(template: Template) -> Iterator[str]:
    for name, key in resources(template, "AWS::KMS::Key").items():
        if key.get("EnableKeyRotation") is not True:
            yield f"{name} is not rotated"
        for each in statements({"Resources": {name: template["Resources"][name]}}, kinds=("AWS::KMS::Key",)):
            principal = each.given["Principal"]
            if principal in ("*", {"AWS": "*"}):
                yield f"{each.name} is for everybody"
                continue
            bound = {"kms:CallerAccount", "aws:SourceAccount", "kms:EncryptionContext:aws:logs:arn"}
            if OPENS_DATA & set(each.actions) and not bound & set(each.conditions):
                yield f"{each.name} opens data on no condition"
            if (
                "AWS" in principal
                and OPENS_DATA & set(each.actions)
                and "kms:ViaService" not in each.conditions
            ):
                yield f"{each.name} opens data without the service that stores it"


def the_key_is_used_through_its_stores(template: Template) -> Iterator[str]:
    for each in statements(template):
        uses = any(action.startswith("kms:") for action in each.actions)
        if uses and each.allows and "kms:ViaService" not in each.conditions:
            yield f"{each.name} uses the key by itself"


def every_call_is_authorized(template: Template) -> Iterator[str]:
    """By the authorizer, whose cache forgets within a minute."""
    for name, api in resources(template, "AWS::ApiGateway::RestApi").items():
        schemes = api["Body"].get("components", {}).get("securitySchemes", {})
        authorizers = {key: each["x-amazon-apigateway-authorizer"] for key, each in schemes.items()}
        for path, methods in api["Body"]["paths"].items():
            for method, operation in methods.items():
                asked = [key for each in operation.get("security", []) for key in each]
                if not asked or not set(asked) <= set(authorizers):
                    yield f"{name} answers {method} {path} to anybody"
        for key, authorizer in authorizers.items():
            if authorizer["authorizerResultTtlInSeconds"] > 60:
                yield f"{key} remembers a key for longer than a minute"


def messages_come_from_this_account(template: Template) -> Iterator[str]:
    kinds = ("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")
    for each in statements(template, kinds=kinds):
        if each.allows and not {"aws:SourceAccount", "aws:SourceArn"} & set(each.conditions):
            yield f"{each.name} lets other accounts in"


RULES: tuple[Rule, ...] = (
    actions_are_named,
    resources_are_named,
    roles_are_the_functions_own,
    tools_are_tagged_or_listed,
    models_are_listed,
    buckets_are_listed,
    the_key_is_not_open,
    the_key_is_used_through_its_stores,
    every_call_is_authorized,
    messages_come_from_this_account,
)

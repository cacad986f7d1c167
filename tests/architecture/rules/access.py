"""Who may do what: least privilege, tools, models, schemas, the key and the API."""

from __future__ import annotations

from collections.abc import Iterator

from rendering import ARN, HERE

from .reading import IDENTITY, RESOURCE, Rule, Statement, Template, arns, listed, resources, statements

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
# What BedrockModels lists where nobody sets it, behind all that has to be literal (template.yaml says why).
LISTED_MODELS = ("openai.*", "anthropic.claude-*", "amazon.nova-*")
MODELS = frozenset(f"arn:*:bedrock:*::foundation-model/{model}" for model in LISTED_MODELS)
PROFILES = frozenset(f"arn:*:bedrock:*:*:inference-profile/*.{model}" for model in LISTED_MODELS)
OF_MODELS: dict[str, frozenset[str]] = {
    # Conditions say which Region and account (`models_are_listed`).
    "Models": MODELS,
    "Profiles": PROFILES,
    "ModelsBehindProfiles": MODELS,
    # Their ids say nothing, and the models behind them are judged as well.
    "OwnProfiles": frozenset({f"{ARN}:bedrock:{HERE}:application-inference-profile/*"}),
}
# Part of one bucket: conversations are erased, agents' snapshots never.
LISTED = frozenset(("conversations/*",))
ERASED = frozenset(f"{ARN}:s3:::freehold-ContentBucket/{prefix}" for prefix in LISTED)
TOOL_SECRETS = frozenset({f"{ARN}:secretsmanager:{HERE}:secret:freehold/tools/*"})
RULES_OF_TRIGGERS = frozenset({f"{ARN}:events:{HERE}:rule/freehold/trigger-*"})
# Every pattern that matches more than what lies in one resource of the stack, by statement.
WIDE: dict[str, frozenset[str]] = {
    **{f"InvokeModelRole.{sid}": wide for sid, wide in OF_MODELS.items()},
    **{f"InvokeModelRole.Streamed{sid}": wide for sid, wide in OF_MODELS.items()},
    **{f"SummarizeMemoryRole.{sid}": wide for sid, wide in OF_MODELS.items()},
    "ApiRole.ErasureOfContent": ERASED,
    "SweepRole.ErasureOfContent": ERASED,
    # A tag has to say so (`tools_are_tagged_or_listed`).
    "RunToolRole.TaggedTools": frozenset({f"{ARN}:lambda:{HERE}:function:*"}),
    # Secrets below the stack's own name: each tenant has a folder, and an agent names no other (docs/http-tools.md).
    "RunToolRole.ToolSecrets": TOOL_SECRETS,
    "RunMcpToolRole.ToolSecrets": TOOL_SECRETS,
    # Stages and paths of APIs of the user's, by the API.
    "RunToolRole.SignedApis": frozenset({f"{ARN}:execute-api:{HERE}:abc123/prod/*"}),
    "RunMcpToolRole.SignedApis": frozenset({f"{ARN}:execute-api:{HERE}:abc123/prod/*"}),
    # Executions of the one state machine that can be described.
    "SweepRole.LostExecutions": frozenset({f"{ARN}:states:{HERE}:execution:freehold-agent-loop:*"}),
    # Buckets of the user's, by name; the partition stands between the parts of a list.
    "ApiRole.Schemas": frozenset({"arn:*:s3:::schemas/*", "arn:*:s3:::more-schemas/*"}),
    # Rules of the stack's bus that bear its name, and schedules of its group.
    "ApiRole.Rules": RULES_OF_TRIGGERS,
    "ApiRole.TargetsOfRules": RULES_OF_TRIGGERS,
    "ApiRole.Schedules": frozenset({f"{ARN}:scheduler:{HERE}:schedule/freehold/*"}),
    # CloudWatch judges a look at several alarms by the account's alarms as a whole.
    "DeploymentRole.Alarms": frozenset({f"{ARN}:cloudwatch:{HERE}:alarm:*"}),
}
OPENS_DATA = {"kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:CreateGrant"}


def actions_are_named(template: Template) -> Iterator[str]:
    for each in statements(template, kinds=(*IDENTITY, *RESOURCE)):
        wide = [action for action in each.actions if "*" in action]
        if each.allows and (wide or "NotAction" in each.given):
            yield f"{each.name} allows {', '.join(wide) or 'all but some actions'}"


def resources_are_named(template: Template) -> Iterator[str]:
    """No pattern but for what lies in a resource of the stack's, and those that `WIDE` gives a reason for."""
    own = arns(template)
    for each in statements(template):
        wide = [resource for resource in each.resources if _is_wide(each, resource, own)]
        if each.allows and (wide or "NotResource" in each.given):
            yield f"{each.name} allows {', '.join(each.actions)} on {', '.join(wide) or 'all but some'}"


def _is_wide(statement: Statement, resource: str, own: set[str]) -> bool:
    if resource == "*":
        return not set(statement.actions) <= WITHOUT_RESOURCES
    if not set(resource) & set("*?") or resource in WIDE.get(statement.name, frozenset()):
        return False
    # Items of a bucket, streams of a log group, versions of a function.
    return resource[-2:] not in ("/*", ":*") or resource[:-2] not in own


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
        elif each.name == "RunToolRole.ListedTools" or _lists_tools(each):
            continue
        elif each.given.get("Condition") != {"StringEquals": {"aws:ResourceTag/freehold:tool": "true"}}:
            yield f"{each.name} calls functions that carry no tag"
    for name in resources(template, "AWS::Lambda::Function"):
        arn = f"{ARN}:lambda:{HERE}:function:freehold-{name}"
        if not {arn, f"{arn}:*"} <= denied:
            yield f"{name} could be a tool"


def _lists_tools(statement: Statement) -> bool:
    """The API asks one function of ours, for the tools of MCP servers."""
    asked = f"{ARN}:lambda:{HERE}:function:freehold-RunMcpToolFunction:live"
    return statement.name == "ApiRole.ListsOfMcpServers" and statement.resources == [asked]


def what_is_erased_is_no_agent(template: Template) -> Iterator[str]:
    """Objects are listed and deleted below this folder alone."""
    for each in statements(template):
        if each.allows and "s3:DeleteObject" in each.actions and not set(each.resources) <= ERASED:
            yield f"{each.name} may delete more than conversations"
        if "s3:ListBucket" in each.actions and not set(each.conditions.get("s3:prefix", "*")) <= LISTED:
            yield f"{each.name} lists more than conversations"


def models_are_listed(template: Template) -> Iterator[str]:
    """Models outside of the stack's Region only behind a profile, and those of Mantle by name."""
    for each in statements(template):
        for resource in each.resources if each.allows else []:
            if ":bedrock:" not in resource:
                continue
            elsewhere = ":bedrock:*:" in resource
            if elsewhere and not {"aws:RequestedRegion", "bedrock:InferenceProfileArn"} & set(
                each.conditions
            ):
                yield f"{each.name} allows models in every Region"
        if "bedrock-mantle:CreateInference" in each.actions and "bedrock-mantle:Model" not in each.conditions:
            yield f"{each.name} allows every model"


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
    """By the authorizer, whose cache forgets within a minute, or by a signature. What browsers ask first is no call."""
    for name, api in resources(template, "AWS::ApiGateway::RestApi").items():
        schemes = api["Body"].get("components", {}).get("securitySchemes", {})
        authorizers = {
            key: each["x-amazon-apigateway-authorizer"]
            for key, each in schemes.items()
            if "x-amazon-apigateway-authorizer" in each
        }
        signed = {key for key, each in schemes.items() if each["x-amazon-apigateway-authtype"] == "awsSigv4"}
        for path, methods in api["Body"]["paths"].items():
            for method in methods.keys() - {"options", "parameters"}:
                asked = [key for each in methods[method].get("security", []) for key in each]
                if not asked or not set(asked) <= authorizers.keys() | signed:
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
    what_is_erased_is_no_agent,
    models_are_listed,
    the_key_is_not_open,
    the_key_is_used_through_its_stores,
    every_call_is_authorized,
    messages_come_from_this_account,
)

"""Mistakes that someone could make in the template tomorrow, each with what a rule says of it."""

from __future__ import annotations

from rendering import ARN, HERE

from .arriving_mutants import ARRIVING_MUTANTS
from .mutating import (
    Mutate,
    drop,
    forget_an_own_function,
    forget_old_executions,
    forget_timeouts_of_fast_runs,
    keep,
    mail_alarms,
    name_another_metric,
    open_a_call,
    put,
    read_every_bucket,
    remember_keys,
    share_a_role,
    statement,
    text,
    trust_everybody,
    without,
)

P = "Properties"
EVERYTHING = "*"
MUTANTS: dict[str, tuple[Mutate, str]] = {
    # -- access
    "a star action": (
        statement("InvokeModelRole", "Conversations", Action="dynamodb:*"),
        "InvokeModelRole.Conversations allows dynamodb:*",
    ),
    "everything allowed": (
        statement("ApiRole", "Agents", Action="*", Resource=EVERYTHING),
        "ApiRole.Agents allows *",
    ),
    "a star action on models": (
        statement("InvokeModelRole", "Models", Action="bedrock:*"),
        "allows bedrock:*",
    ),
    "a star resource": (
        statement("RunToolRole", "Conversations", Resource=EVERYTHING),
        "RunToolRole.Conversations allows",
    ),
    "every table": (
        statement("ApiRole", "Agents", Resource=f"{ARN}:dynamodb:{HERE}:table/*"),
        "ApiRole.Agents allows",
    ),
    "every table whose name begins like ours": (
        statement("ApiRole", "Agents", Resource=f"{ARN}:dynamodb:{HERE}:table/free*"),
        "ApiRole.Agents allows",
    ),
    "every table of one letter more": (
        statement("ApiRole", "Agents", Resource=f"{ARN}:dynamodb:{HERE}:table/freehold-AgentsTable?"),
        "ApiRole.Agents allows",
    ),
    "every log": (
        statement("ApiRole", "Logs", Resource=f"{ARN}:logs:{HERE}:log-group:*"),
        "ApiRole.Logs allows logs:CreateLogStream, logs:PutLogEvents on",
    ),
    "every queue": (
        statement("SweepRole", "DeadLetters", Resource=f"{ARN}:sqs:{HERE}:*"),
        "SweepRole.DeadLetters allows sqs:SendMessage on",
    ),
    "every execution": (
        statement("SweepRole", "LostExecutions", Resource=f"{ARN}:states:{HERE}:execution:*"),
        "SweepRole.LostExecutions allows",
    ),
    "every execution anywhere": (
        statement("SweepRole", "LostExecutions", Resource=f"{ARN}:states:*:*:execution:*:*"),
        "SweepRole.LostExecutions allows",
    ),
    "everything but one": (
        statement("ApiRole", "Agents", Resource=None, NotResource=f"{ARN}:dynamodb:{HERE}:table/other"),
        "ApiRole.Agents allows",
    ),
    "every key in the key's policy": (statement("Key", "Administration", Action="kms:*"), "allows kms:*"),
    "a key for everybody": (statement("Key", "DataThroughItsStores", Principal="*"), "is for everybody"),
    "a key with no condition": (statement("Key", "Messages", Condition=None), "opens data on no condition"),
    "a key without its stores": (
        statement("Key", "DataThroughItsStores", Condition={"StringEquals": {"kms:CallerAccount": "1"}}),
        "opens data without the service",
    ),
    "a key that is not rotated": (put("Key", P, "EnableKeyRotation", value=False), "is not rotated"),
    "a role that uses the key by itself": (
        statement("AuthorizerRole", "KeyOfTables", Condition=None),
        "AuthorizerRole.KeyOfTables uses the key by itself",
    ),
    "tools without a tag": (
        statement("RunToolRole", "TaggedTools", Condition=None),
        "RunToolRole.TaggedTools calls functions that carry no tag",
    ),
    "tools with any tag": (
        statement(
            "RunToolRole",
            "TaggedTools",
            Condition={"StringLike": {"aws:ResourceTag/freehold:tool": "*"}},
        ),
        "RunToolRole.TaggedTools calls functions that carry no tag",
    ),
    "an API that calls any function": (
        statement("ApiRole", "ListsOfMcpServers", Resource=f"{ARN}:lambda:{HERE}:function:*"),
        "ApiRole.ListsOfMcpServers calls functions that carry no tag",
    ),
    "tools that may be ourselves": (without("OwnFunctionsAreNoTools"), "FinishRunFunction could be a tool"),
    "one of us that may be a tool": (forget_an_own_function, "SweepFunction could be a tool"),
    "an erasure of agents": (
        statement("ApiRole", "ErasureOfContent", Resource={"Fn::Sub": "${ContentBucket.Arn}/*"}),
        "ApiRole.ErasureOfContent may delete more than conversations",
    ),
    "a look at every object": (
        statement("SweepRole", "ContentToErase", Condition=None),
        "SweepRole.ContentToErase lists more than conversations",
    ),
    "every model": (
        statement("InvokeModelRole", "Models", Resource=f"{ARN}:bedrock:us-east-1::foundation-model/*"),
        "InvokeModelRole.Models allows bedrock:InvokeModel on",
    ),
    "every model that begins with a letter": (
        statement("InvokeModelRole", "Models", Resource=f"{ARN}:bedrock:us-east-1::foundation-model/a*"),
        "InvokeModelRole.Models allows bedrock:InvokeModel on",
    ),
    "every project": (
        statement("InvokeModelRole", "DefaultProject", Resource=f"{ARN}:bedrock:{HERE}:project/*"),
        "InvokeModelRole.DefaultProject allows",
    ),
    "models everywhere": (
        statement("InvokeModelRole", "ModelsBehindProfiles", Condition=None),
        "ModelsBehindProfiles allows models in every Region",
    ),
    "every model of Mantle": (
        statement("InvokeModelRole", "MantleModels", Condition=None),
        "MantleModels allows every model",
    ),
    "schemas from anywhere": (read_every_bucket, "ApiRole.Any allows s3:GetObject on"),
    "a role for two": (share_a_role, "is the role of two functions"),
    "a role for anybody": (trust_everybody, "InvokeModelRole may be taken by"),
    "a managed policy": (
        put("SweepRole", P, "ManagedPolicyArns", value=["arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"]),
        "SweepRole has managed policies",
    ),
    "a call for anybody": (open_a_call, "to anybody"),
    "keys remembered for long": (remember_keys, "for longer than a minute"),
    "a queue for other accounts": (
        statement("DeadLettersPolicy", "FromEventsAndAlarms", Condition=None),
        "lets other accounts in",
    ),
    # -- data
    "a table without its key": (
        drop("SessionsTable", P, "SSESpecification"),
        "SessionsTable is not encrypted",
    ),
    "a bucket without the key": (
        put(
            "ContentBucket",
            *(P, "BucketEncryption", "ServerSideEncryptionConfiguration"),
            value=[{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}],
        ),
        "ContentBucket is not encrypted",
    ),
    "dead letters without the key": (
        drop("DeadLetters", P, "KmsMasterKeyId"),
        "DeadLetters is not encrypted",
    ),
    "a secret without the key": (drop("ModelKey", P, "KmsKeyId"), "ModelKey is not encrypted"),
    "a log without the key": (drop("ApiLogs", P, "KmsKeyId"), "ApiLogs is not encrypted"),
    "a bus without the key": (drop("Bus", P, "KmsKeyIdentifier"), "Bus is not encrypted"),
    "no point-in-time recovery": (
        drop("AgentsTable", P, "PointInTimeRecoverySpecification"),
        "AgentsTable has no point-in-time recovery",
    ),
    "no versions": (drop("ContentBucket", P, "VersioningConfiguration"), "ContentBucket keeps no versions"),
    "versions for ever": (keep("erased", "NoncurrentVersionExpiration"), "keeps old versions for ever"),
    "conversations for ever": (keep("conversations", "ExpirationInDays"), "keeps conversations for ever"),
    "items for ever": (drop("SessionsTable", P, "TimeToLiveSpecification"), "keeps its items for ever"),
    "a table that goes with the stack": (drop("SessionsTable", "DeletionPolicy"), "has no DeletionPolicy"),
    "a bucket that an update deletes": (
        drop("ContentBucket", "UpdateReplacePolicy"),
        "has no UpdateReplacePolicy",
    ),
    "a key that goes with the stack": (
        put("Key", "DeletionPolicy", value="Delete"),
        "Key has no DeletionPolicy",
    ),
    "a bucket that no update spares": (
        put("ContentBucket", "UpdateReplacePolicy", value="RetainExceptOnCreate"),
        "ContentBucket has no UpdateReplacePolicy",
    ),
    "a public bucket": (
        put("ContentBucket", P, "PublicAccessBlockConfiguration", "BlockPublicPolicy", value=False),
        "ContentBucket could be public",
    ),
    "a bucket without TLS": (without("ContentBucketPolicy"), "ContentBucket may be reached without TLS"),
    "a topic without TLS": (
        statement("AlarmTopicPolicy", "OnlyOverTls", Condition=None),
        "AlarmTopic may be reached without TLS",
    ),
    # -- watching
    "a schedule without dead letters": (
        drop("SweepFunction", P, "Events", "EveryMinute", P, "DeadLetterConfig"),
        "SweepFunctionEveryMinute has no dead letters",
    ),
    "invocations without dead letters": (
        drop("SweepFunction", P, "EventInvokeConfig", "DestinationConfig"),
        "freehold-SweepFunction has no dead letters",
    ),
    "a bus without dead letters": (drop("Bus", P, "DeadLetterConfig"), "Bus has no dead letters"),
    "mail without dead letters": (mail_alarms, "AlarmMail has no dead letters"),
    "a log without an end": (
        drop("RunToolLogs", P, "RetentionInDays"),
        "RunToolLogs keeps its lines for ever",
    ),
    "a function that logs elsewhere": (
        drop("RunToolFunction", P, "LoggingConfig", "LogGroup"),
        "RunToolFunction logs elsewhere",
    ),
    "payloads in the log": (
        put("AgentLoop", P, "Logging", "IncludeExecutionData", value=True),
        "AgentLoop logs elsewhere",
    ),
    "no traces": (put("AgentLoopFast", P, "Tracing", "Enabled", value=False), "AgentLoopFast is not traced"),
    "no alarm on dead letters": (without("DeadLettersArrived"), "no alarm looks at AWS/SQS"),
    "dead letters that nobody is told of": (
        put("DeadLettersArrived", P, "ActionsEnabled", value=False),
        "DeadLettersArrived tells nobody: its actions are off",
    ),
    "dead letters told of too late": (
        put("DeadLettersArrived", P, "Threshold", value=1_000_000),
        "DeadLettersArrived keeps silent about the first one",
    ),
    "broken executions told of below some number": (
        put("LoopBroken", P, "ComparisonOperator", value="LessThanThreshold"),
        "LoopBroken keeps silent about the first one",
    ),
    "fast executions that time out unseen": (
        forget_timeouts_of_fast_runs,
        "no alarm looks at ExecutionsTimedOut of AgentLoopFast",
    ),
    "no alarm on the sweeper": (without("SweeperStopped"), "no alarm looks whether the sweeper runs"),
    "an alarm that tells nobody": (drop("LoopBroken", P, "AlarmActions"), "LoopBroken tells nobody"),
    "an alarm on another metric": (name_another_metric, "nothing emits the metric ModelGone"),
    "an alarm on a misspelt metric": (
        put("RunsFail", P, "MetricName", value="RunFailed"),
        "nothing emits the metric RunFailed",
    ),
    "an alarm by other dimensions": (
        put("RunsFail", P, "Dimensions", value=[{"Name": "stack", "Value": "freehold"}]),
        "with other dimensions",
    ),
    "a misspelt metric on the dashboard": (
        text("Dashboard", '"RunsAwaiting"', '"RunsWaiting"'),
        "nothing emits the metric RunsWaiting",
    ),
    "a metric that nobody sees": (
        text("Dashboard", "InputTokens OR ", ""),
        "the dashboard does not show InputTokens",
    ),
    # -- deploying
    "a state machine past the alias": (
        put(
            "AgentLoop",
            *(P, "DefinitionSubstitutions", "RunToolFunction"),
            value={"Fn::GetAtt": ["RunToolFunction", "Arn"]},
        ),
        "AgentLoop calls RunToolFunction past its alias",
    ),
    "running executions shut out": (forget_old_executions, "AgentLoopRole may not call"),
    "a version that goes with the next one": (
        drop("RunToolFunction", "UpdateReplacePolicy"),
        "goes with the next one",
    ),
    "a deployment that nothing stops": (
        drop("FinishRunFunction", P, "DeploymentPreference"),
        "FinishRunFunctionDeploymentGroup is not rolled back",
    ),
    "all traffic at once": (
        put("ApiFunction", P, "DeploymentPreference", value={"Enabled": False}),
        "ApiFunction gets all its traffic at once",
    ),
    "no concurrency reserved": (
        drop("RunToolFunction", P, "ReservedConcurrentExecutions"),
        "RunToolFunction has no concurrency reserved",
    ),
    "no limit of requests": (drop("Api", P, "MethodSettings"), "takes as many requests as the account does"),
    "an API at the edge": (drop("Api", P, "EndpointConfiguration"), "Api is reached through the edge"),
    "no access log": (drop("Api", P, "AccessLogSetting"), "logs no requests"),
    "a table that anybody may delete": (
        drop("AgentsTable", P, "DeletionProtectionEnabled"),
        "AgentsTable can be deleted",
    ),
    **ARRIVING_MUTANTS,
}

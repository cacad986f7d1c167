"""Mistakes that someone could make in the template tomorrow, each with what a rule says of it."""

from __future__ import annotations

from .mutating import (
    Mutate,
    drop,
    forget_an_own_function,
    forget_old_executions,
    keep_conversations,
    keep_versions,
    mail_alarms,
    name_another_metric,
    open_a_call,
    put,
    read_every_bucket,
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
        statement("ApiRole", "Agents", Resource="arn:aws:dynamodb:us-east-1:123456789012:table/*"),
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
    "tools that may be ourselves": (without("OwnFunctionsAreNoTools"), "FinishRunFunction could be a tool"),
    "one of us that may be a tool": (forget_an_own_function, "SweepFunction could be a tool"),
    "every model": (
        statement("InvokeModelRole", "Models", Resource="arn:aws:bedrock:us-east-1::foundation-model/*"),
        "InvokeModelRole.Models allows every model",
    ),
    "models everywhere": (
        statement("InvokeModelRole", "ModelsBehindProfiles", Condition=None),
        "ModelsBehindProfiles allows models in every Region",
    ),
    "every model of Mantle": (
        statement("InvokeModelRole", "MantleModels", Condition=None),
        "MantleModels allows every model",
    ),
    "schemas from anywhere": (read_every_bucket, "ApiRole.Any reads"),
    "a role for two": (share_a_role, "is the role of two functions"),
    "a role for anybody": (trust_everybody, "InvokeModelRole may be taken by"),
    "a managed policy": (
        put("SweepRole", P, "ManagedPolicyArns", value=["arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"]),
        "SweepRole has managed policies",
    ),
    "a call for anybody": (open_a_call, "to anybody"),
    "keys remembered for long": (
        put("Api", P, "Auth", "Authorizers", "ApiKey", "Identity", "ReauthorizeEvery", value=3600),
        "for longer than a minute",
    ),
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
    "versions for ever": (keep_versions, "keeps old versions for ever"),
    "conversations for ever": (keep_conversations, "keeps conversations for ever"),
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
    "no access log": (drop("Api", P, "AccessLogSetting"), "logs no requests"),
    "a table that anybody may delete": (
        drop("AgentsTable", P, "DeletionProtectionEnabled"),
        "AgentsTable can be deleted",
    ),
}

"""Mistakes in the ways in without HTTP, each with what a rule says of it."""

from __future__ import annotations

from rendering import ARN, HERE

from .mutating import Mutate, drop, put, statement, without

P = "Properties"
FROM_REQUESTS = (P, "Events", "FromRequests", P)
ARRIVING_MUTANTS: dict[str, tuple[Mutate, str]] = {
    "events from whomever IAM lets": (
        statement(
            "IncomingEventsPolicy", "FromNobodyElse", Effect="Allow", Principal={"AWS": "123456789012"}
        ),
        "IncomingEvents takes messages from others than AWS",
    ),
    "events from every role": (
        statement(
            "IncomingEventsPolicy",
            "FromNobodyElse",
            Condition={
                "Bool": {"aws:PrincipalIsAWSService": "false"},
                "ArnNotLike": {"aws:PrincipalArn": f"{ARN}:iam::123456789012:role/*"},
            },
        ),
        "IncomingEvents takes messages from others than AWS",
    ),
    "dead letters from whomever IAM lets": (
        statement("DeadLettersPolicy", "FromNobodyElse", Action="sqs:ReceiveMessage"),
        "DeadLetters takes messages from others than AWS",
    ),
    "requests given up from whomever IAM lets": (
        statement("RequestsDeadLettersPolicy", "FromNobodyElse", Effect="Allow"),
        "RequestsDeadLetters takes messages from others than AWS",
    ),
    "dead letters from any queue": (
        drop("DeadLetters", P, "RedriveAllowPolicy"),
        "DeadLetters takes what SQS moves from any queue",
    ),
    "requests given up from another queue": (
        put(
            "RequestsDeadLetters",
            P,
            "RedriveAllowPolicy",
            "sourceQueueArns",
            value=[f"{ARN}:sqs:{HERE}:other.fifo"],
        ),
        "RequestsDeadLetters takes what SQS moves from any queue",
    ),
    "dead letters from any topic": (
        statement("DeadLettersPolicy", "FromNoOtherTopic", Condition=None),
        "DeadLetters takes what any topic hands on",
    ),
    "a table that Ingest waits for": (
        drop("IngestFunction", P, "Environment", "Variables", "STORE_PATIENCE"),
        "IngestFunction waits for a table longer than it has",
    ),
    "a table that the authorizer waits for": (
        drop("AuthorizerFunction", P, "Environment", "Variables", "STORE_PATIENCE"),
        "AuthorizerFunction waits longer than it has",
    ),
    "an issuer that the authorizer has no time for": (
        put("AuthorizerFunction", P, "Timeout", value=5),
        "AuthorizerFunction waits longer than it has",
    ),
    "a message that Ingest has no time for": (
        put("IngestFunction", P, "Timeout", value=20),
        "IngestFunction may end in the middle of a message",
    ),
    "a message given up by SQS first": (
        put("Requests", P, "RedrivePolicy", "maxReceiveCount", value=15),
        "IngestFunctionFromRequests has no dead letters, or is given up too soon",
    ),
    "rules of other accounts": (
        statement("IncomingEventsPolicy", "FromRules", Condition=None),
        "IncomingEventsPolicy.FromRules lets other accounts in",
    ),
    "events of every bus": (
        statement(
            "IncomingEventsPolicy",
            "FromRules",
            Condition={
                "StringEquals": {"aws:SourceAccount": "123456789012"},
                "ArnLike": {"aws:SourceArn": f"{ARN}:events:{HERE}:rule/*"},
            },
        ),
        "IncomingEventsPolicy.FromRules takes events of rules of other buses",
    ),
    "more batches than functions": (
        put("IngestFunction", *FROM_REQUESTS, "ScalingConfig", value={"MaximumConcurrency": 95}),
        "IngestFunction is throttled by its own limit",
    ),
    "a signature that nobody sees": (
        put("Api", P, "AccessLogSetting", value={"Format": '{"caller":"$context.authorizer.principalId"}'}),
        "does not log who signed a call",
    ),
    "requests without TLS": (without("RequestsPolicy"), "Requests may be reached without TLS"),
    "requests without the key": (drop("Requests", P, "KmsMasterKeyId"), "Requests is not encrypted"),
    "live texts without the key": (
        drop("EventsTable", P, "SSESpecification"),
        "EventsTable is not encrypted",
    ),
    "live texts for ever": (drop("EventsTable", P, "TimeToLiveSpecification"), "keeps its items for ever"),
    "a batch that comes again as a whole": (
        drop("IngestFunction", *FROM_REQUESTS, "FunctionResponseTypes"),
        "IngestFunctionFromRequests repeats a whole batch",
    ),
    "a message for two": (
        put("Requests", P, "VisibilityTimeout", value=60),
        "IngestFunctionFromRequests gives a message to a second function",
    ),
    "a message that comes for ever": (
        drop("IncomingEvents", P, "RedrivePolicy"),
        "IngestFunctionFromIncomingEvents has no dead letters",
    ),
    "equal requests taken for one": (
        put("Requests", P, "ContentBasedDeduplication", value=True),
        "Requests takes equal requests for one",
    ),
    "a limit for all sessions": (
        drop("Requests", P, "FifoThroughputLimit"),
        "Requests has one limit for all sessions",
    ),
    "a rule without dead letters": (
        put(
            "RunRequested",
            P,
            "Targets",
            value=[{"Id": "1", "Arn": f"{ARN}:sqs:{HERE}:freehold-IncomingEvents"}],
        ),
        "RunRequested has no dead letters",
    ),
    "a key that lets roles in": (
        statement(
            "ApiRole", "NoAccessEntries", Condition={"StringLike": {"dynamodb:LeadingKeys": "ACCESS#*"}}
        ),
        "ApiRole.Agents may write access entries",
    ),
    "a key that takes roles out": (
        statement("ApiRole", "NoAccessEntries", Action="dynamodb:PutItem"),
        "ApiRole.Agents may write access entries",
    ),
    "rules that lead anywhere": (
        statement("ApiRole", "TargetsOfRules", Condition=None),
        "ApiRole.TargetsOfRules leads events anywhere",
    ),
    "rules of others": (
        statement("ApiRole", "Rules", Resource=f"{ARN}:events:{HERE}:rule/*"),
        "ApiRole.Rules allows events:DeleteRule",
    ),
    "schedules of others": (
        statement("ApiRole", "Schedules", Resource=f"{ARN}:scheduler:{HERE}:schedule/*"),
        "ApiRole.Schedules allows scheduler:CreateSchedule",
    ),
    "a role passed to anybody": (
        statement("ApiRole", "RoleOfSchedules", Condition=None),
        "ApiRole.RoleOfSchedules passes roles to others",
    ),
    "any role passed": (
        statement("ApiRole", "RoleOfSchedules", Resource={"Fn::GetAtt": ["SweepRole", "Arn"]}),
        "ApiRole.RoleOfSchedules passes roles to others",
    ),
    "a role for everybody's schedules": (
        drop("SchedulerRole", P, "AssumeRolePolicyDocument", "Statement", 0, "Condition"),
        "SchedulerRole is taken for schedules of others",
    ),
    "an alarm by bad credentials": (
        put("AuthorizerErrors", P, "Metrics", 0, "Expression", value="100 * errors / invocations"),
        "AuthorizerErrors goes off by credentials that are refused",
    ),
    "an alarm that takes off what nobody counts": (
        put("AuthorizerErrors", P, "Metrics", 1, "MetricStat", "Metric", "Dimensions", value=[]),
        "AuthorizerErrors looks at CredentialsRefused with other dimensions than it has",
    ),
    "no alarm on dead requests": (
        put("DeadLettersArrived", P, "Metrics", value=[]),
        "no alarm looks at RequestsDeadLetters",
    ),
    "no alarm on messages that wait": (without("MessagesWait"), "no alarm looks at Requests"),
    "a function that streams unwatched": (
        put("LiveErrors", P, "Metrics", value=[]),
        "no alarm looks at the errors of LiveFunction",
    ),
}

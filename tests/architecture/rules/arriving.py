"""Ways in without HTTP: who writes to a queue, what a failed batch becomes, where rules and schedules lead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from freehold.adapters.issuer_keys import READ_SECONDS
from freehold.arriving import MOST_RECEIVES
from freehold.wiring.arrivals import MESSAGE_MS
from freehold.wiring.clients import HURRIED
from rendering import ARN, HERE

from .reading import Rule, Template, listed, mentions, resources, statements

ROLE = f"{ARN}:iam::{HERE.rpartition(':')[2]}:role/freehold-"
INCOMING = f"{ARN}:sqs:{HERE}:freehold-IncomingEvents"
# Who but AWS's own services may write there. What lay in the dead letters comes back by the API.
WRITERS = {
    "DeadLetters": ["IngestRole", "SchedulerRole", "SweepRole"],
    "IncomingEvents": ["SchedulerRole", "ApiRole"],
    "RequestsDeadLetters": [],
}
ACCESS_ENTRIES = {"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["ACCESS#*"]}}
WRITES = {f"dynamodb:{verb}" for verb in ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")}
# Lambda's own advice: the visibility timeout over the function's, and receives before a message is given up.
TIMES_OF_THE_TIMEOUT = 6
# Ingest gives a message up by itself, with its reason, before SQS does; what is held back is counted as received, too.
LEAST_RECEIVES = MOST_RECEIVES + 5
_ATTEMPTS: int = HURRIED.retries["total_max_attempts"]
# At most, with the pauses between the attempts.
SECONDS_OF_A_CALL = _ATTEMPTS * (HURRIED.connect_timeout + HURRIED.read_timeout) + _ATTEMPTS - 1


def what_is_believed_comes_from_aws(template: Template) -> Iterator[str]:
    """A message of IncomingEvents says itself whose it is, so IAM alone may not decide who writes there.

    The same goes for dead letters, which come back there.
    """
    shut = [
        (each.resources, each.given["Condition"])
        for each in statements(template, kinds=("AWS::SQS::QueuePolicy",))
        if not each.allows and each.given["Principal"] == "*" and each.actions == ["sqs:SendMessage"]
    ]
    for queue, roles in WRITERS.items():
        others: dict[str, Any] = {"Bool": {"aws:PrincipalIsAWSService": "false"}}
        if roles:
            others["ArnNotEquals"] = {"aws:PrincipalArn": [f"{ROLE}{role}" for role in roles]}
        if ([f"{ARN}:sqs:{HERE}:freehold-{queue}"], others) not in shut:
            yield f"{queue} takes messages from others than AWS"


def events_come_by_the_stacks_own_bus(template: Template) -> Iterator[str]:
    """Whoever may put targets elsewhere in the account would speak for every tenant."""
    (bus,) = (each["Name"] for each in resources(template, "AWS::Events::EventBus").values())
    for each in statements(template, kinds=("AWS::SQS::QueuePolicy",)):
        rules = each.conditions.get("aws:SourceArn")
        if each.allows and each.resources == [INCOMING] and rules != [f"{ARN}:events:{HERE}:rule/{bus}/*"]:
            yield f"{each.name} takes events of rules of other buses"


def no_function_lets_anybody_in(template: Template) -> Iterator[str]:
    """Access entries are written by the account's administrators: what may write beside them is denied these."""
    agents = f"{ARN}:dynamodb:{HERE}:table/freehold-AgentsTable"
    denied = {
        each.where
        for each in statements(template)
        if not each.allows and each.resources == [agents] and each.given.get("Condition") == ACCESS_ENTRIES
        if set(each.actions) >= WRITES
    }
    for each in statements(template):
        writes = each.allows and agents in each.resources and WRITES & set(each.actions)
        if writes and each.where not in denied:
            yield f"{each.name} may write access entries"


def letters_come_from_our_queues(template: Template) -> Iterator[str]:
    """What SQS moves itself no policy of the queue can keep out, and what an alarm's topic hands on has attributes."""
    queues = queues_of(template)
    for name in ("DeadLetters", "RequestsDeadLetters"):
        allowed = queues[name].get("RedriveAllowPolicy", {})
        sources = [
            f"{ARN}:sqs:{HERE}:{queue.get('QueueName')}"
            for queue in queues.values()
            if queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")
            == f"{ARN}:sqs:{HERE}:freehold-{name}"
        ]
        if (allowed.get("redrivePermission"), allowed.get("sourceQueueArns")) != ("byQueue", sources):
            yield f"{name} takes what SQS moves from any queue"
    topics = [
        each.conditions.get("aws:SourceArn")
        for each in statements(template, kinds=("AWS::SQS::QueuePolicy",))
        if each.where == "DeadLettersPolicy" and each.given["Principal"] == {"Service": "sns.amazonaws.com"}
        if not each.allows
    ]
    if topics != [[f"{ARN}:sns:{HERE}:freehold-AlarmTopic"]]:
        yield "DeadLetters takes what any topic hands on"


def a_batch_outlasts_a_table_that_hangs(template: Template) -> Iterator[str]:
    """A message whose table and dead letters both hang is told so in time, and so are those after it."""
    call = SECONDS_OF_A_CALL
    ingest = resources(template, "AWS::Lambda::Function")["IngestFunction"]
    if ingest["Environment"]["Variables"].get("STORE_PATIENCE") != "little":
        yield "IngestFunction waits for a table longer than it has"
    if not 2 * call <= MESSAGE_MS / 1000 < ingest["Timeout"] - call:
        yield "IngestFunction may end in the middle of a message"


def a_credential_is_checked_in_time(template: Template) -> Iterator[str]:
    """Where the table or the issuer hangs, the authorizer says so, and keeps what it knows of the issuer's keys."""
    authorizer = resources(template, "AWS::Lambda::Function")["AuthorizerFunction"]
    hurries = authorizer["Environment"]["Variables"].get("STORE_PATIENCE") == "little"
    if not hurries or authorizer["Timeout"] <= max(SECONDS_OF_A_CALL, READ_SECONDS):
        yield "AuthorizerFunction waits longer than it has"


def batches_fail_in_part(template: Template) -> Iterator[str]:
    """A message that fails comes again alone, in its own time, and not for ever."""
    queues = {f"{ARN}:sqs:{HERE}:freehold-{name}": each for name, each in queues_of(template).items()}
    seconds = {
        f"freehold-{name}": function["Timeout"]
        for name, function in resources(template, "AWS::Lambda::Function").items()
    }
    for name, source in resources(template, "AWS::Lambda::EventSourceMapping").items():
        queue = queues[source["EventSourceArn"]]
        function = source["FunctionName"].removesuffix(":live").rpartition(":")[2]
        if source.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} repeats a whole batch"
        if queue.get("VisibilityTimeout", 30) < TIMES_OF_THE_TIMEOUT * seconds[function]:
            yield f"{name} gives a message to a second function while the first one works"
        if queue.get("RedrivePolicy", {}).get("maxReceiveCount", 0) < LEAST_RECEIVES:
            yield f"{name} has no dead letters, or is given up too soon"


def repeats_are_what_senders_say(template: Template) -> Iterator[str]:
    """The same words twice are two requests, and one session does not wait for another."""
    for name, queue in queues_of(template).items():
        # Dead letters have none of their own, and nobody sends there.
        if queue.get("FifoQueue") and "RedrivePolicy" in queue:
            if queue.get("ContentBasedDeduplication"):
                yield f"{name} takes equal requests for one"
            if queue.get("FifoThroughputLimit") != "perMessageGroupId":
                yield f"{name} has one limit for all sessions"


def ingest_may_do_what_its_queues_ask(template: Template) -> Iterator[str]:
    """Messages of a function that is throttled come back as if they had failed."""
    wanted: dict[str, int] = {}
    for source in resources(template, "AWS::Lambda::EventSourceMapping").values():
        function = source["FunctionName"].removesuffix(":live").rpartition(":")[2]
        at_once = int(source.get("ScalingConfig", {}).get("MaximumConcurrency", 1_000))
        wanted[function] = wanted.get(function, 0) + at_once
    for name, function in resources(template, "AWS::Lambda::Function").items():
        reserved = int(function.get("ReservedConcurrentExecutions") or 1_000)
        if wanted.get(f"freehold-{name}", 0) > reserved:
            yield f"{name} is throttled by its own limit"


def who_signed_a_call_is_logged(template: Template) -> Iterator[str]:
    """A call that a signature lets in has no authorizer that could say who it was."""
    for name, stage in resources(template, "AWS::ApiGateway::Stage").items():
        logged = mentions(stage.get("AccessLogSetting", {}))
        if logged != "{}" and "$context.identity.userArn" not in logged:
            yield f"{name} does not log who signed a call"


def rules_and_schedules_lead_to_our_queue(template: Template) -> Iterator[str]:
    """Who may make a rule or pass a role could have AWS do what it may not do itself."""
    for each in statements(template):
        if not each.allows:
            continue
        if "events:PutTargets" in each.actions and each.conditions.get("events:TargetArn") != [INCOMING]:
            yield f"{each.name} leads events anywhere"
        if "iam:PassRole" in each.actions:
            passed = each.conditions.get("iam:PassedToService") == ["scheduler.amazonaws.com"]
            if not passed or each.resources != [f"{ROLE}SchedulerRole"]:
                yield f"{each.name} passes roles to others than Scheduler"


def schedules_of_others_get_no_role(template: Template) -> Iterator[str]:
    """Scheduler works for every account: a role says for whose schedules it takes it."""
    group = f"{ARN}:scheduler:{HERE}:schedule-group/freehold"
    for name, role in resources(template, "AWS::IAM::Role").items():
        for trust in role["AssumeRolePolicyDocument"]["Statement"]:
            if listed(trust["Principal"].get("Service")) == ["scheduler.amazonaws.com"]:
                keys = trust.get("Condition", {}).get("StringEquals", {})
                if keys.get("aws:SourceArn") != group or "aws:SourceAccount" not in keys:
                    yield f"{name} is taken for schedules of others"


def queues_of(template: Template) -> dict[str, dict[str, Any]]:
    return resources(template, "AWS::SQS::Queue")


RULES: tuple[Rule, ...] = (
    what_is_believed_comes_from_aws,
    events_come_by_the_stacks_own_bus,
    ingest_may_do_what_its_queues_ask,
    who_signed_a_call_is_logged,
    no_function_lets_anybody_in,
    letters_come_from_our_queues,
    a_batch_outlasts_a_table_that_hangs,
    a_credential_is_checked_in_time,
    batches_fail_in_part,
    repeats_are_what_senders_say,
    rules_and_schedules_lead_to_our_queue,
    schedules_of_others_get_no_role,
)

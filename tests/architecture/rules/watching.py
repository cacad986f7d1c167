"""What tells of trouble: dead letters, logs, alarms and the dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from freehold.observability.metrics import MODEL_METRICS, NAMESPACE, SERVICE_METRICS

from .reading import Rule, Template, mentions, resources

# Each is a metric that somebody has to be woken by.
ALARMED = {
    ("AWS/ApiGateway", "5XXError"),
    ("AWS/Lambda", "Errors"),
    ("AWS/Lambda", "Throttles"),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    ("AWS/States", "ExecutionsFailed"),
    ("AWS/States", "ExecutionsTimedOut"),
    (NAMESPACE, "RunsFailed"),
    (NAMESPACE, "RunsRestarted"),
    (NAMESPACE, "ToolOutcomesUnknown"),
    (NAMESPACE, "ModelThrottled"),
    (NAMESPACE, "ModelUnavailable"),
}
# Of these one is too many.
FIRST = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    ("AWS/States", "ExecutionsFailed"),
    ("AWS/States", "ExecutionsTimedOut"),
    (NAMESPACE, "ToolOutcomesUnknown"),
}
QUERY = re.compile(r'SELECT \w+\((\w+)\) FROM SCHEMA\("(\w+)", model, service\) WHERE service = \'freehold\'')
SEARCH = re.compile(
    r"SEARCH\('\{(\w+),model,service\} service=\"freehold\" MetricName=\(?([\w ]+?)\)?', '\w+', \d+\)"
)


def asynchronous_edges_have_dead_letters(template: Template) -> Iterator[str]:
    """Wherever somebody hands something over and does not wait for what comes of it."""
    for name, rule in resources(template, "AWS::Events::Rule").items():
        for target in rule["Targets"]:
            if not target.get("DeadLetterConfig", {}).get("Arn"):
                yield f"{name} has no dead letters"
            if ":function:" in target["Arn"]:
                yield from _of_invocations(template, name, target["Arn"])
    for kind, key in (
        ("AWS::Events::EventBus", "DeadLetterConfig"),
        ("AWS::SNS::Subscription", "RedrivePolicy"),
    ):
        yield from (
            f"{name} has no dead letters"
            for name, edge in resources(template, kind).items()
            if "sqs" not in mentions(edge.get(key))
        )


def _of_invocations(template: Template, rule: str, arn: str) -> Iterator[str]:
    """EventBridge hands over to Lambda, and Lambda to the function: two edges."""
    *_, function, qualifier = arn.split(":")
    configured = [
        each["DestinationConfig"]["OnFailure"]["Destination"]
        for each in resources(template, "AWS::Lambda::EventInvokeConfig").values()
        if each["FunctionName"] == function
        and each["Qualifier"] == qualifier
        and "OnFailure" in each.get("DestinationConfig", {})
    ]
    if not configured:
        yield f"{rule}: {function} has no dead letters"


def logs_end(template: Template) -> Iterator[str]:
    """Every function and state machine writes to a group of the template's, which forgets."""
    groups = resources(template, "AWS::Logs::LogGroup")
    names = {group["LogGroupName"] for group in groups.values()}
    yield from (
        f"{name} keeps its lines for ever" for name, each in groups.items() if not each.get("RetentionInDays")
    )
    for name, function in resources(template, "AWS::Lambda::Function").items():
        logging = function.get("LoggingConfig", {})
        if logging.get("LogGroup") not in names or logging.get("LogFormat") != "JSON":
            yield f"{name} logs elsewhere"
    for name, machine in resources(template, "AWS::StepFunctions::StateMachine").items():
        logging = machine.get("LoggingConfiguration", {})
        if not any(group in mentions(logging) for group in names) or logging.get("IncludeExecutionData"):
            yield f"{name} logs elsewhere, or what it carries"


def everything_is_traced(template: Template) -> Iterator[str]:
    traced = (
        ("AWS::Lambda::Function", "TracingConfig", {"Mode": "Active"}),
        ("AWS::StepFunctions::StateMachine", "TracingConfiguration", {"Enabled": True}),
        ("AWS::ApiGateway::Stage", "TracingEnabled", True),
    )
    for kind, key, value in traced:
        yield from (
            f"{name} is not traced"
            for name, each in resources(template, kind).items()
            if each.get(key) != value
        )


Metric = tuple[str, str]


def metrics_of_alarms(template: Template) -> dict[str, set[Metric]]:
    """Namespace and name of the metrics that each alarm looks at."""
    found: dict[str, set[Metric]] = {}
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm").items():
        plain = [alarm] if "MetricName" in alarm else []
        stats = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        queries = [QUERY.fullmatch(each.get("Expression", "")) for each in alarm.get("Metrics", [])]
        found[name] = {(each["Namespace"], each["MetricName"]) for each in plain + stats}
        found[name] |= {(query[2], query[1]) for query in queries if query}
    return found


def metrics_of_dashboards(template: Template) -> set[Metric]:
    found: set[Metric] = set()
    for dashboard in resources(template, "AWS::CloudWatch::Dashboard").values():
        for widget in json.loads(dashboard["DashboardBody"])["widgets"]:
            for line in widget["properties"]["metrics"]:
                if isinstance(line[0], str):
                    found.add((line[0], line[1]))
                elif searched := SEARCH.fullmatch(line[0]["expression"]):
                    found |= {(searched[1], name) for name in searched[2].split(" OR ")}
                else:
                    found.add(("a search that nobody can read", line[0]["expression"]))
    return found


def alarms_are_told(template: Template) -> Iterator[str]:
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm").items():
        if not alarm.get("AlarmActions") or not alarm.get("AlarmDescription"):
            yield f"{name} tells nobody, or not what to do"
        # CloudFormation takes the word for it as well.
        if str(alarm.get("ActionsEnabled", True)).lower() != "true":
            yield f"{name} tells nobody: its actions are off"


def the_first_one_is_told(template: Template) -> Iterator[str]:
    """Whoever watches for it counts from nought and waits for no second period."""
    alarms = resources(template, "AWS::CloudWatch::Alarm")
    for name, metrics in metrics_of_alarms(template).items():
        alarm = alarms[name]
        above = (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"])
        if metrics & FIRST and above != ("GreaterThanThreshold", 0, 1):
            yield f"{name} keeps silent about the first one"


def trouble_sets_off_alarms(template: Template) -> Iterator[str]:
    alarms = metrics_of_alarms(template)
    watched = {metric for metrics in alarms.values() for metric in metrics}
    yield from (f"no alarm looks at {' '.join(metric)}" for metric in sorted(ALARMED - watched))
    if not any(each.get("TreatMissingData") == "breaching" for each in _of_the_sweeper(template)):
        yield "no alarm looks whether the sweeper runs"
    alarmed = mentions(resources(template, "AWS::CloudWatch::Alarm"))
    for name in resources(template, "AWS::Lambda::Function"):
        if f"'freehold-{name}:live'" not in alarmed:
            yield f"no alarm looks at the errors of {name}"
    for name in resources(template, "AWS::SQS::Queue"):
        if f"'freehold-{name}'" not in alarmed:
            yield f"no alarm looks at {name}"
    for name, machine in resources(template, "AWS::StepFunctions::StateMachine").items():
        yield from _of_the_machine(template, name, f":{machine['StateMachineName']}'")


def _of_the_machine(template: Template, name: str, arn: str) -> Iterator[str]:
    """Both ways in which its executions end by themselves."""
    watched = {
        each["MetricStat"]["Metric"]["MetricName"]
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values()
        for each in alarm.get("Metrics", [])
        if "MetricStat" in each and arn in mentions(each)
    }
    for metric in sorted({"ExecutionsFailed", "ExecutionsTimedOut"} - watched):
        yield f"no alarm looks at {metric} of {name}"


def _of_the_sweeper(template: Template) -> Iterator[dict[str, Any]]:
    """Alarms on how often it is invoked."""
    for alarm in resources(template, "AWS::CloudWatch::Alarm").values():
        if alarm.get("MetricName") == "Invocations" and "freehold-SweepFunction" in mentions(
            alarm["Dimensions"]
        ):
            yield alarm


def refused_credentials_set_off_nothing(template: Template) -> Iterator[str]:
    """To Lambda they are errors of the authorizer, and anybody can cause as many as they like."""
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm").items():
        if "'freehold-AuthorizerFunction:live'" in mentions(alarm):
            ids = [each["Id"] for each in alarm["Metrics"] if "CredentialsRefused" in mentions(each)]
            share = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
            others = "(errors - FILL({0}, 0)) / (invocations - FILL({0}, 0))"
            if share != [f"100 * {others.format(each)}" for each in ids]:
                yield f"{name} goes off by credentials that are refused"


def what_is_watched_is_emitted(template: Template) -> Iterator[str]:
    """Freehold's own metrics have the names and dimensions that its code gives them, and none is left unseen."""
    emitted = {*MODEL_METRICS, *SERVICE_METRICS}
    shown = {name for namespace, name in metrics_of_dashboards(template) if namespace == NAMESPACE}
    alarmed = {
        name
        for metrics in metrics_of_alarms(template).values()
        for namespace, name in metrics
        if namespace == NAMESPACE
    }
    yield from (f"nothing emits the metric {name}" for name in sorted((shown | alarmed) - emitted))
    yield from (f"the dashboard does not show {name}" for name in sorted(emitted - shown))
    yield from (
        f"the dashboard reads {name}" for space, name in metrics_of_dashboards(template) if " " in space
    )
    yield from _dimensions(template)


def _dimensions(template: Template) -> Iterator[str]:
    service = [{"Name": "service", "Value": "freehold"}]
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm").items():
        stats = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        for each in (alarm, *stats):
            own = each.get("Namespace") == NAMESPACE
            if own and (each["MetricName"] in MODEL_METRICS or each["Dimensions"] != service):
                yield f"{name} looks at {each['MetricName']} with other dimensions than it has"
    for name, function in resources(template, "AWS::Lambda::Function").items():
        if function["Environment"]["Variables"].get("POWERTOOLS_SERVICE_NAME") != "freehold":
            yield f"{name} does not emit by the stack's name"


RULES: tuple[Rule, ...] = (
    asynchronous_edges_have_dead_letters,
    logs_end,
    everything_is_traced,
    alarms_are_told,
    the_first_one_is_told,
    trouble_sets_off_alarms,
    refused_credentials_set_off_nothing,
    what_is_watched_is_emitted,
)

"""docs/deploy.md, read: its commands, its tables of costs, and what template and bench hold against them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

import yaml

from .deployment import ROOT, template

TEXT = (ROOT / "docs" / "deploy.md").read_text()
RESULTS = (ROOT / "bench" / "results.md").read_text()
METRICS = (ROOT / "docs" / "observability.md").read_text()
UNITS = {"each": 1, "GB": 1, "GB-second": 1, "thousand": 1_000, "million": 1_000_000}
ROW = re.compile(
    r"\| (?P<what>[^|]+) \| (?P<many>[\d,.]+) \| \$(?P<price>[\d.]+) (?P<unit>[^|]+) \| (?P<cost>[\d,.]+) \|"
)
TOTAL = re.compile(r"\| \*\*total\*\* \| \| \| (?P<cost>[\d,.]+) \|")


@dataclass(frozen=True)
class Row:
    what: str
    many: float
    price: float
    unit: str
    cost: float

    @property
    def dollars(self) -> float:
        per = UNITS[self.unit.removeprefix("per ").strip()]
        return round(self.many * self.price / per + 1e-9, 2)


def bill(heading: str) -> tuple[list[Row], float]:
    """The rows of the table whose first column is headed so, and its total."""
    lines = iter(TEXT.splitlines())
    assert any(line.startswith(f"| {heading} |") for line in lines)
    rows: list[Row] = []
    for line in lines:
        if total := TOTAL.fullmatch(line):
            return rows, number(total["cost"])
        if found := ROW.fullmatch(line):
            many, price, cost = (number(found[name]) for name in ("many", "price", "cost"))
            rows.append(Row(found["what"], many, price, found["unit"], cost))
        else:
            assert line.startswith("|---"), f"no row of costs: {line}"
    raise AssertionError(f"the table {heading} has no total")


def number(text: str) -> float:
    return float(text.replace(",", ""))


def commands() -> list[list[str]]:
    """Every command of the `bash` fences, and of table cells and sentences that name one, in words."""
    script = "\n".join(re.findall(r"^```bash\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)).replace(
        "\\\n", " "
    )
    # What `$(…)` holds is a command too.
    inner = re.findall(r"\$\(((?:aws|freehold|sam) [^()]*)\)", script)
    lines = [*script.splitlines(), *inner, *re.findall(r"`((?:aws|freehold|make|sam) [^`…]+)`", TEXT)]
    words = (shlex.split(re.sub(r"\$\(.*\)", "…", line), comments=True) for line in lines if "$(" not in line)
    return [each for each in words if each]


def watched_metrics() -> int:
    """How many metrics all alarms of the template watch: each is billed."""
    resources = template()["Resources"].values()
    alarms = [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    return sum(max(1, sum("MetricStat" in metric for metric in alarm.get("Metrics", ()))) for alarm in alarms)


def turn(mode: str) -> dict[str, tuple[float, float]]:
    """What the bench found of each part of a turn: how many, and dollars for 1,000 turns."""
    rows = re.findall(rf"^\| {mode} \| (.+) \| ([\d.]+) \| \$([\d.]+) \|$", RESULTS, re.MULTILINE)
    return {part: (float(many), float(dollars)) for part, many, dollars in rows}


def laps_with_a_tool() -> float:
    """Of the bench's turn: its transitions without those beside laps, over those of a lap with one call."""
    (per_lap,) = re.findall(
        r"^\| billed state transitions per lap.*\| [\d, ]*?, (\d+),", RESULTS, re.MULTILINE
    )
    (beside,) = re.findall(r"^\| state transitions of a run beside its laps \| (\d+)", RESULTS, re.MULTILINE)
    return (turn("durable")["Standard state transitions"][0] - int(beside)) / int(per_lap)


def gauges() -> set[str]:
    """The metrics that docs/observability.md says the sweeper writes each minute; 〃 repeats the row above."""
    found, repeated = set[str](), False
    for name, counts in re.findall(r"^\| `(\w+)` \| \w+ \| (.*) \|$", METRICS, re.MULTILINE):
        repeated = "each minute" in counts or (repeated and counts.startswith("〃"))
        found |= {name} if repeated else set()
    return found


def uses_of_the_key() -> set[tuple[str, str]]:
    """Who has KMS asked for what: each role and the tables it may use, log delivery and its groups, and the bus."""
    resources = template()["Resources"].items()
    services = {"AWS::Logs::LogGroup": "logs", "AWS::Events::EventBus": "events"}
    found = {
        (services[each["Type"]], name)
        for name, each in resources
        if each["Type"] in services and "Condition" not in each
    }
    for name, each in resources:
        if each["Type"] == "AWS::IAM::Role":
            found |= {(name, table) for table in _tables(each["Properties"]["Policies"])}
    return found


def _tables(policies: Any) -> set[str]:
    text = str(policies)
    return {
        name
        for name, each in template()["Resources"].items()
        if each["Type"] == "AWS::DynamoDB::Table" and f"'{name}', 'Arn'" in text
    }


def count(kind: str) -> int:
    return sum(each["Type"] == kind for each in template()["Resources"].values())


def catalog() -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / "layers" / "core" / "freehold" / "models.yaml").read_text())["models"]

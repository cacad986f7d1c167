"""docs/deploy.md, read: its commands, its tables of costs, and what they are held against."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from .deployment import ROOT, template

TEXT = (ROOT / "docs" / "deploy.md").read_text()
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


def count(kind: str) -> int:
    return sum(each["Type"] == kind for each in template()["Resources"].values())

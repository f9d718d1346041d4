"""docs/operating.md and docs/grafana.json against a real server: each names what the other has."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.house import House, opened

pytestmark = pytest.mark.e2e

DOCS = Path(__file__).parents[2] / "docs"
NAME = re.compile(r"\b(?:parola|process)_[a-z_]+[a-z]\b")
SELECTOR = re.compile(r"\b((?:parola|process)_[a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(=~|!=|=)\s*"([^"]*)"')

Samples = dict[str, dict[str, set[str]]]
"""Values of labels by label by sample."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    with opened(House(tmp_path_factory.mktemp("operating"), media_processes=2)) as house:
        for _ in range(2):  # the first answer is counted behind itself
            with urllib.request.urlopen(house.origin + "/metrics") as answer:
                text = answer.read().decode()
    found: Samples = defaultdict(lambda: defaultdict(set))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for label, value in sample.labels.items():
                found[sample.name][label].add(value)
    return found


def bare(sample: str) -> str:
    """The name by which a table has it: a histogram's without its parts."""
    return re.sub(r"_(bucket|count|sum)$", "", sample)


def check(expression: str, samples: Samples) -> None:
    """Every name, label and value of a PromQL expression is to be had from the server."""
    names = NAME.findall(expression)
    assert names, expression
    for name in names:
        assert name in samples, f"{name} in {expression}"
    for name, matchers in SELECTOR.findall(expression):
        for label, operator, value in MATCHER.findall(matchers):
            for wanted in value.split("|") if operator == "=~" else [value]:
                there = samples[name][label]
                assert any(re.fullmatch(wanted, v) for v in there) or wanted == "5..", f"{wanted}: {there}"
    assert expression.count("(") == expression.count(")")
    assert expression.count("{") == expression.count("}")
    own = {"sum", "max", "min", "by", "ignoring", "group_left", "rate", "increase", "delta", "time"}
    own |= {"histogram_quantile", "max_over_time"}
    assert set(re.findall(r"\b([a-z_]+)\s*\(", expression)) <= own


def tables() -> list[list[str]]:
    """Each row of the tables of the document, as cells."""
    # A bar inside of code is none between cells.
    text = re.sub(r"`[^`]*`", lambda m: m[0].replace("|", "\0"), (DOCS / "operating.md").read_text())
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip().replace("\0", "|") for cell in row.strip("|").split("|")] for row in rows]


def test_every_figure_of_a_server_has_its_line_and_every_line_its_figure(samples: Samples) -> None:
    lines = [row for row in tables() if len(row) == 3 and row[0] != "Figure"]
    documented = {name: row[1] for row in lines for name in re.findall(r"`([a-z_]+)`", row[0])}
    exported = {bare(sample): labels for sample, labels in samples.items()}
    assert documented.keys() == exported.keys()
    for name, cell in documented.items():
        labels = exported[name].keys() - {"machine", "process", "le"}
        assert set(re.findall(r"`(\w+)`", cell)) == labels, name


def test_every_reason_of_a_server_is_explained(samples: Samples) -> None:
    text = (DOCS / "operating.md").read_text()
    for sample in ("parola_media_connections_closed_total", "parola_media_dropped_datagrams_total"):
        section = text.partition(f"Reasons of `{sample}`")[2].partition("\n\n")[0]
        words = set(re.findall(r"`(\w+)`", section))
        assert words == samples[sample]["reason"], sample


def test_every_alarm_asks_for_what_there_is(samples: Samples) -> None:
    alarms = [row for row in tables() if len(row) == 4 and row[0] != "Alarm"]
    assert len(alarms) > 20
    for _, promql, *_ in alarms:
        (expression,) = re.findall(r"`([^`]+)`", promql)
        if expression != 'up{job="parola"} == 0':  # Prometheus's own
            check(expression, samples)
            assert re.search(r" (>|>=|==) [\d.e]+$", expression), expression


def test_every_panel_asks_for_what_there_is(samples: Samples) -> None:
    dashboard = json.loads((DOCS / "grafana.json").read_text())
    panels: list[dict[str, Any]] = dashboard["panels"]
    charts = [panel for panel in panels if panel["type"] != "row"]
    assert len(charts) > 20
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in charts:
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            check(target["expr"], samples)
    (variable,) = dashboard["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((DOCS / "grafana.json").read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells

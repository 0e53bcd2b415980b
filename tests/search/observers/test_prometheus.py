import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from search.config.compose import CONFIG_DIR
from search.observers.prometheus import METRICS
from tests.search.running import free_port

MONITORING = CONFIG_DIR / "monitoring"

# A process of its own, since Ray would stay; it prints what Prometheus would be told.
STUDY = """
import sys, time, urllib.request
import ray
from search.observers.prometheus import METRICS, StudyMetrics
from search.config.metric import SearchMetric

port = int(sys.argv[1])
ray.init(num_cpus=1, include_dashboard=False, _metrics_export_port=port, log_to_driver=False,
         _system_config={"metrics_report_interval_ms": 500})
from dataclasses import replace
from handssl.records import Record
record = Record(kind="pretrain", trial="a", hash="a", seed=0, objective="relative",
                composition="T", status="finished")
paper = SearchMetric(name="median_pje_cm")
metrics = StudyMetrics("small", paper, [replace(record, metrics={"median_pje_cm": 7.5})])
metrics.report("b", "relative", "T+S", {"images_per_s": 321.0, "loss": 1.25, "median_pje_cm": 9.0})
metrics.ended(replace(record, trial="c", metrics={"median_pje_cm": 4.5}))
metrics.ended(replace(record, trial="d", status="failed", metrics={}))
largest = SearchMetric(name="auc_5cm", direction="maximize")
others = StudyMetrics("large", largest, [replace(record, metrics={"auc_5cm": 0.25})])
others.ended(replace(record, trial="e", metrics={"auc_5cm": 0.5}))
others.ended(replace(record, trial="f", metrics={"auc_5cm": 0.125}))
for _ in range(60):
    time.sleep(1)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            text = page.read().decode()
    except OSError:
        continue
    lines = [line for line in text.splitlines() if line.startswith("ray_handssl")]
    if all(any(line.startswith(f"ray_{name}") for line in lines) for name in METRICS):
        print("\\n".join(lines))
        break
ray.shutdown()
"""


@pytest.mark.slow
def test_prometheus_is_told_what_the_study_reports() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUDY, str(free_port())],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"ray_(\w+)\{(.*)\} (\S+)", line)
        assert match, line
        tags = dict(re.findall(r'(\w+)="([^"]*)"', match[2]))
        which = tuple(tags[key] for key in METRICS[match[1]][1])
        found[match[1], which] = float(match[3])
    of_b, of_c = ("small", "b", "relative", "T+S"), ("small", "c", "relative", "T")
    assert found == {
        ("handssl_images_per_s", of_b): 321.0,
        ("handssl_loss", of_b): 1.25,
        ("handssl_probe_error_cm", of_b): 9.0,
        ("handssl_probe_error_cm", of_c): 4.5,
        ("handssl_best", ("small", "median_pje_cm", "minimize")): 4.5,
        ("handssl_best", ("large", "auc_5cm", "maximize")): 0.5,
        ("handssl_trials", ("small", "finished")): 2.0,
        ("handssl_trials", ("small", "pruned")): 0.0,
        ("handssl_trials", ("small", "failed")): 1.0,
        ("handssl_trials", ("large", "finished")): 3.0,
        ("handssl_trials", ("large", "pruned")): 0.0,
        ("handssl_trials", ("large", "failed")): 0.0,
    }


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((MONITORING / "grafana.json").read_text())
    return read


def test_the_dashboard_shows_exactly_the_metrics_of_the_search() -> None:
    expressions = [t["expr"] for panel in dashboard()["panels"] for t in panel["targets"]]
    expressions += [v["query"] for v in dashboard()["templating"]["list"]]
    named = set(re.findall(r"\bray_(\w+)", " ".join(expressions)))
    assert named == set(METRICS)


def test_the_dashboard_groups_by_tags_that_the_metrics_have() -> None:
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            (name,) = re.findall(r"\bray_(\w+)", target["expr"])
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            for groups in re.findall(r"by \(([\w, ]+)\)", target["expr"]):
                used |= set(groups.split(", "))
            used |= set(re.findall(r"(\w+)=[~\"]", target["expr"]))
            assert used <= set(METRICS[name][1]), panel["title"]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_prometheus_reads_the_list_of_nodes_that_ray_writes() -> None:
    from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

    config: Any = OmegaConf.to_container(OmegaConf.load(MONITORING / "prometheus.yml"))
    (job,) = config["scrape_configs"]
    (source,) = job["file_sd_configs"]
    assert [Path(file).name for file in source["files"]] == [PROMETHEUS_SERVICE_DISCOVERY_FILE]

"""What docs/operations.md says of the cost is what the program computes, of what Terraform declares."""

import pytest

from tests.benchmarks.cost import MEASURED, Gpu, JobUse, Prices, Use, choreography, idle, video
from tests.infra.gcp.hcl import ROOT, named, resources

PRICES = Prices()
SAID = (ROOT / "docs" / "operations.md").read_text()


def cents(job: JobUse, start_s: float) -> float:
    functions = sum(use.usd(PRICES) for use in job.functions)
    kept = job.kept.usd(PRICES) + job.kept.seen_gb * PRICES.egress_gb
    return 100 * (functions + kept + Gpu(job.gpu_s, start_s).usd(PRICES))


@pytest.mark.parametrize(
    ("job", "alone", "in_a_rush"), [(video(MEASURED), "1.3", "0.45"), (choreography(), "2.0", "1.1")]
)
def test_a_job_costs_what_is_said(job, alone, in_a_rush):
    assert f"{cents(job, 30.0):.1f}" == alone
    assert f"{cents(job, 30.0 / 25):.{len(in_a_rush) - 2}f}" == in_a_rush
    assert f"| **alone / in a rush** | | **{alone} / {in_a_rush}** |" in SAID


def test_an_idle_month_costs_less_than_a_dollar_also_when_alerts_are_billed():
    due = sum(item.due for item in idle(PRICES))
    alerts = next(item.due for item in idle(PRICES) if item.name == "alerts")
    assert due <= 1.0
    assert f"**{due - alerts:.2f} $** a month" in SAID
    assert f"**{due:.2f} $** a month" in SAID


def test_the_alerts_that_are_counted_are_those_that_there_are():
    policies = [block for block in resources() if block.type == "google_monitoring_alert_policy"]
    on_metrics = [block for block in policies if "condition_threshold" in block.body["conditions"][0]]
    assert len(on_metrics) == 1
    (condition,) = on_metrics[0].body["conditions"]
    (aggregation,) = condition["condition_threshold"][0]["aggregations"]
    assert aggregation["cross_series_reducer"] == "REDUCE_MAX"
    assert "group_by_fields" not in aggregation


def test_instances_are_priced_in_the_sizes_that_they_have():
    default = {
        block.name: block.body.get("default") for block in named("variable") if block.file.startswith("modules/service")
    }
    modules = {block.name: block.body for block in named("module") if "/" not in block.file}
    for use in video(MEASURED).functions:
        asked = modules[use.unit]
        assert asked.get("cpu", default["cpu"]) == use.vcpu
        assert asked.get("memory", default["memory"]) == (f"{use.gib}Gi" if use.gib >= 1 else f"{use.gib * 1024:.0f}Mi")


def test_a_function_is_billed_for_working_and_for_waiting():
    assert Use("one", 2, cpu_s=3.0, vcpu=1, gib=1, wait_s=1.0).instance_s == 8.0
    assert Use("two", 1, cpu_s=3.4, vcpu=2, gib=1, wait_s=1.0).instance_s == pytest.approx(3.0)

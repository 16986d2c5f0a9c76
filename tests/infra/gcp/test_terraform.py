"""The inventory of infra/gcp as it is written: who is given what, and that it agrees with the code that runs there.

`terraform test` (infra/gcp/tests) asserts the same of the plan; this needs neither terraform nor its provider.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

import pytest

from infra.local.pushing import ACK_DEADLINE_S
from infra.local.system import deployed_functions
from infra.local.topology import KEEP_S, KEEP_TICKS_S, MAX_DELIVERY_ATTEMPTS, dead_letters, replay
from shared import measures
from shared.config import PREFIX, Settings
from shared.errors import GaveUp
from shared.events import Tick, Topic, encode
from tests.infra.gcp.hcl import GCP, ROOT, Block, local, named, parsed, resources

FUNCTION, ACCOUNT, SERVICE = (f"modules/{name}/main.tf" for name in ("event_function", "account", "service"))
OPTIONS = "modules/event_function/variables.tf"

GRANTS = {
    (ACCOUNT, "google_storage_bucket_iam_member.this"): "${each.value}",  # see ROLES
    (ACCOUNT, "google_pubsub_topic_iam_member.publishes"): "roles/pubsub.publisher",
    (ACCOUNT, "google_project_iam_member.database"): "roles/datastore.user",
    (FUNCTION, "google_service_account_iam_member.pubsub_pushes"): "roles/iam.serviceAccountOpenIdTokenCreator",
    (FUNCTION, "google_cloud_run_v2_service_iam_member.push"): "roles/run.invoker",
    (FUNCTION, "google_pubsub_topic_iam_member.pubsub_buries"): "roles/pubsub.publisher",
    (FUNCTION, "google_pubsub_subscription_iam_member.pubsub_takes"): "roles/pubsub.subscriber",
    ("api.tf", "google_service_account_iam_member.api_signs"): "roles/iam.serviceAccountTokenCreator",
    ("buckets.tf", "google_pubsub_topic_iam_member.storage_publishes"): "roles/pubsub.publisher",
    ("gpu_job.tf", "google_cloud_run_v2_job_iam_member.starts"): "${local.gpu_starts[each.value[1]]}",
}
"""Every grant there is."""

READS, WRITES = "${local.reads}", "${local.writes}"
TOUCHES = {
    "intake": ({"uploads": READS, "features": READS}, {Topic.AUDIO_REQUESTS, Topic.POSE_REQUESTS}),
    "audio": ({"uploads": READS, "features": WRITES}, {Topic.FEATURES}),
    "pose": ({"uploads": READS, "features": WRITES}, {Topic.FEATURES}),
    "dispatch": ({}, set()),
    "sweep": ({}, {Topic.UPLOADS, Topic.AUDIO_REQUESTS, Topic.POSE_REQUESTS, Topic.FEATURES}),
    "api": ({"uploads": WRITES, "features": WRITES, "results": WRITES}, set()),
    "gpu_account": ({"uploads": READS, "features": READS, "results": WRITES, "library": WRITES}, set()),
}
"""By unit: what it does in which buckets, and what it publishes to."""

UNITS = {"intake", "audio", "pose", "dispatch", "sweep", "api", "gpu_job"}


def units() -> Iterator[Block]:
    """The modules of the root."""
    return (module for module in named("module") if "/" not in module.file)


def unit(name: str) -> Block:
    return next(module for module in units() if module.name == name)


def resource(address: str) -> Block:
    return next(block for block in resources() if block.address == address)


def option(name: str) -> Mapping[str, Any]:
    """A variable of a function."""
    return next(block.body for block in named("variable") if (block.file, block.name) == (OPTIONS, name))


def standing_under(key: str, tree: Any) -> Iterator[str]:
    """The texts under that key, however deep."""
    for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        if name == key and isinstance(value, str):
            yield value
        yield from standing_under(key, value)


def buckets_of(module: Block) -> dict[str, str]:
    """Roles by what is in a bucket."""
    found = module.body.get("buckets", {})
    return {name.split('"')[1]: role for name, role in found.items()}


# --- who may do what


def test_nothing_is_granted_but_this():
    granted = {(block.file, block.address): block.body["role"] for block in resources() if "_iam_" in block.type}
    assert granted == GRANTS


def test_only_members_are_added_so_that_nobody_elses_grants_are_taken_away():
    assert not [block.address for block in resources() if re.search("_iam_(policy|binding)", block.type)]


def test_the_project_grants_one_role_alone_and_only_on_the_one_database():
    on_projects = [block for block in resources() if re.match("google_(project|folder|organization)_iam", block.type)]
    assert [block.body["role"] for block in on_projects] == ["roles/datastore.user"]
    (condition,) = on_projects[0].body["condition"]
    assert "databases/(default)" in condition["expression"]


@pytest.mark.parametrize("name", TOUCHES)
def test_a_unit_is_given_what_it_touches_and_no_more(name):
    buckets, topics = TOUCHES[name]
    module = unit(name)
    assert buckets_of(module) == buckets
    if name == "gpu_account":
        assert "publishes" not in module.body
    else:
        assert set(module.body.get("publishes", [])) == topics


@pytest.mark.parametrize("name", ["intake", "audio", "pose", "dispatch", "sweep"])
def test_a_function_names_no_bucket_in_its_code_that_it_is_not_given(name):
    code = "".join(file.read_text() for file in (ROOT / "functions" / name).glob("*.py"))
    assert set(re.findall(r"settings\.(\w+)_bucket", code)) <= set(TOUCHES[name][0])


def test_two_units_alone_start_the_gpu_job_and_none_changes_it():
    assert local("gpu_starts") == {"start": "roles/run.jobsExecutor", "count": "roles/run.viewer"}
    starters = re.findall(r"module\.(\w+)\.account", local("gpu_starters"))
    assert sorted(starters) == ["dispatch", "sweep"]


def test_everybody_may_call_the_api_and_nothing_else():
    public = [block for block in resources() if "invoker_iam_disabled" in block.body]
    assert [(block.file, block.body["invoker_iam_disabled"]) for block in public] == [(SERVICE, "${var.is_public}")]
    assert [module.name for module in units() if module.body.get("is_public")] == ["api"]


def test_nothing_is_granted_to_everybody_for_an_organization_may_forbid_it():
    assert not [block.address for block in resources() if re.search("allUsers|allAuthenticatedUsers", str(block.body))]


def test_strangers_make_no_accounts_unless_the_studio_says_so():
    (variable,) = [block.body for block in named("variable") if block.name == "open_signup"]
    assert variable["default"] is False
    (client,) = resource("google_identity_platform_config.this").body["client"]
    assert client["permissions"] == [{"disabled_user_signup": "${!var.open_signup}"}]


def test_a_teacher_has_an_id_that_the_api_lets_in():
    tokens = pytest.importorskip("functions.api.tokens")
    (variable,) = [block.body for block in named("variable") if block.name == "teachers"]
    (validation,) = variable["validation"]
    (pattern,) = re.findall(r'regex\("\^(.*)\$", id\)', validation["condition"])
    assert pattern == tokens.USER_ID.pattern


def test_no_account_has_a_key():
    assert not [block.address for block in resources() if block.type == "google_service_account_key"]


# --- messages


def test_the_topics_are_those_of_the_messages():
    assert re.findall(r'"([\w-]+)"', local("topics")) == list(Topic)


def test_a_function_is_called_for_what_calls_it_on_one_machine():
    called = [function for function in deployed_functions() if function.topics]
    for function in called:
        triggers = str(unit(function.name).body["triggers"])
        own = set(re.findall(r'local\.topic\["([\w-]+)"\]', triggers))
        assert own == {topic for topic in function.topics if not topic.endswith("-dead")}
        assert ("local.dead_topics" in triggers) == (function.name == "sweep")
    assert {module.name for module in units() if "triggers" in module.body} == {function.name for function in called}


def test_those_that_wait_answer_as_many_at_once_as_on_one_machine_and_those_that_compute_one():
    for function in deployed_functions():
        computes = function.name in {"audio", "pose"}  # docs/decisions/0011
        assert unit(function.name).body.get("concurrency", 1) == (1 if computes else function.threads)


def test_all_messages_but_the_sweeps_have_dead_letters():
    assert "has_dead_letters = optional(bool, true)" in option("triggers")["type"]
    without = [module.name for module in units() if "has_dead_letters" in str(module.body.get("triggers"))]
    assert without == ["sweep"]


def test_a_message_is_kept_tried_and_given_up_as_on_one_machine():
    assert option("max_delivery_attempts")["default"] == MAX_DELIVERY_ATTEMPTS
    assert f"keep_s = optional(number, {KEEP_S})" in option("triggers")["type"]
    assert f"keep_s = {KEEP_TICKS_S}}}" in unit("sweep").body["triggers"]
    assert parsed()[FUNCTION]["locals"][0]["ack_deadline_s"] == ACK_DEADLINE_S


def test_dead_letters_are_called_as_on_one_machine():
    dead = resource("google_pubsub_topic.dead").body["name"]
    kept = resource("google_pubsub_subscription.replay").body["name"]
    assert dead == dead_letters("${each.key}")
    assert kept.replace("${google_pubsub_topic.dead[each.key].name}", dead) == replay("${each.key}")


def test_no_push_is_given_up_while_its_function_works():
    for function in deployed_functions():
        timeout_s = unit(function.name).body.get("timeout_s", option("timeout_s")["default"])
        assert timeout_s == function.timeout_s < ACK_DEADLINE_S


def test_no_subscription_expires():
    subscriptions = [block for block in resources() if block.type == "google_pubsub_subscription"]
    assert [block.name for block in subscriptions] == ["push", "replay"]
    assert all(block.body["expiration_policy"] == [{"ttl": ""}] for block in subscriptions)


def test_the_scheduler_publishes_a_tick():
    (target,) = resource("google_cloud_scheduler_job.tick").body["pubsub_target"]
    data, attributes = encode(Tick())
    assert target["attributes"] == attributes
    assert target["data"] == '${base64encode(jsonencode({type = "tick"}))}'
    assert json.loads(data) == {"type": "tick"}


# --- what runs


def test_images_come_from_outside_and_by_digest_alone():
    images = [image for content in parsed().values() for image in standing_under("image", content)]
    assert set(images) == {
        "${var.image}", '${var.images["gpu_job"]}',
        *(f'${{lookup(var.images, "{name}", null)}}' for name in UNITS - {"gpu_job"}),
    }  # fmt: skip
    (variable,) = [block for block in named("variable") if block.name == "images"]
    conditions = [check["condition"] for check in variable.body["validation"]]
    assert "@sha256:[0-9a-f]{64}$" in conditions[0]
    assert set(re.findall(r'"(\w+)"', conditions[1])) == UNITS


def test_a_unit_is_told_what_its_settings_need_and_nothing_that_they_do_not_know():
    told = {name.removeprefix(PREFIX).lower() for name in local("settings")}
    known = {field.name: field.default is MISSING for field in fields(Settings)}
    assert told <= set(known)
    assert {name for name, is_needed in known.items() if is_needed} <= told


def test_the_api_is_told_nothing_that_its_settings_do_not_know():
    api = pytest.importorskip("functions.api.settings").ApiSettings
    assert {name.removeprefix(PREFIX).lower() for name in local("api_settings")} <= {
        field.name for field in fields(api)
    }


def test_the_gpu_job_has_an_l4_and_what_it_asks_for():
    (execution,) = resource("google_cloud_run_v2_job.gpu").body["template"]
    (task,) = execution["template"]
    (container,) = task["containers"]
    assert task["node_selector"] == [{"accelerator": "nvidia-l4"}]
    assert task["gpu_zonal_redundancy_disabled"]
    (limits,) = container["resources"]
    assert limits["limits"] == {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
    assert task["timeout"] == "3600s"


# --- what is kept


def test_no_bucket_is_public():
    buckets = [block for block in resources() if block.type == "google_storage_bucket"]
    assert [block.name for block in buckets] == ["this"]
    assert buckets[0].body["public_access_prevention"] == "enforced"
    assert buckets[0].body["uniform_bucket_level_access"]
    assert not [
        block.address for block in resources() if re.search("google_storage_.*(_acl|access_control)", block.type)
    ]


def test_indexes_and_rules_have_one_source():
    assert local("declared") == '${jsondecode(file("${path.module}/firestore.indexes.json"))}'
    rules = [block for block in resources() if block.type == "google_firebaserules_ruleset"]
    for block in rules:
        (file,) = block.body["source"][0]["files"]
        assert file["content"] == f'${{file("${{path.module}}/{block.name}.rules")}}'
        assert (GCP / f"{block.name}.rules").read_text().startswith("rules_version = '2';")


# --- what is watched


def promised() -> dict[str, set[str]]:
    """The fields of each event that is counted, as shared/measures.py promises them."""
    assert measures.__doc__
    lines = re.findall(r"\{\"event\": \"(\w+)\"(.*)\}", measures.__doc__)
    return {event: set(re.findall(r'"(\w+)"', rest)) for event, rest in lines}


def test_metrics_and_alerts_look_for_what_the_code_tells():
    texts = [local("settled"), *(alert["filter"] for alert in local("log_alerts").values())]
    texts += [str(block.body) for block in resources() if block.type == "google_logging_metric"]
    events = {event for text in texts for event in re.findall(r'jsonPayload\.event=\\*"(\w+)', text)}
    assert events == set(promised())
    asked = {field for text in texts for field in re.findall(r"jsonPayload\.(\w+)", text)} - {"event"}
    assert asked <= set().union(*promised().values())
    assert f'jsonPayload.code="{GaveUp.code}"' in local("log_alerts")["gave-up"]["filter"]


def test_each_alert_says_where_it_is_told_what_to_do():
    headings = set(re.findall(r"^#+ (.*)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE))
    said = [alert["about"] for alert in local("log_alerts").values()]
    said += [
        block.body["documentation"][0]["content"]
        for block in resources()
        if block.type == "google_monitoring_alert_policy" and block.name != "logged"
    ]
    for sentence in said:
        (heading,) = re.findall(r"docs/operations\.md, \*(.*)\*", sentence)
        assert heading in headings
    assert len(said) == 8  # six on logs, one on a metric, one of each service


def test_somebody_is_told_when_the_api_fails():
    asked = local("log_alerts")["api-errors"]["filter"].replace("\\", "")
    assert 'resource.labels.service_name="api" severity>=ERROR' in asked


# --- how it is written


def test_every_variable_says_what_it_is_and_refuses_what_it_cannot_be():
    for block in named("variable"):
        assert block.body["type"], block
        assert block.body["description"].endswith("."), block
        if "/" not in block.file and block.body["type"] != "bool":
            assert block.body["validation"], block


def test_each_validation_is_met_by_a_value_that_it_refuses():
    refusals = (GCP / "tests" / "refusals.tftest.hcl").read_text()
    for block in named("variable"):
        refused = refusals.count(f"expect_failures = [var.{block.name}]")
        assert refused >= len(block.body.get("validation", ())), block.name


def test_every_output_says_what_it_is():
    assert all(block.body["description"].endswith(".") for block in named("output"))


def test_the_provider_is_asked_for_in_the_same_version_everywhere():
    asked = {
        file: entry["required_providers"][0]["google"]["version"]
        for file, content in parsed().items()
        for entry in content.get("terraform", [])
    }
    assert set(asked.values()) == {">= 6.50"}
    assert len(asked) == 4


def test_the_files_are_formatted():
    terraform = shutil.which("terraform")
    if not terraform:
        pytest.skip("there is no terraform to ask whether the files are formatted")
    found = subprocess.run(
        [terraform, "fmt", "-check", "-recursive", str(GCP)], check=False, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout

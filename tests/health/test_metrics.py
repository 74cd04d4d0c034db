"""What Prometheus would read: every name once, nothing of a person, and the same again for the next daemon."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from faceedge.health.metrics import ASKED, COUNTED, Metrics, Sources, counted


def samples(metrics: Metrics) -> dict[str, float]:
    """Every sample as it is spelt on the wire."""
    found = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_what_the_pipeline_measures_becomes_histograms_by_stage_and_queue() -> None:
    metrics = Metrics()
    metrics.waited("frames", 0.013)
    metrics.worked("detect", 0.07, 4)
    metrics.decided("grant", 0.31)
    seen = samples(metrics)
    assert seen["faceedge_queue_wait_seconds_bucket{le=0.02,queue=frames}"] == 1
    assert seen["faceedge_queue_wait_seconds_bucket{le=0.01,queue=frames}"] == 0
    assert seen["faceedge_stage_seconds_sum{stage=detect}"] == pytest.approx(0.07)
    assert seen["faceedge_batch_size_sum{stage=detect}"] == 4
    assert seen["faceedge_decision_seconds_bucket{le=0.4,outcome=grant}"] == 1


def test_the_way_to_the_verdict_is_heard_in_the_events_and_they_go_on_to_the_listener() -> None:
    metrics, told = Metrics(), []
    tell = metrics.hearing(told.append)
    events = [
        {"event": "ready"},
        {"event": "decision", "verdict": "opened", "latency_ms": 120.0, "person": "anna"},
        {"event": "decision", "verdict": None, "latency_ms": 80.0},
        {"event": "decision", "verdict": "lost", "latency_ms": None},
    ]
    for event in events:
        tell(event)
    assert told == events
    seen = samples(metrics)
    assert seen["faceedge_verdict_seconds_sum{verdict=opened}"] == pytest.approx(0.12)
    assert [name for name in seen if "verdict_seconds_count" in name] == [
        "faceedge_verdict_seconds_count{verdict=opened}"
    ]
    assert "anna" not in generate_latest(metrics.registry).decode()


@pytest.mark.parametrize(("counter", "expected"), [
    ("frames_dropped", ("items", ("frames", "dropped"))),
    ("late_recognise_slow", ("late", ("recognise", "slow"))),
    ("late_publish_old", ("late", ("publish", "old"))),
    ("decision_deny", ("decisions", ("deny",))),
    ("grant_opened", ("grants", ("opened",))),
    ("capture-entry_faults", ("faults", ("capture-entry",))),
    ("governor_steps", ("events", ("governor_steps",))),
])  # fmt: skip
def test_every_counter_of_the_state_has_a_family(counter: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert counted(counter) == expected


def test_what_is_asked_at_a_scrape_is_as_it_is_then() -> None:
    metrics, counters = Metrics(), {"frames_passed": 3, "frames_dropped": 1}
    metrics.sources = Sources(
        lambda: counters,
        lambda: {
            "queue_items": {("shots",): 5}, "camera_ok": {("entry",): True, ("yard",): False},
            "pressure_ratio": {(): 0.7}, "temperature_celsius": {(): None}, "governor_step": {(): float("nan")},
        },
    )  # fmt: skip
    assert samples(metrics)["faceedge_items_total{fate=passed,queue=frames}"] == 3
    counters["frames_passed"] = 9
    seen = samples(metrics)
    assert seen["faceedge_items_total{fate=passed,queue=frames}"] == 9
    assert seen["faceedge_queue_items{queue=shots}"] == 5
    assert (seen["faceedge_camera_ok{camera=entry}"], seen["faceedge_camera_ok{camera=yard}"]) == (1, 0)
    assert seen["faceedge_pressure_ratio{}"] == 0.7
    assert not any(name.startswith(("faceedge_temperature", "faceedge_governor_step")) for name in seen)


def test_the_first_refusal_of_a_door_is_a_step_from_zero() -> None:
    metrics, counters = Metrics(), {"frames_passed": 3}
    metrics.sources = Sources(lambda: counters)
    assert samples(metrics)["faceedge_grants_total{verdict=refused}"] == 0
    counters["grant_refused"] = 1
    assert samples(metrics)["faceedge_grants_total{verdict=refused}"] == 1
    assert samples(metrics)["faceedge_decisions_total{outcome=review}"] == 0


def test_the_next_daemon_begins_at_zero_and_the_registry_of_the_process_stays_empty_of_us() -> None:
    before = {family.name for family in REGISTRY.collect()}
    first = Metrics()
    first.waited("frames", 1.0)
    assert not any("queue_wait" in name for name in samples(Metrics()))
    assert {family.name for family in REGISTRY.collect()} == before


def test_the_process_itself_is_measured_and_no_series_of_creation_times_is_made() -> None:
    metrics = Metrics()
    metrics.waited("frames", 1.0)
    seen = samples(metrics)
    assert seen["process_resident_memory_bytes{}"] > 1e6
    assert not any("_created" in name for name in seen)


def test_labels_are_names_of_parts_and_outcomes_only() -> None:
    labels = {label for *_, names in COUNTED for label in names} | {
        label for _, names in ASKED.values() for label in names
    }
    assert labels == {
        "queue", "fate", "place", "reason", "outcome", "verdict", "thread", "direction", "step", "what", "camera",
        "door", "controller", "state", "version",
    }  # fmt: skip

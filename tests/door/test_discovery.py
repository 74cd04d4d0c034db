"""What Home Assistant is told: which entities, under which ids, and never one that could open."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from faceedge.config import NAME
from faceedge.door.contract import DoorState
from faceedge.door.discovery import DOOR_STATES, Facts, discovery, is_discovery_topic
from tests.examples.discovery_schema import DISCOVERY

FACTS = Facts("dev", "1.2.3", {"main": ["inner", "outer"], "side": ["one"]}, ["entry", "yard"])
LONGEST = "a" * 32
# What was ever given out must stay: Home Assistant hangs names, rooms and histories of its users on these.
UNIQUE_IDS = {
    "binary_sensor": [
        "health", "journal", "plain_text", "lockdown", "second_factor", "capture", "outbox", "camera_entry",
        "camera_yard", "liveness_main", "answering_main_AT_inner", "answering_main_AT_outer", "liveness_side",
        "answering_side_AT_one",
    ],
    "button": ["refresh"],
    "event": ["decision"],
    "sensor": [
        "events_waiting", "ignored", "quality_entry", "quality_yard", "door_main_AT_inner",
        "door_main_AT_outer", "door_side_AT_one",
    ],
}  # fmt: skip


def configs(facts: Facts = FACTS) -> dict[str, dict[str, Any]]:
    """By component and key."""
    found = {}
    for topic, payload in discovery(facts).items():
        _, component, _, key, _ = topic.split("/")
        found[f"{component}.{key.removeprefix('faceedge_')}"] = json.loads(payload)
    return found


def test_every_payload_has_only_keys_that_home_assistant_knows_for_its_component() -> None:
    for topic, payload in discovery(FACTS).items():
        DISCOVERY[topic.split("/")[1]].model_validate_json(payload)


def test_there_is_never_a_lock_nor_anything_else_that_could_be_told_to_open() -> None:
    components = {topic.split("/")[1] for topic in discovery(FACTS)}
    assert components == {"binary_sensor", "button", "event", "sensor"}
    commands = [config["command_topic"] for config in configs().values() if "command_topic" in config]
    assert commands == ["~/button/refresh"]
    assert not any(config.get("device_class") in ("lock", "door", "garage_door") for config in configs().values())


def test_ids_are_those_that_were_ever_given_out() -> None:
    assert {config["unique_id"] for config in configs().values()} == {
        f"faceedge.dev.{key}" for keys in UNIQUE_IDS.values() for key in keys
    }
    assert set(configs()) == {f"{component}.{key}" for component, keys in UNIQUE_IDS.items() for key in keys}


def test_a_new_version_changes_no_topic_and_no_id() -> None:
    later = Facts("dev", "2.0.0", FACTS.doors, FACTS.cameras)
    assert discovery(later).keys() == discovery(FACTS).keys()
    assert discovery(later) != discovery(FACTS)
    assert {c["unique_id"] for c in configs(later).values()} == {c["unique_id"] for c in configs().values()}


def test_the_same_facts_give_the_same_bytes() -> None:
    assert discovery(FACTS) == discovery(Facts("dev", "1.2.3", dict(FACTS.doors), list(FACTS.cameras)))


def test_doors_whose_names_run_into_each_other_stay_apart() -> None:
    doors = {"a": ["b_c", "b"], "a_b": ["c"], "a_at_b": ["c"], "a-b": ["c"]}
    found = configs(Facts("dev", "1", doors, ["a", "a_b"]))
    assert len(found) == len(discovery(Facts("dev", "1", doors, ["a", "a_b"])))
    assert len({config["unique_id"] for config in found.values()}) == len(found)


@settings(max_examples=60, deadline=None)
@given(
    doors=st.dictionaries(st.from_regex(NAME, fullmatch=True), st.lists(st.from_regex(NAME, fullmatch=True)
                          , unique=True, max_size=3), max_size=3),
    cameras=st.lists(st.from_regex(NAME, fullmatch=True), unique=True, max_size=3),
)  # fmt: skip
def test_any_names_give_one_topic_an_entity_that_home_assistant_accepts(
    doors: dict[str, list[str]], cameras: list[str]
) -> None:
    topics = discovery(Facts("dev", "1", doors, cameras))
    assert len(topics) == 11 + 2 * len(cameras) + sum(1 + 2 * len(controllers) for controllers in doors.values())
    assert all(is_discovery_topic(topic) for topic in topics)
    assert all(re.fullmatch(r"\w+/\w+/[\w-]+/[\w-]+/config", topic, re.ASCII) for topic in topics)


def test_the_longest_names_still_give_small_messages() -> None:
    longest = discovery(Facts(LONGEST, "10.20.30", {LONGEST: [LONGEST]}, [LONGEST]))
    assert max(map(len, longest.values())) < 1280
    assert max(map(len, discovery(FACTS).values())) < 900


def test_all_entities_belong_to_one_device_and_go_with_its_availability() -> None:
    for config in configs().values():
        assert config["~"] == "faceedge/dev"
        assert config["availability_topic"] == "~/availability"
        assert config["device"]["identifiers"] == ["faceedge.dev"]
        assert config["device"]["sw_version"] == config["origin"]["sw_version"] == "1.2.3"


def test_what_is_read_from_the_state_is_gone_a_minute_after_the_last_state() -> None:
    for config in configs().values():
        assert config.get("expire_after") == (60 if config.get("state_topic") == "~/state" else None)


def test_nothing_but_state_and_decision_is_read() -> None:
    topics = {config.get("state_topic") for config in configs().values()} - {None}
    assert topics == {"~/state", "~/decision"}


def test_a_prefix_of_its_own_is_used_for_every_topic() -> None:
    assert all(topic.startswith("ha2/") for topic in discovery(Facts("dev", "1", root="ha2")))


def test_the_door_states_are_those_of_the_contract() -> None:
    assert set(DOOR_STATES) == set(DoorState.__args__)

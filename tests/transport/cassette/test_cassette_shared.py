"""What the CLI says again and again stands once in the file, and comes back whole."""

from __future__ import annotations

import json

import pytest

from pytest_mala.transport.cassette.shared import Pool, unfold

DATA = {"tools": ["Bash", "Edit"], "model": "m", "flag": True, "count": 1}


def init(number: int, **more: object) -> dict:
    return {"type": "system", "subtype": "init", "uuid": f"u{number}", "session_id": "s", **DATA, **more}


def answer(**more: object) -> dict:
    payload = {"commands": [], "models": [], **more}
    return {"type": "control_response", "response": {"subtype": "success", "request_id": "r", "response": payload}}


def whole_again(pool: Pool, item: dict) -> dict:
    return unfold(item, pool.payloads[item["shared"]]) if "shared" in item else item


def test_the_second_init_frame_is_only_what_is_its_own() -> None:
    pool = Pool()
    first, second = pool.fold({"cli": init(1)}), pool.fold({"trailing": init(2)})
    assert first == {"cli": {"type": "system", "subtype": "init", "uuid": "u1", "session_id": "s"}, "shared": "init-1"}
    assert second["shared"] == "init-1"
    assert pool.payloads == {"init-1": DATA}
    assert whole_again(pool, first) == {"cli": init(1)}
    assert whole_again(pool, second) == {"trailing": init(2)}


def test_a_payload_that_differs_a_little_holds_the_difference() -> None:
    pool = Pool()
    items = [{"cli": answer()}, {"cli": answer(models=["x"])}, {"cli": answer(models=["x"], more=1)}]
    folded = [pool.fold(item) for item in items]
    assert [item["shared"] for item in folded] == ["initialize-1"] * 3
    assert folded[2]["cli"]["response"]["response"] == {"models": ["x"], "more": 1}
    assert [whole_again(pool, item) for item in folded] == items


def test_a_payload_that_lacks_something_or_differs_much_is_a_new_one() -> None:
    pool = Pool()
    lacking = {key: value for key, value in init(2).items() if key != "model"}
    different = init(3, **{f"key{number}": number for number in range(9)})
    items = [{"cli": init(1)}, {"cli": lacking}, {"cli": different}]
    folded = [pool.fold(item) for item in items]
    assert [item["shared"] for item in folded] == ["init-1", "init-2", "init-3"]
    assert [whole_again(pool, item) for item in folded] == items


def test_one_and_true_are_different_payloads() -> None:
    pool = Pool()
    items = [{"cli": init(1)}, {"cli": init(2, flag=1, count=True)}, {"cli": init(3, count=1.0)}]
    restored = [whole_again(pool, item) for item in [pool.fold(item) for item in items]]
    assert json.dumps(restored, sort_keys=True) == json.dumps(items, sort_keys=True)


@pytest.mark.parametrize(
    "item",
    [
        {"sdk": init(1)},
        {"tree": "abc"},
        {"decision": "idle"},
        {"cli": {"type": "assistant"}},
        {"cli": {"type": "system", "subtype": "init", "uuid": "u"}},
        {"cli": {"type": "control_response", "response": {"subtype": "success", "response": {"mode": "x"}}}},
        {"cli": {"type": "control_response", "response": None}},
        {"cli": {"type": "control_response", "response": {"subtype": "error", "error": "no"}}},
    ],
)
def test_all_other_items_stay_as_they_are(item: dict) -> None:
    pool = Pool()
    assert pool.fold(item) is item
    assert pool.payloads == {}


@pytest.mark.parametrize(
    "item",
    [
        {"cli": {"type": "assistant"}, "shared": "x"},
        {"tree": "abc", "shared": "x"},
        {"sdk": {"type": "system"}, "shared": "x"},
        {"cli": {"type": "control_response", "response": 1}, "shared": "x"},
        {"cli": {"type": "control_response", "response": {"response": None}}, "shared": "x"},
    ],
)
def test_no_other_item_can_share(item: dict) -> None:
    with pytest.raises(
        ValueError, match=r"^only a system frame or an answer to a control request from the CLI can share"
    ):
        unfold(item, {})

"""When lines come onto a screen and when they leave it: audience/pacing.js in a real browser."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Route

from tests.processes import REPOSITORY

_PAGES = REPOSITORY / "services" / "captions" / "pages"
_SITE = "http://pages.test"
_RUN = (Path(__file__).parent / "pacing_run.js").read_text("utf-8")
_WORD_MS = 60_000 / 180
_SHORTEST_STAY_MS = 1500

Action = dict[str, Any]
Picture = dict[str, Any]
Play = Callable[..., Awaitable[list[Picture]]]


@pytest.fixture
async def play(chromium: Browser) -> AsyncIterator[Play]:
    """Plays actions through the module; gives a picture of the rows after each change."""
    context = await chromium.new_context()

    async def serve(route: Route) -> None:
        path = _PAGES / route.request.url.removeprefix(f"{_SITE}/")
        kind = "text/javascript" if path.suffix == ".js" else "text/html"
        await route.fulfill(body=path.read_bytes() if path.suffix else b"", content_type=kind)

    await context.route(f"{_SITE}/**", serve)
    page = await context.new_page()
    await page.goto(f"{_SITE}/")

    async def run(actions: list[Action], late_ms: float = 0, **options: object) -> list[Picture]:
        argument = {
            "module": f"{_SITE}/audience/pacing.js",
            "options": {"rowLimit": 3, **options},
            "actions": actions,
            "lateMs": late_ms,
        }
        pictures: list[Picture] = await page.evaluate(_RUN, argument)
        return pictures

    yield run
    await context.close()


def _lines(segment_id: int, words: list[int], mark: str = "") -> list[dict[str, Any]]:
    return [
        {"text": f"{segment_id}.{index}{mark}", "words": count} for index, count in enumerate(words)
    ]


def _take(at: float, segment_id: int, words: list[int], mark: str = "") -> Action:
    lines = _lines(segment_id, words, mark)
    is_corrected = bool(mark)
    return {"kind": "take", "at": at, "segmentId": segment_id, "lines": lines} | {
        "isCorrected": is_corrected
    }


def _texts(picture: Picture) -> list[str]:
    return [row["text"] for row in picture["rows"]]


def _came(pictures: list[Picture]) -> list[tuple[float, dict[str, Any]]]:
    """Each row when it was first seen."""
    seen: set[int] = set()
    come = []
    for picture in pictures:
        for row in picture["rows"]:
            if row["key"] not in seen:
                seen.add(row["key"])
                come.append((picture["now"], row))
    return come


def _speech(seed: int) -> list[Action]:
    """Segments of one to six lines, as fast as nobody speaks or with pauses between them."""
    chance = random.Random(seed)
    actions: list[Action] = []
    at = 0.0
    for segment_id in range(1, chance.randint(2, 60)):
        at += chance.choice([0, 50, 900, 4000, 30_000]) * chance.random()
        actions.append(
            _take(at, segment_id, [chance.randint(1, 9) for _ in range(chance.randint(1, 6))])
        )
    return actions


@pytest.mark.parametrize("row_limit", [1, 2, 3, 7])
async def test_any_speech_comes_whole_in_order_and_no_faster_than_it_can_be_read(
    play: Play, row_limit: int
) -> None:
    for seed in range(25):
        late_ms = [0, 0, 7, 400][seed % 4]
        actions = _speech(seed)
        pictures = await play(actions, late_ms, rowLimit=row_limit)
        come = _came(pictures)
        spoken = [line["text"] for action in actions for line in action["lines"]]
        assert [row["text"] for _, row in come] == spoken  # nothing dropped, doubled or moved
        _check_rate(come)
        _check_stays(pictures)
        _check_that_lines_only_roll(pictures, row_limit)
        assert not pictures[-1]["isBehind"]
        assert pictures[-1]["delayMs"] == 0


def _check_rate(come: list[tuple[float, dict[str, Any]]]) -> None:
    """In no 10 s come more words than 180 a minute make, but for those of one line."""
    for first, (begin, _) in enumerate(come):
        words = [row["words"] for now, row in come[first:] if now <= begin + 10_000]
        assert sum(words) <= 30 + words[-1] + 1e-6
        # Nor in any other time.
        before = 0
        for now, row in come[first:]:
            assert before * _WORD_MS <= now - begin + 1e-6
            before += row["words"]


def _check_stays(pictures: list[Picture]) -> None:
    """A line that left has stood as long as reading it takes, from when it had its words."""
    stood: dict[int, tuple[float, str]] = {}
    for picture in pictures:
        shown = {row["key"]: row for row in picture["rows"]}
        for key, (since, text) in list(stood.items()):
            if key in shown:
                continue
            words = int(text.split("/")[1])
            stay = max(words * _WORD_MS, _SHORTEST_STAY_MS)
            assert picture["cause"] == "advance"
            assert picture["now"] - since >= stay - 1e-6, text
            del stood[key]
        for key, row in shown.items():
            text = f"{row['text']}/{row['words']}"
            if stood.get(key, (0, ""))[1] != text:
                stood[key] = (picture["now"], text)


def _check_that_lines_only_roll(pictures: list[Picture], row_limit: int) -> None:
    """From picture to picture lines leave at the top and come at the bottom, one at a time."""
    before: list[tuple[int, str]] = []
    for picture in pictures:
        after = [(row["key"], row["text"]) for row in picture["rows"]]
        assert len(after) <= row_limit
        assert len([row for row in after if row not in before]) <= 1
        stayed = [row for row in before if row in after]
        assert stayed == after[: len(stayed)]
        assert stayed == before[len(before) - len(stayed) :]
        before = after


async def test_a_screen_that_joins_late_begins_with_the_newest_lines(play: Play) -> None:
    hour = [
        {"segmentId": number, "lines": _lines(number, [7, 7]) if number > 900 else []}
        for number in range(1, 1001)
    ]
    pictures = await play(
        [
            {"kind": "start", "at": 0, "segments": hour},
            _take(100, 1001, [5]),
            _take(120, 17, [4], "corrected"),  # long gone: nobody is shown it again
        ]
    )
    assert _texts(pictures[0]) == ["999.1", "1000.0", "1000.1"]
    assert _texts(pictures[-1]) == ["1000.0", "1000.1", "1001.0"]
    _check_stays(pictures)
    come = [(now, row["text"]) for now, row in _came(pictures)]
    assert come[-1][0] == pytest.approx(7 * _WORD_MS)


async def test_a_correction_takes_the_places_of_its_lines_and_is_read_anew(play: Play) -> None:
    pictures = await play(
        [
            _take(0, 1, [6, 6]),
            _take(10, 2, [6]),
            _take(10_000, 1, [8, 8], "*"),
            _take(10_010, 3, [3, 3, 3]),
        ]
    )
    corrected = next(picture for picture in pictures if "1.0*" in _texts(picture))
    assert corrected["now"] == 10_000
    assert _texts(corrected) == ["1.0*", "1.1*", "2.0"]
    assert [row["isCorrected"] for row in corrected["rows"]] == [True, True, False]
    before = pictures[pictures.index(corrected) - 1]
    assert [row["key"] for row in before["rows"]] == [row["key"] for row in corrected["rows"]]
    _check_stays(pictures)
    assert _texts(pictures[-1]) == ["3.0", "3.1", "3.2"]


async def test_a_correction_of_a_line_that_is_still_coming_goes_on_where_it_was(
    play: Play,
) -> None:
    pictures = await play([_take(0, 1, [6, 6]), _take(10, 2, [2]), _take(500, 1, [6, 7, 3], "*")])
    shown = [row["text"] for _, row in _came(pictures)]
    assert shown == ["1.0", "1.1*", "1.2*", "2.0"]
    assert "1.0*" in _texts(next(each for each in pictures if each["now"] == 500))


async def test_a_correction_that_needs_more_lines_than_it_has_comes_again_as_a_whole(
    play: Play,
) -> None:
    pictures = await play(
        [_take(0, 1, [2]), _take(10, 2, [2]), _take(9000, 1, [9, 9], "*")], rowLimit=4
    )
    corrected = next(each for each in pictures if each["cause"] == "take" and each["now"] == 9000)
    assert _texts(corrected) == ["", "2.0"]
    assert _texts(pictures[-1]) == ["", "2.0", "1.0*", "1.1*"]
    _check_rate(_came(pictures))


async def test_a_hidden_line_leaves_its_place_and_comes_back_to_it(play: Play) -> None:
    pictures = await play(
        [
            _take(0, 1, [2]),
            _take(1, 2, [2]),
            _take(2, 3, [2]),
            {"kind": "hide", "at": 5000, "segmentId": 2},
            _take(6000, 2, [2], "*"),
        ]
    )
    by_time = {each["now"]: _texts(each) for each in pictures}
    assert by_time[5000] == ["1.0", "", "3.0"]
    assert by_time[6000] == ["1.0", "2.0*", "3.0"]


async def test_a_line_that_was_hidden_before_it_came_comes_when_it_is_shown(play: Play) -> None:
    hide = {"kind": "hide", "at": 10, "segmentId": 2}
    hidden = await play([_take(0, 1, [5]), _take(1, 2, [5]), _take(2, 3, [5]), hide])
    assert [row["text"] for _, row in _came(hidden)] == ["1.0", "3.0"]
    shown = await play(
        [_take(0, 1, [5]), _take(1, 2, [5]), _take(2, 3, [5]), hide, _take(20, 2, [5])]
    )
    assert [row["text"] for _, row in _came(shown)] == ["1.0", "2.0", "3.0"]


async def test_a_reset_empties_everything_up_to_it_at_once(play: Play) -> None:
    pictures = await play(
        [
            _take(0, 1, [6, 6, 6, 6]),
            _take(1, 2, [4]),
            {"kind": "reset", "at": 2500, "segmentId": 1},
            _take(2600, 1, [6, 6, 6, 6], "*"),
        ]
    )
    reset = next(each for each in pictures if each["cause"] == "reset")
    assert _texts(reset) == []
    assert _texts(pictures[-1]) == ["2.0"]


async def test_a_late_translation_goes_before_those_that_wait_but_splits_none(play: Play) -> None:
    pictures = await play(
        [_take(0, 3, [6, 6, 6]), _take(1, 4, [3]), _take(2, 2, [3]), _take(3, 5, [3])]
    )
    assert [row["text"] for _, row in _came(pictures)] == [
        *("3.0", "3.1", "3.2"),
        *("2.0", "4.0", "5.0"),
    ]


async def test_a_silent_screen_is_emptied_after_the_last_words_and_never_before_they_were_read(
    play: Play,
) -> None:
    for clear_ms, words, touched_ms, expected in (
        (4000, 3, 0, 4000),
        (500, 9, 0, 9 * _WORD_MS),
        (4000, 3, 2500, 6500),
    ):
        pictures = await play(
            [_take(0, 1, [words]), {"kind": "touch", "at": touched_ms}], clearAfterMs=clear_ms
        )
        assert _texts(pictures[-1]) == []
        assert pictures[-1]["now"] == pytest.approx(expected)


async def test_speech_that_is_faster_for_long_waits_and_is_caught_up_in_a_pause(
    play: Play,
) -> None:
    # 240 words a minute for five minutes, eight words a line.
    actions = [_take(number * 2000.0, number + 1, [8]) for number in range(150)]
    pictures = await play(actions)
    last = next(each for each in pictures if each["now"] == actions[-1]["at"])
    # 1200 words were said in 300 s, and 900 could be read: 300 of them wait.
    assert last["delayMs"] == pytest.approx(300 * _WORD_MS, rel=0.05)
    _check_rate(_came(pictures))
    assert pictures[-1]["now"] == pytest.approx(149 * 8 * _WORD_MS)

"""Captions in OBS: `./glossa obs` between a real captions process and obs-websocket's protocol."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from cli.obs_connection import authentication
from glossa.gateway.v1 import gateway_pb2 as gateway
from tests.captions.conftest import StartCaptions, base, journal, start_captions
from tests.captions.upstream import ScriptedJournal, draft, dropped
from tests.cli.obs_studio import ObsStudio
from tests.cli.running_verb import RunningVerb, running_verb
from tests.processes import ServiceProcess, free_port_base
from tests.web.browser import settled

__all__ = ["base", "journal", "start_captions"]

TOKEN = "let-me-see-what-is-said"
BEGUN = ("captions go to OBS", "captions come from")


@pytest.fixture
async def obs() -> AsyncIterator[ObsStudio]:
    obs = ObsStudio(free_port_base())
    await obs.start()
    yield obs
    await obs.stop()
    assert obs.violations == []


def showing(
    obs: ObsStudio, captions: ServiceProcess, *options: str
) -> AbstractAsyncContextManager[RunningVerb]:
    arguments = ("--source", "Captions", "--language", "es", "--captions", captions.address)
    return running_verb("obs", "--address", obs.address, *arguments, *options)


async def shows(obs: ObsStudio, *lines: str) -> None:
    async def text() -> list[str]:
        return obs.text.splitlines()

    await settled(text, list(lines))


async def test_the_source_shows_the_newest_lines_as_operators_leave_them(
    journal: ScriptedJournal, start_captions: StartCaptions, obs: ObsStudio
) -> None:
    journal.start_session()
    journal.say(1, "before it came", "antes")
    captions = await start_captions()
    async with showing(obs, captions, "--clear-after", "0") as verb:
        await verb.until_said(*BEGUN)
        await shows(obs)  # neither what was left over nor what was said before
        journal.say(2, "grace", "gracia")
        journal.say(3, "peace", "paz\n y bien")
        await shows(obs, "gracia", "paz y bien")
        journal.say(4, "amen", "amén")
        await shows(obs, "paz y bien", "amén")
        journal.correct(4, "es", "Amén.")
        await shows(obs, "paz y bien", "Amén.")
        hidden = gateway.SegmentHidden(segment_id=3, is_hidden=True)
        journal.append("sunday", segment_hidden=hidden)
        await shows(obs, "Amén.")
        shown = gateway.SegmentHidden(segment_id=3, is_hidden=False)
        journal.append("sunday", segment_hidden=shown)
        await shows(obs, "paz y bien", "Amén.")
        announcement = "A blue car blocks the gate"
        journal.append("", screens=gateway.Screens(announcement=announcement))
        await shows(obs, announcement, "paz y bien", "Amén.")
        journal.append("", screens=gateway.Screens(announcement=announcement, is_blank=True))
        await shows(obs, announcement)
        journal.append("", screens=gateway.Screens(is_blank=True))
        await shows(obs)
        journal.append("", screens=gateway.Screens())
        await shows(obs, "paz y bien", "Amén.")
        journal.append("sunday", session_reset=gateway.SessionReset(segment_id=4))
        await shows(obs)
        journal.say(5, "anew", "de nuevo")
        await shows(obs, "de nuevo")
        assert await verb.interrupt() == 0
    await shows(obs)  # nobody is left to take the last line away
    assert obs.inputs["Captions"].settings["font"] == {"size": 48}
    assert obs.stream_captions == []


async def test_lines_go_when_nothing_follows_and_drafts_are_shown_where_they_are_wanted(
    journal: ScriptedJournal, start_captions: StartCaptions, obs: ObsStudio
) -> None:
    journal.start_session()
    captions = await start_captions()
    async with showing(obs, captions, "--clear-after", "0.5", "--partials", "--lines", "1") as verb:
        await verb.until_said(*BEGUN)
        journal.live(translation=draft(1, 2, "que la"))
        await shows(obs, "que la")
        journal.live(segment_dropped=dropped(1))
        await shows(obs)
        journal.say(2, "grace", "gracia")
        await shows(obs, "gracia")
        await shows(obs)


async def test_a_flood_of_captions_reaches_obs_ten_times_a_second_and_the_newest_wins(
    journal: ScriptedJournal, start_captions: StartCaptions, obs: ObsStudio
) -> None:
    journal.start_session()
    captions = await start_captions()
    async with showing(obs, captions, "--lines", "1", "--clear-after", "0") as verb:
        await verb.until_said(*BEGUN)
        for number in range(1, 61):
            journal.say(number, f"sentence {number}", f"frase {number}")
            await asyncio.sleep(0.01)
        await shows(obs, "frase 60")
    times = [at_s for at_s, _ in obs.texts]
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.09
    assert 3 <= len(times) < 30


async def test_captions_go_on_when_obs_or_the_captions_service_restarts(
    journal: ScriptedJournal, start_captions: StartCaptions, obs: ObsStudio
) -> None:
    journal.start_session()
    captions = await start_captions()
    async with showing(obs, captions, "--clear-after", "0", "--partials") as verb:
        await verb.until_said(*BEGUN)
        journal.say(1, "one", "uno")
        await shows(obs, "uno")
        await obs.stop()
        journal.say(2, "two", "dos")
        await verb.until_said("no OBS answers")
        await obs.start()
        await verb.until_said("captions go to OBS")
        await shows(obs, "uno", "dos")
        journal.live(translation=draft(3, 2, "que nadie terminará"))
        await shows(obs, "dos", "que nadie terminará")
        captions.kill()
        await shows(obs, "dos")
        await verb.until_said("no captions service answers")
        journal.say(3, "three", "tres")
        captions.start()
        await verb.until_said("captions come from")
        await shows(obs, "dos", "tres")
        obs.inputs["Captions"].settings["text"] = "of another collection of scenes"
        await shows(obs, "dos", "tres")
        assert await verb.interrupt() == 0
    assert sum("no OBS answers" in line for line in verb.said) == 1


async def test_each_final_is_once_a_closed_caption_of_a_stream_that_is_on(
    journal: ScriptedJournal, start_captions: StartCaptions, obs: ObsStudio
) -> None:
    journal.start_session()
    captions = await start_captions()
    obs.is_streaming = False
    async with showing(obs, captions, "--stream-captions") as verb:
        await verb.until_said(*BEGUN)
        journal.say(1, "not streamed", "sin emisión")
        await shows(obs, "sin emisión")
        obs.is_streaming = True
        journal.say(2, "grace", "gracia")
        await shows(obs, "sin emisión", "gracia")
        journal.correct(2, "es", "Gracia.")
        await shows(obs, "sin emisión", "Gracia.")
        journal.say(3, "peace", "paz")
        await shows(obs, "Gracia.", "paz")
        assert await verb.interrupt() == 0
    assert obs.stream_captions == ["gracia", "paz"]
    assert len(verb.said) == len(BEGUN)


WRONG: list[tuple[Callable[[int], ObsStudio], tuple[str, ...], str]] = [
    (lambda port: ObsStudio(port, "secreto"), (), "--password-file"),
    (lambda port: ObsStudio(port, "secreto"), ("--password-file", "wrong"), "refuses the password"),
    (
        lambda port: ObsStudio(port, "secreto"),
        ("--password-file", "right", "--source", "Subtitles"),
        "no source 'Subtitles'; name one of its text sources with --source: 'Captions', 'Título'",
    ),
    (ObsStudio, ("--source", "Slides"), "'Slides' is not a text but a browser_source"),
    (lambda port: ObsStudio(port, rpc_version=None), (), "OBS 28 and newer"),
    (lambda port: ObsStudio(port, rpc_version=0), (), "OBS 28 and newer"),
    (lambda port: ObsStudio(port, rpc_version=2), (), "OBS 28 and newer"),
]


@pytest.mark.parametrize(("make", "options", "message"), WRONG)
async def test_what_a_person_has_to_put_right_ends_it_with_what_to_do(
    tmp_path: Path, make: Callable[[int], ObsStudio], options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "wrong").write_text("secret\n", encoding="utf-8")
    (tmp_path / "right").write_text("secreto\r\n", encoding="utf-8")
    obs = make(free_port_base())
    await obs.start()
    given = [str(tmp_path / each) if (tmp_path / each).is_file() else each for each in options]
    arguments = ("--source", "Captions", "--language", "es", *given)
    try:
        async with running_verb("obs", "--address", obs.address, *arguments) as verb:
            assert await verb.ended() in (1, 2)
    finally:
        await obs.stop()
    assert message in verb.said[-1]
    assert obs.violations == []
    assert "secret" not in "".join(verb.said)


async def test_obs_may_come_later_and_who_is_disconnected_there_stays_away() -> None:
    obs = ObsStudio(free_port_base())
    arguments = ("--source", "Captions", "--language", "es")
    async with running_verb("obs", "--address", obs.address, *arguments) as verb:
        await verb.until_said("start it and enable its server")
        await obs.start()
        await verb.until_said("captions go to OBS")
        await shows(obs)  # the first text has arrived: nothing is under way
        await obs.disconnect(4011)
        assert await verb.ended() == 1
    await obs.stop()
    assert "somebody disconnected these captions in OBS" in verb.said[-1]


async def test_what_captions_refuses_for_good_ends_it_with_the_reason(
    journal: ScriptedJournal, start_captions: StartCaptions, obs: ObsStudio
) -> None:
    captions = await start_captions(view_token=TOKEN)
    async with showing(obs, captions) as verb:
        assert await verb.ended() == 1
    assert "(TOKEN_WANTED)" in verb.said[-1]
    async with showing(obs, captions, "--session", "nowhere", "--token", TOKEN) as verb:
        assert await verb.ended() == 1
    assert "(UNKNOWN_SESSION)" in verb.said[-1]
    assert "Traceback" not in "".join(verb.said)


def test_the_proof_of_the_password_is_the_one_that_the_protocol_describes() -> None:
    # The document's example, reckoned by other means:
    # secret=$(printf %s "$password$salt" | openssl dgst -sha256 -binary | base64)
    # printf %s "$secret$challenge" | openssl dgst -sha256 -binary | base64
    assert (
        authentication(
            "supersecretpassword",
            "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=",
            "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=",
        )
        == "1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4="
    )

"""A display that does not keep up: it is cut, it resumes, and nobody else notices."""

from __future__ import annotations

import grpc

from services.errors import reason_of
from tests.captions.conftest import StartCaptions
from tests.captions.counters import until_counted
from tests.captions.displays import subscribed
from tests.captions.upstream import ScriptedJournal, final, partial

_CUTS = 'glossa_captions_cuts_total{reason="SLOW_CONSUMER"}'
_FINALS = 400
_LONG = "palabra " * 250  # 2 kB: four hundred of them are more than the buffers on the way hold


async def test_a_stalled_display_is_cut_and_resumes_without_loss_while_others_get_all(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions(write_timeout_s=0.5, viewer_queue_events=5000)
    async with (
        subscribed(captions.address) as stalled,
        subscribed(captions.address) as other,
    ):
        await stalled.until_caught_up()
        await other.until_caught_up()
        sent = [
            journal.append("sunday", transcript=final(n, f"{n} {_LONG}"))
            for n in range(1, _FINALS + 1)
        ]
        await other.until_sequence(sent[-1])
        assert other.sequences[1:] == sent
        await until_counted(captions.http_address, _CUTS)
        assert reason_of(await stalled.failure()) == "SLOW_CONSUMER"
        assert 0 < len(stalled.sequences) < _FINALS
    async with subscribed(captions.address, after_sequence=stalled.sequences[-1]) as resumed:
        await resumed.until_sequence(sent[-1])
    assert stalled.sequences[1:] + resumed.sequences == sent


async def test_a_display_with_too_many_finals_waiting_is_cut_and_resumes_without_loss(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions(viewer_queue_events=20, write_timeout_s=300)
    async with subscribed(captions.address) as stalled:
        await stalled.until_caught_up()
        sent = [
            journal.append("sunday", transcript=final(n, f"{n} {_LONG}"))
            for n in range(1, _FINALS + 1)
        ]
        await until_counted(captions.http_address, _CUTS)
        assert reason_of(await stalled.failure()) == "SLOW_CONSUMER"
    got, reasons = stalled.sequences, []
    while got[-1] < sent[-1]:
        async with subscribed(captions.address, after_sequence=got[-1]) as resumed:
            try:
                await resumed.until_sequence(sent[-1])
            except grpc.aio.AioRpcError as error:  # the burst may not be over yet
                reasons.append(reason_of(error))
            got = got + resumed.sequences
    assert got[1:] == sent
    assert set(reasons) <= {"SLOW_CONSUMER"}


async def test_partials_give_way_to_newer_ones_and_finals_stay(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions(viewer_queue_events=50)
    async with subscribed(captions.address) as display:
        await display.until_caught_up()
        for revision in range(1, 600):
            journal.live(transcript=partial(1, revision, f"{revision} {_LONG}", ""))
        await until_counted(captions.http_address, "glossa_captions_partials_skipped_total")
        last = journal.append("sunday", transcript=final(1, "the end"))
        await display.until_sequence(last)
    revisions = [event.caption.revision for event in display.events if not event.sequence]
    assert revisions == sorted(revisions)
    assert len(revisions) < 600
    assert display.texts[-1] == "the end"

"""`./glossa queue forget`: deletes a session everywhere, and shows that it is gone."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.collector_client import collector_option
from cli.counted import counted
from cli.options import json_option
from cli.question import answer_to

if TYPE_CHECKING:
    from cli.session_deletion import Addresses, Known

_ERASED_TIMEOUT_S = 180.0  # the collector has Redis rewrite its file within half a minute
_ERASED_POLL_S = 1.0
_NO_SOUND = (
    "the sound could not be searched for: what was said is silent or too short, or other sessions "
    "have the same recording"
)


@dataclass(frozen=True)
class Place:
    """One place that held the session.

    Args:
        removed: what went, in its own unit.
        found: files with traces, or rows, that are still there; None: nobody could look.
        note: what to do, or why nobody could look.
    """

    name: str
    removed: str
    found: int | None
    note: str = ""


@click.command()
@click.argument("session")
@collector_option
@click.option("--gateway", metavar="HOST:PORT", help="Gateway.  [default: the running stack's]")
@click.option("--captions", metavar="HOST:PORT", help="Captions.  [default: the running stack's]")
@click.option(
    "--datasets",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of datasets.  [default: GLOSSA_DATASETS_DIR, var/datasets]",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def forget(
    session: str,
    collector: str | None,
    gateway: str | None,
    captions: str | None,
    datasets: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete SESSION everywhere, and show that it is gone.

    SESSION is its id, or `last`. Its texts, audio, pairs, decisions, and rows in datasets and in
    what training made of them: nothing can bring them back. A model that learned from it stays as
    it is. Afterwards the raw bytes of the stack's files are searched for what was said. Exit status
    1 means that something is still there. Backups are yours to delete.

    \b
    ./glossa queue forget 20261122-100214-5f0c33ab
    ./glossa queue forget last
    """
    from cli.datasets_folder import datasets_dir
    from cli.session_deletion import Addresses
    from cli.session_list import last_session
    from cli.signals import result_until_signalled, run_until_signalled
    from cli.stack import address_of, running_stack

    description = running_stack() or {}
    addresses = Addresses(
        gateway or address_of("gateway"),
        captions or address_of("captions"),
        collector or address_of("collector"),
    )
    is_own = addresses.gateway == description.get("addresses", {}).get("gateway")
    state_dir = Path(description["state_dir"]) if is_own else None
    folder = datasets.resolve() if datasets is not None else datasets_dir()
    if session == "last":
        session = result_until_signalled(last_session(addresses.gateway), signalled_status=130)
    known = result_until_signalled(_look(session, addresses, state_dir), signalled_status=130)
    if not yes and not _confirmed(known):  # with no loop around it, so that Ctrl-C ends it at once
        _say("nothing was deleted")
        raise SystemExit(1)
    run_until_signalled(_forget(known, addresses, state_dir, folder, as_json), signalled_status=130)


async def _look(session_id: str, addresses: Addresses, state_dir: Path | None) -> Known:
    import asyncio

    from cli.session_deletion import SessionDeletion

    _say("reading what there is of it")
    async with SessionDeletion(addresses) as deletion:
        known = await deletion.look(session_id)
    if state_dir is None:
        return known
    return await asyncio.to_thread(without_repeated_sound, known, state_dir)


async def _forget(
    known: Known, addresses: Addresses, state_dir: Path | None, datasets: Path, as_json: bool
) -> int:
    import asyncio

    from cli.session_deletion import SessionDeletion
    from cli.stack import DEFAULT_STATE_DIR
    from cli.training_erasure import forget_in_training
    from services.collector.snapshot import forget_session
    from services.errors import WrongState

    session_id = known.session_id
    async with SessionDeletion(addresses) as deletion:
        begun_at = time.time()
        _say("the gateway deletes it")
        answer = await deletion.forget(session_id)
        places = [
            Place("journal", counted(answer.event_count, "event"), answer.remaining_row_count),
            Place(
                "audio", f"{answer.audio_bytes / 1e6:.1f} MB", int(answer.remaining_audio_bytes > 0)
            ),
        ]
        _say("waiting for captions")
        wrong = await deletion.captions_followed(session_id)
        places.append(Place("captions", "shown no more", None if wrong else 0, wrong))
        _say("waiting for the collector")
        wrong = await deletion.collector_followed(session_id, answer.sequence)
        places.append(
            Place("queues", counted(known.pair_count, "pair"), None if wrong else 0, wrong)
        )
    _say(f"looking through {datasets}")
    try:
        row_count = await asyncio.to_thread(forget_session, datasets, session_id)
        left = await asyncio.to_thread(_files_left, known, datasets, ())
        places.append(Place("datasets", counted(row_count, "row"), len(left), _named(left)))
    except WrongState as error:  # gone from all that could be changed; the other places follow
        places.append(Place("datasets", "", None, error.message))
    _say("looking through mixes, evaluations and cycles")
    folders = dict.fromkeys([state_dir or DEFAULT_STATE_DIR, DEFAULT_STATE_DIR])
    erased = await asyncio.to_thread(forget_in_training, session_id, folders)
    rows = counted(erased.row_count, "row")
    places.append(Place("training", rows, erased.busy_count, erased.note))
    places.append(await _search(known, state_dir, datasets, begun_at))
    _show(known, places, as_json)
    return 0 if all(place.found == 0 for place in places if not _is_out_of_reach(place)) else 1


def _confirmed(known: Known) -> bool:
    """Asks whether this is the session that is meant; one that was forgotten needs no word."""
    if known.start_time is None:
        _say(f"session {known.session_id} was deleted before; looking again")
        return True
    audio = "its audio is kept" if known.has_audio else "no audio of it is kept"
    click.echo(
        f"{known.title or 'Untitled'}, {known.start_time:%Y-%m-%d %H:%M} UTC: "
        f"{counted(known.final_count, 'final')}, {counted(known.pair_count, 'pair')}; {audio}.",
        err=True,
    )
    while True:
        answer = answer_to("Delete it everywhere, for ever? [y/N]")
        if answer is None and sys.stdin.isatty():  # Ctrl-C, or Ctrl-D
            click.echo(err=True)
            return False
        if answer is None:
            raise click.UsageError("nobody is there to say yes: give --yes to delete it")
        if answer.lower() in ("y", "yes"):
            return True
        if answer.lower() in ("", "n", "no"):
            return False
        _say("type y to delete it, or n to keep it")


def without_repeated_sound(known: Known, state_dir: Path) -> Known:
    """Without the sound that other sessions hold, too: one recording may be fed twice."""
    from cli.traces import found_in

    folder = state_dir / "gateway" / "audio"
    others = [path for path in folder.glob("*.s16le") if path.stem != known.session_id]
    is_repeated = bool(known.sound) and bool(found_in([known.sound], others))
    return replace(known, sound=b"") if is_repeated else known


def _files_left(known: Known, folder: Path, left_out: tuple[Path, ...]) -> list[Path]:
    from cli.traces import files_with

    return files_with(known.needles, folder, left_out) if folder.is_dir() else []


async def _search(known: Known, state_dir: Path | None, datasets: Path, begun_at: float) -> Place:
    """Searches the stack's files until nothing is found: Redis rewrites its own a little later."""
    import asyncio
    import os

    from cli.stack import models_dir_of

    name = "files"
    if state_dir is None:
        return Place(
            name, "", None, "the services run elsewhere: their files could not be looked into"
        )
    if not known.needles:
        why = "all that was said in it was said in other sessions, too, or was too short"
        if known.start_time is None:
            why = "what was said in it is not known any more"
        return Place(name, "", None, f"there was nothing to search for: {why}")
    left_out = (models_dir_of(os.environ), datasets)
    give_up_at = time.monotonic() + _ERASED_TIMEOUT_S
    _say(f"searching {state_dir}")
    told = False
    while True:
        left = await asyncio.to_thread(_files_left, known, state_dir, left_out)
        if known.pair_count:
            left += _old_redis_files(state_dir, begun_at)
        if not left or time.monotonic() > give_up_at:
            searched = f"{counted(len(known.needles), 'trace')} searched for"
            has_silent_sound = known.has_audio and not known.sound
            return Place(
                name,
                searched + (", none of the sound" if has_silent_sound else ""),
                len(left),
                "; ".join(filter(None, [_named(left), _NO_SOUND if has_silent_sound else ""])),
            )
        if not told:
            told = True
            _say(f"waiting until it is out of {_named(left)}")
        await asyncio.sleep(_ERASED_POLL_S)


def _old_redis_files(state_dir: Path, begun_at: float) -> list[Path]:
    """Redis's compressed files of before the deletion: a text in them would not be found."""
    return [
        path
        for path in sorted((state_dir / "redis").rglob("*.rdb"))
        if path.stat().st_mtime < begun_at
    ]


def _named(paths: list[Path]) -> str:
    return ", ".join(str(path) for path in paths)


def _is_out_of_reach(place: Place) -> bool:
    return place.name == "files" and place.found is None


def _show(known: Known, places: list[Place], as_json: bool) -> None:
    if as_json:
        import json

        outcome = {"session_id": known.session_id, "places": [asdict(place) for place in places]}
        click.echo(json.dumps(outcome, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Session {known.session_id}", title_justify="left")
    table.add_column("place")
    table.add_column("removed", justify="right")
    table.add_column("still found", justify="right")
    for place in places:
        table.add_row(place.name, place.removed, "?" if place.found is None else str(place.found))
    console = Console()
    console.print(table)
    for place in places:
        if place.note:
            console.print(f"{place.name}: {place.note}", markup=False, soft_wrap=True)
    console.print(
        "Its id stays in the journal, in the event that says that it was deleted, and in logs.",
        style="dim",
    )


def _say(line: str) -> None:
    click.echo(f"glossa: {line}", err=True)

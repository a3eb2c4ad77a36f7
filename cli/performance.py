"""What `demo` performs: a stack of its own, one session, a summary."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cli import stack
from cli.caption_screen import CaptionScreen
from cli.client import SessionRequest
from cli.feed import describe
from cli.media import AudioFile
from cli.report import shares
from cli.screen import StackScreen
from cli.signals import on_signal
from cli.spoken import SAMPLE_TEXT, speak
from cli.supervisor import Supervisor
from cli.trial import Outcome, Trial, normalised, percentiles_ms, read_engines, word_error_rate
from services.errors import InvalidInput, Unavailable, WrongState
from services.settings import PORT_BASE

_STATE_DIRS = 9  # demos side by side


@dataclass(frozen=True)
class Performance:
    """A demo as it was asked for."""

    source: str | None
    profile: str
    request: SessionRequest
    speed: float
    reference: Path | None
    state_dir: Path | None
    port_base: int | None
    keep: bool
    as_json: bool

    async def run(self) -> int:
        """Returns the exit status: 1 when anything was lost."""
        screen = StackScreen()
        reference = _read_reference(self.reference)
        if self.source is not None:  # a bad file is told before anything is started
            AudioFile(self.source).close()
        plan = self._plan(screen)
        supervisor = Supervisor(plan, screen.report)
        source = self.source
        if source is None:
            sample_path = plan.state_dir / "sample.wav"
            screen.report("flite speaks the sample sermon ...")
            await speak(SAMPLE_TEXT.read_text(encoding="utf-8"), sample_path)
            source = str(sample_path)
        async with supervisor.running():
            screen.report(f"page: {plan.page_url}")
            outcome, engines = await self._perform(plan, source, screen)
            report = _report(plan.profile, engines, outcome, reference)
            if not self.as_json:
                _print_summary(report, outcome, plan.page_url)
            for line in outcome.lost:
                screen.report(f"lost: {line}")
            if self.keep:
                screen.report(f"still running: {plan.page_url}  (Ctrl-C stops everything)")
                stopping = asyncio.Event()
                with on_signal(stopping.set):
                    await stopping.wait()
        if self.as_json:
            sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
        return 1 if outcome.lost else 0

    def _plan(self, screen: StackScreen) -> stack.StackPlan:
        state_dir = self.state_dir or _free_state_dir(screen)
        base = self.port_base
        if base is None:
            base = stack.free_port_base(PORT_BASE)
            if base != PORT_BASE:
                screen.report(f"ports from {PORT_BASE} on are taken; using those from {base} on")
        return stack.plan(self.profile, state_dir, base)

    async def _perform(
        self, plan: stack.StackPlan, source: str, screen: StackScreen
    ) -> tuple[Outcome, dict[str, str]]:
        addresses = {name: plan.address(name) for name in plan.services}
        engines = await read_engines(addresses)
        console = Console(stderr=self.as_json, highlight=False, soft_wrap=True)
        with CaptionScreen(console) as captions:
            say = captions.note
            audio = AudioFile(source, lambda line: say(f"warning: {line}"))
            trial = Trial(
                addresses,
                self.request,
                speed=self.speed,
                show=captions.show,
                on_event=lambda event: say(describe(event)),
            )
            return await trial.run(audio.chunks()), engines


def _free_state_dir(screen: StackScreen) -> Path:
    """var/demo, or its neighbour when another demo runs there."""
    for number in range(1, _STATE_DIRS + 1):
        name = stack.DEMO_STATE_DIR.name + (f"-{number}" if number > 1 else "")
        folder = stack.DEMO_STATE_DIR.with_name(name)
        try:
            with stack.sole_use(folder):
                if number > 1:
                    screen.report(f"another demo is running; using {folder}")
                return folder
        except WrongState:
            continue
    raise Unavailable("TOO_MANY_DEMOS", f"{_STATE_DIRS} demos are running; stop one first")


def _read_reference(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("BAD_REFERENCE", f"cannot read {path}: {error}") from error
    if not normalised(text):
        raise InvalidInput("BAD_REFERENCE", f"{path} holds no words")
    return text


def _report(
    profile: str, engines: dict[str, str], outcome: Outcome, reference: str | None
) -> dict[str, Any]:
    """What `--json` prints."""
    ledger = outcome.ledger
    report: dict[str, Any] = {
        "profile": profile,
        "engines": engines,
        "session_id": outcome.session_id,
        "audio_s": round(outcome.audio_s, 2),
        "finals": len(ledger.finals),
        "translated": len(ledger.translated),
        "translated_by": dict(Counter(ledger.models.values()).most_common()),
        "journal_events": ledger.event_count,
        "pairs": outcome.collected.pairs,
        "lag_ms": percentiles_ms(outcome.lags_ms),
        "overhead_ms": percentiles_ms(outcome.overheads_ms),
    }
    if reference is not None:
        spoken = " ".join(text for _, text in sorted(ledger.finals.items()))
        report["wer"] = word_error_rate(reference, spoken)
    return report


def _print_summary(report: dict[str, Any], outcome: Outcome, page_url: str) -> None:
    def spread(values: dict[str, float | None]) -> str:
        if values["p50"] is None:
            return "-"
        return f"p50 {values['p50']:.0f}, p95 {values['p95']:.0f}"

    table = Table(title="Summary", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    table.add_row("session", report["session_id"])
    table.add_row("engines", ", ".join(f"{key} {name}" for key, name in report["engines"].items()))
    table.add_row("audio", f"{report['audio_s']:.1f} s")
    table.add_row("finals", f"{report['finals']}, {report['translated']} translations")
    table.add_row("translated by", shares(report["translated_by"]))
    table.add_row("pairs", ", ".join(f"{band} {n}" for band, n in report["pairs"].items()))
    table.add_row("lag (ms)", spread(report["lag_ms"]))
    table.add_row("overhead (ms)", spread(report["overhead_ms"]))
    if "wer" in report:
        table.add_row("word error rate", f"{report['wer']:.1%}")
    table.add_row("journal", f"{report['journal_events']} events")
    table.add_row("page", page_url)
    table.add_row("lost", "[red]see below" if outcome.lost else "[green]nothing")
    Console(highlight=False).print(table)

"""`./glossa bench <name>`: each measurement is a module of bench/."""

from __future__ import annotations

import click

from cli.verbs import LazyGroup, Verb

BENCHES = {
    "live": Verb("bench.live", "command", "Overhead of live captions for 1 and 8 sessions."),
    "stt": Verb("bench.stt", "command", "One or more recognisers: RTF, latency, WER, memory."),
    "mt": Verb("bench.mt", "command", "One or more translation runtimes: latency, tok/s, memory."),
    "qe": Verb("bench.qe", "command", "One or more quality engines: ms a pair, pairs/s, memory."),
    "stream": Verb("bench.stream", "command", "A stack on recordings: latency, flicker, logs."),
    "collector": Verb("bench.collector", "command", "Pairs a second into Redis, outages too."),
    "captions": Verb("bench.captions", "command", "Many displays at once, beside a naive server."),
    "soak": Verb("bench.soak", "command", "Memory and losses over hours of audio."),
}


@click.group(cls=LazyGroup, verbs=BENCHES)
def bench() -> None:
    """Measure. `--json` prints one JSON object as the last line of stdout."""

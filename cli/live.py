"""`./glossa live`: feeds a file, the microphone or a URL to a running stack."""

from __future__ import annotations

import click

from cli.options import source_language_option, target_language_option


@click.command()
@click.argument("sources", metavar="[FILE|URL]", nargs=-1)
@click.option("--mic", is_flag=True, help="Take the microphone.")
@click.option("--device", default="", help="Which one: its number, or part of its name.")
@click.option("--list-devices", is_flag=True, help="List the microphones and end.")
@click.option(
    "--gain",
    type=click.Choice(["auto", "off"]),
    help="auto: bring quiet speech up and loud speech down.  [default: auto for a microphone]",
)
@source_language_option
@target_language_option
@click.option("--title", default="", help="What people call this session.")
@click.option("--phrase", "phrases", multiple=True, help="A word or name to listen for.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Of a file: 1 in real time, 0 as fast as the gateway takes it.",
)
@click.option("--store-audio", is_flag=True, help="Keep the audio; needs the speaker's consent.")
@click.option("--gateway", "address", help="host:port  [default: the stack running here]")
def live(
    sources: tuple[str, ...],
    mic: bool,
    device: str,
    list_devices: bool,
    gain: str | None,
    source_language: str,
    target_languages: tuple[str, ...],
    title: str,
    phrases: tuple[str, ...],
    speed: float,
    store_audio: bool,
    address: str | None,
) -> None:
    """Feed a file, the microphone or a URL (rtsp://, http://) to a running stack.

    A microphone that is unplugged is waited for; what was said meanwhile is a gap in the journal.
    """
    if list_devices:
        _list_devices()
    mic = mic or bool(device)
    if len(sources) > 1:
        raise click.UsageError("one recording at a time: run it again for the next")
    source = sources[0] if sources else None
    if (source is None) == (not mic):
        raise click.UsageError("name a file or a URL, or give --mic")

    from cli.client import SessionRequest
    from cli.feed import Input, feed
    from cli.media import is_url
    from cli.signals import run_until_signalled
    from cli.stack import address_of

    request = SessionRequest(source_language, target_languages, title, phrases, store_audio)
    keeps_own_time = mic or (source is not None and is_url(source) and not _is_recording(source))
    given = Input(source, device, auto_gain=(gain or ("auto" if mic else "off")) == "auto")
    run_until_signalled(
        feed(given, address or address_of("gateway"), request, 0.0 if keeps_own_time else speed)
    )


def _list_devices() -> None:
    from cli.microphone import input_devices
    from cli.signals import run_until_signalled

    async def show() -> int:
        devices = input_devices()
        for found in devices:
            rate_hertz = int(found["default_samplerate"])
            click.echo(f"{found['index']:3}  {found['name']}  ({rate_hertz} Hz)")
        if not devices:
            click.echo("glossa: there is no input device; plug one in", err=True)
        return 0 if devices else 1

    run_until_signalled(show())


def _is_recording(url: str) -> bool:
    """Whether a URL names a file, which comes faster than it was spoken, and no live stream."""
    path = url.partition("?")[0].lower()
    return path.endswith((".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".mp4", ".webm"))

"""`./glossa captions`: follows captions in a terminal. The example of a display of one's own."""

from __future__ import annotations

import click


@click.command()
@click.option("--language", "languages", multiple=True, help="Only this one (BCP 47); repeatable.")
@click.option("--session", "session_id", default="", help="Only this session.")
@click.option("--after", "after_sequence", type=int, default=0, help="Last sequence already seen.")
@click.option("--finals-only", is_flag=True, help="Leave out text that may still change.")
@click.option(
    "--token",
    default="",
    envvar="GLOSSA_CAPTIONS_VIEW_TOKEN",
    help="Token, where one is wanted; better in GLOSSA_TOKEN or GLOSSA_CAPTIONS_VIEW_TOKEN.",
)
@click.option("--captions", "address", help="host:port  [default: the stack running here]")
def captions(
    languages: tuple[str, ...],
    session_id: str,
    after_sequence: int,
    finals_only: bool,
    token: str,
    address: str | None,
) -> None:
    """Follow the captions in this terminal: what may still change is dim, what is final is firm."""
    from cli.caption_screen import CaptionScreen
    from cli.client import CaptionSubscriber, Peer
    from cli.signals import run_until_signalled
    from cli.stack import address_of

    target = address or address_of("captions")

    peer = Peer("captions service", target, "--captions")

    async def follow() -> None:
        with CaptionScreen(languages=languages) as screen:
            told = ""

            def broken(reason: str) -> None:
                nonlocal told
                screen.lose_unstable()
                if reason != told:  # it is tried again and again
                    told = reason
                    screen.note(
                        peer.unanswered() + "; trying again"
                        if reason == "UNAVAILABLE"
                        else f"no captions from {target} now ({reason}); trying again"
                    )

            subscriber = CaptionSubscriber(
                target,
                session_id=session_id,
                languages=languages,
                after_sequence=after_sequence,
                finals_only=finals_only,
                token=token,
                on_broken=broken,
            )
            async for event in subscriber.events():
                told = ""
                screen.show(event)

    run_until_signalled(follow())

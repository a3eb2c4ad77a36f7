"""`./glossa translate`: one text, or a line for each line of stdin."""

from __future__ import annotations

import sys

import click

from cli.options import profile_option, source_language_option


@click.command()
@click.argument("text", nargs=-1)
@source_language_option
@click.option(
    "--target",
    "--target-language",
    "target_language",
    default="es",
    show_default=True,
    help="Language wanted.",
)
@click.option("--runtime", help="Start this runtime alone, and end it afterwards.")
@click.option("--model", help="Its model: a folder or file, or a name in the models folder.")
@profile_option
@click.option("--draft", is_flag=True, help="Ask the tier that makes drafts.")
@click.option("--mt", "address", help="host:port  [default: the stack running here]")
@click.pass_context
def translate(
    context: click.Context,
    text: tuple[str, ...],
    source_language: str,
    target_language: str,
    runtime: str | None,
    model: str | None,
    profile: str,
    draft: bool,
    address: str | None,
) -> None:
    """Translate TEXT, or every line of stdin when there is none.

    Through the stack that runs here, with its glossary and its checks. With --runtime, --model or
    --profile, or when no stack runs, mt is started alone with them: so a model is tried before
    Sunday. A line that cannot be translated comes out empty and is told on stderr; the exit status
    is then 1.

    \b
    ./glossa translate "Grace to you and peace."
    ./glossa translate --runtime gguf --model translategemma-4b-it-Q4_K_M <sermon.txt >sermon.es
    """
    from cli.line_translation import Translation, translate_lines
    from cli.options import was_given
    from cli.signals import run_until_signalled

    chosen = runtime is not None or model is not None or was_given(context, "profile")
    if address is not None and chosen:
        raise click.UsageError("--mt names a running service; it already has its runtime")
    if not text and sys.stdin.isatty():
        click.echo("glossa: type or paste lines, then Ctrl-D", err=True)
    settings = {"GLOSSA_MT_RUNTIME": runtime or "", "GLOSSA_MT_MODEL": model or ""}
    if runtime is not None:  # what the profile drafts with is not what is tried
        settings |= {"GLOSSA_MT_DRAFT_RUNTIME": "", "GLOSSA_MT_DRAFT_MODEL": ""}
    else:
        settings = {key: value for key, value in settings.items() if value}
    settings["GLOSSA_MT_PAIRS"] = f"{source_language}>{target_language}"
    wanted = Translation(source_language, target_language, draft)
    run_until_signalled(
        translate_lines(
            [" ".join(text)] if text else None,
            wanted,
            address=address,
            lone=(profile, settings) if chosen else None,
        ),
        signalled_status=130,
    )

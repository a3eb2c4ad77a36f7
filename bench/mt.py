"""`./glossa bench mt`: what a translation runtime gives and costs, through the mt service."""

from __future__ import annotations

from pathlib import Path

import click

from bench.settings_option import settings_option
from cli.options import json_option, source_language_option


@click.command(name="mt")
@click.argument("runtimes", metavar="[RUNTIME[:MODEL]]...", nargs=-1)
@source_language_option
@click.option("--target", "target_language", default="es", show_default=True)
@click.option(
    "--lines",
    "lines_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text a line; with a tab, the rest is its reference translation.  [default: the sample]",
)
@click.option("--limit", default=100, show_default=True, help="Lines of the file to take.")
@click.option("--draft", is_flag=True, help="As drafts of partials are asked for.")
@click.option("--parallel", default=1, show_default=True, help="Texts in flight at once.")
@click.option(
    "--stress",
    type=click.IntRange(min=1),
    help="So many texts in a row: is the last as quick as the first, and the memory flat?",
)
@settings_option("A GLOSSA_MT_* variable, such as GLOSSA_MT_DEVICE=cuda.")
@json_option
def command(
    runtimes: tuple[str, ...],
    source_language: str,
    target_language: str,
    lines_path: Path | None,
    limit: int,
    draft: bool,
    parallel: int,
    stress: int | None,
    settings: dict[str, str],
    as_json: bool,
) -> None:
    """Latency, speed and memory of translation runtimes, one service after another.

    Latency is what the gateway sees: from its request to the last message. tok/s counts the new
    tokens against the time in the runtime. Peak memory is that of the service's processes; GPU
    memory is what nvidia-smi says of them. With references, BLEU and chrF++ (sacrebleu) too. A
    glossary term is kept where its target stands in the translation, in whatever form.

    \b
    ./glossa bench mt apertium embedded
    ./glossa bench mt apertium marian:opus-mt-en-es --lines tatoeba/test.tsv
    ./glossa bench mt gguf:translategemma-4b-it-Q4_K_M --stress 100
    """
    import json

    from bench.translation import Load, measure
    from cli.signals import run_until_signalled

    async def run() -> None:
        figures = await measure(
            runtimes or ("embedded",),
            lines_path,
            limit,
            Load(source_language, target_language, draft, parallel, stress),
            settings,
        )
        if as_json:
            click.echo(json.dumps(figures, ensure_ascii=False))

    run_until_signalled(run(), signalled_status=130)

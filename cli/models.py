"""`./glossa models`: gets models before Sunday, and says which are here."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import profile_option
from cli.verbs import LazyGroup, Verb

VERBS = {
    "pull": Verb("cli.models", "pull", "Download models, or bring in a copy of them."),
    "list": Verb("cli.models", "list_models", "Show what is here and what is missing."),
    "verify": Verb("cli.models", "verify", "Compare the files with their manifests."),
    "use": Verb("cli.model_use", "use", "Take another model into use while people speak."),
    "rollback": Verb("cli.model_use", "rollback", "Go back to the model before."),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def models() -> None:
    """Get models before Sunday, and check them. While it runs, Glossa asks no hub for anything."""


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@profile_option
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="Copy from this file, model's folder or folder of models instead of the hub.",
)
@click.option("--again", is_flag=True, help="Also what is here already.")
@click.pass_context
def pull(
    context: click.Context,
    names: tuple[str, ...],
    profile: str,
    source: Path | None,
    again: bool,
) -> None:
    """Download the models that a profile needs, or those named.

    NAME is one of `models list --all`, or owner/name for another repository of the hub. A broken
    download goes on where it stopped. Models under a licence that has to be accepted say where,
    and want HF_TOKEN.

    \b
    ./glossa models pull --profile rtx2070
    ./glossa models pull small.en
    ./glossa models pull --profile cpu --from /media/usb/models
    """
    from cli.model_store import pull_models
    from cli.options import was_given

    # GLOSSA_PROFILE names one, too; the default needs no models.
    if not names and profile == "embedded" and not was_given(context, "profile"):
        raise click.UsageError("name a model, or a profile with --profile")
    raise SystemExit(pull_models(names, None if names else profile, source, again))


@click.command("list")
@profile_option
@click.option("--all", "everything", is_flag=True, help="The whole catalogue.")
def list_models(profile: str, everything: bool) -> None:
    """Show the models that are here, and those that the profile still needs."""
    from cli.model_store import show_models

    raise SystemExit(show_models(profile, everything))


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Read every file of the models that are here and compare it with the manifest.

    Exits with 1 when a file is damaged or missing, and names it.
    """
    from cli.model_store import verify_models

    raise SystemExit(verify_models(names))

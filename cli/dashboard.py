"""`./glossa dashboard`: how good captions were over the sessions, in the browser."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the collector writes its reports.  [default: var/reports]",
)
@click.option("--port", type=click.IntRange(1024, 32767), default=7317, show_default=True)
def dashboard(reports: Path | None, port: int) -> None:
    """Plot word errors, terms, scores and yield over the sessions, in the browser.

    It reads the reports that the collector writes when a session ends. Only this machine reaches
    the page, since reports hold what was preached. Of a stack in Docker, copy them first:

    \b
    docker compose cp collector:/var/lib/glossa/reports var/
    ./glossa dashboard
    """
    import importlib.util
    import os
    import sys

    from cli.stack import DEFAULT_STATE_DIR, REPOSITORY

    if importlib.util.find_spec("streamlit") is None:
        raise click.ClickException("it needs Streamlit: pip install -e '.[dashboard]'")
    folder = (reports or DEFAULT_STATE_DIR / "reports").resolve()
    environment = {
        **os.environ,
        "GLOSSA_DASHBOARD_REPORTS": str(folder),
        "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "protos"))),
    }
    os.execve(  # noqa: S606
        sys.executable,
        [
            *(sys.executable, "-m", "streamlit", "run", str(REPOSITORY / "dashboard/app.py")),
            *("--server.address", "127.0.0.1", "--server.port", str(port)),
            *("--server.headless", "true", "--browser.gatherUsageStats", "false"),
            *("--server.fileWatcherType", "none", "--client.toolbarMode", "minimal"),
        ],
        environment,
    )

"""How many connections this process may hold: each is an open file."""

from __future__ import annotations

import importlib.util

import structlog

log = structlog.get_logger()

# Listening sockets, logs, libraries, the upstream, and who is being refused.
_BESIDE_VIEWERS = 128


def allow_viewers(viewer_limit: int) -> None:
    """Raises this process's limit of open files to what the system lets it have.

    Says so in the log when even that is too few for `viewer_limit`.
    """
    if importlib.util.find_spec("resource") is None:  # Windows has no such limit
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):  # macOS says "unlimited" and does not mean it
            log.debug("open_files_not_raised", soft=soft, hard=hard)
    wanted = viewer_limit + _BESIDE_VIEWERS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        log.warning(
            "too_few_open_files",
            open_files=soft,
            wanted=wanted,
            message=f"{viewer_limit} displays do not fit: raise the limit of open files to "
            f"{wanted} (ulimit -n, LimitNOFILE=, or nofile of the container), or lower "
            "GLOSSA_CAPTIONS_VIEWER_LIMIT",
        )

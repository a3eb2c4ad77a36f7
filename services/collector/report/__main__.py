"""`python -m services.collector.report SESSION FOLDER`: writes a session's report.

The collector runs this as a process of its own: drawing takes a second and a hundred megabytes that
a service which runs all week should not keep. Settings are the collector's, GLOSSA_COLLECTOR_*.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from pathlib import Path

import grpc

from services.collector.judging import judge
from services.collector.report import NAMES, STATUS_SCORES_OWED, STATUS_UNKNOWN_SESSION
from services.collector.report.figures import figures
from services.collector.report.page import page
from services.collector.report.plots import plots
from services.collector.report.reading import read_session
from services.collector.settings import CollectorSettings
from services.errors import GlossaError, reason_of
from services.settings import load


def write_report(settings: CollectorSettings, session_id: str, folder: Path) -> bool:
    """Writes the files into `folder`, each in one step; whether every score was there.

    Raises:
        NotFound: UNKNOWN_SESSION.
        grpc.aio.AioRpcError: the gateway cannot be read.
        OSError: the folder cannot be written.
    """
    judge_pair = functools.partial(
        judge,
        weights=settings.weights(),
        thresholds=settings.thresholds(),
        calibration=settings.calibration,
    )
    record, earlier_words = asyncio.run(
        read_session(settings.gateway_address, session_id, judge_pair)
    )
    found = figures(record, earlier_words)
    folder.mkdir(parents=True, exist_ok=True)
    texts = (
        json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1) + "\n",
        page(found, plots(found)),
    )
    for name, text in zip(NAMES, texts, strict=True):
        part = folder / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(folder / name)
    return not found["pairs"]["owed_scores"]


def main() -> int:
    session_id, folder = sys.argv[1:]
    try:
        is_whole = write_report(load(CollectorSettings), session_id, Path(folder))
    except GlossaError as error:
        sys.stderr.write(f"{error.message}\n")
        return STATUS_UNKNOWN_SESSION if error.reason == "UNKNOWN_SESSION" else 1
    except grpc.aio.AioRpcError as error:
        sys.stderr.write(f"the gateway cannot be read: {error.details()} ({reason_of(error)})\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{folder} cannot be written: {error.strerror or error}\n")
        return 1
    return 0 if is_whole else STATUS_SCORES_OWED


if __name__ == "__main__":
    sys.exit(main())

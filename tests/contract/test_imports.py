"""Who may import whom, and what an import must not do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import REPOSITORY


def test_services_never_reach_into_each_other_and_imports_point_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_loading_the_voice_detector_leaves_no_telemetry_behind(tmp_path: Path) -> None:
    environment = {
        **{key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"},
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    load = (
        "from services.stt import vad, settings\n"
        "import onnxruntime\n"
        "onnxruntime.InferenceSession(str(vad.model_path()))\n"
    )
    subprocess.run([sys.executable, "-c", load], cwd=REPOSITORY, env=environment, check=True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]

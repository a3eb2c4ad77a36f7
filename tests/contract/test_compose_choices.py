"""A machine's profile and overlays of compose: their images, and that each command keeps to them."""

from __future__ import annotations

from typing import Any

import pytest

from cli.stack import profile_names
from tests.contract.docker_compose import BASE, WITH_CUDA, configuration, is_there

pytestmark = pytest.mark.skipif(not is_there(), reason="docker compose is not installed")


def test_an_image_of_other_engines_has_another_name_and_so_is_never_taken_for_this_one() -> None:
    built: dict[str, Any] = {}
    for profile in profile_names():
        for files in (BASE, WITH_CUDA):
            services = configuration("--profile", "*", files=files, GLOSSA_PROFILE=profile)
            for name, service in services.items():
                if build := service.get("build"):
                    assert built.setdefault(service["image"], build) == build, (profile, name)
    assert {"glossa-mt:embedded", "glossa-mt:rtx2070", "glossa-mt:rtx2070-cuda"} < built.keys()

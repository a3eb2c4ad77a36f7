"""One stack in containers for all tests that ask for it: it takes minutes to build and to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.composed_session import SENTENCES, speak
from tests.contract.docker_compose import ComposedStack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposedStack]:
    stack = ComposedStack(tmp_path_factory.mktemp("compose"))
    try:
        stack.up("--build")
        yield stack
    finally:
        stack.down("-v", "--rmi", "local")


@pytest.fixture(scope="package")
def session(stack: ComposedStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A session that was spoken into the stack, with its audio kept, and is over."""
    return speak(stack, tmp_path_factory.mktemp("speech"), SENTENCES, "--store-audio")

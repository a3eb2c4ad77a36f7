"""docs/limits.md names settings and tests that there are."""

from __future__ import annotations

import ast
import re

import pytest

from tests.processes import REPOSITORY

PAGE = (REPOSITORY / "docs" / "limits.md").read_text(encoding="utf-8")
SETTINGS = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/\S+\.py::\w+)`", PAGE))))
def test_a_limit_is_tested_where_the_page_says(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    assert function in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(GLOSSA_[A-Z_<>]+)`", PAGE))))
def test_a_limit_is_set_by_a_setting_that_there_is(name: str) -> None:
    assert f"| `{name}` |" in SETTINGS

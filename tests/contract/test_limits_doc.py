"""docs/limits.md names settings and tests that there are, and a test of each limit."""

from __future__ import annotations

import ast
import re

import pytest

from tests.processes import REPOSITORY

PAGE = (REPOSITORY / "docs" / "limits.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!what |---)", line)]
SETTINGS = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/\S+\.py::\w+)`", PAGE))))
def test_a_limit_is_tested_where_the_page_says(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    assert function in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_each_limit_has_a_test() -> None:
    assert len(ROWS) > 40
    assert [row for row in ROWS if not re.search(r"`tests/\S+::\w+`", row)] == []


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(GLOSSA_[A-Z_<>]+)`", PAGE))))
def test_a_limit_is_set_by_a_setting_that_there_is(name: str) -> None:
    assert f"| `{name}` |" in SETTINGS

"""A row of the catalogue counts only when it was tested, and nothing of it failed, broke or was left out."""

from __future__ import annotations

from pathlib import Path

from fire.hostile import ROWS, inert


def report(path: Path, *cases: str) -> Path:
    path.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return path


def test_rows_are_counted_by_their_tests(tmp_path: Path) -> None:
    every = [f'<testcase name="test_row_{row:02}_something"/>' for row in ROWS]
    whole = inert(report(tmp_path / "whole.xml", *every))
    assert (whole.value, whole.limit, whole.holds) == (28, 28, True)
    more = (
        '<testcase name="test_row_03_more[x]"><failure/></testcase>',
        '<testcase name="test_row_04_more"><error/></testcase>',
        '<testcase name="test_row_05_more"><skipped/></testcase>',
        '<testcase name="test_something_else"><failure/></testcase>',
    )
    part = inert(report(tmp_path / "part.xml", *every, *more))
    assert (part.value, part.holds) == (25, False)
    assert "broken: [3, 4, 5]" in part.spread


def test_a_row_without_a_test_is_not_inert(tmp_path: Path) -> None:
    none = inert(report(tmp_path / "none.xml", '<testcase name="test_row_15_turn"/>'))
    assert none.value == 0
    assert not none.holds

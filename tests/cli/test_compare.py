"""`vizinho compare` on plain files of two systems."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli.compare import compare_files, render_compare
from tests.cli.plain_files import validated


def test_a_comparison_of_plain_files_reports_the_better_system(files: dict[str, Path]) -> None:
    found = validated(compare_files(files["reference"], files["champion"], files["challenger"]), "compare")
    assert found["wer"]["difference"]["high"] < 0
    assert (found["champion"], found["challenger"], found["unit"], found["units"]) == ("champion", "challenger", "speaker", 10)
    assert render_compare(found).endswith("the challenger is better")
    back = compare_files(files["reference"], files["challenger"], files["champion"])
    assert render_compare(back).endswith("the champion is better")
    assert "no significant difference in WER" in render_compare(compare_files(files["reference"], files["champion"], files["champion"]))

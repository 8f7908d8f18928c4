"""Write the HTML report on a run, with audio, a page on its data, and its figures for the README.

Reads   data/score/*.json, data/gate/verdict.json, data/transcribe/*.{parquet,json}, data/rank/ranking.json,
        data/train/*/{vizinho.json,history.csv}, data/donor/{vizinho.json,history.csv},
        data/split/*/certificate.json, data/split/portuguese/*.parquet,
        data/ingest/*/*/{report.json,rejects.parquet,shard-*.parquet}, data/normalise/*/*/{report.json,manifest.parquet}
Writes  data/report/index.html, data/report/data.html, data/report/curves.csv, data/report/learning_curve.svg, data/report/systems.svg,
        data/report/ranking.svg
Params  report
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pipeline.core.files import write_text
from pipeline.core.params import Section, load_section
from pipeline.core.progress import log
from pipeline.core.stage import stage_main


class Params(Section):
    """`report` in params.yaml."""

    clips: int = Field(8, ge=0, le=100, description="utterances to listen to; each adds its FLAC to the page, about 100 kB")
    audio_mb: float = Field(4, ge=0, le=10, description="audio of further utterances in the table of utterances, in MB of the page")
    against: str | None = Field(None, min_length=1, description="a commit whose run this one is compared with; null: none")


def run(root: Path | str = ".") -> None:
    """Write the report on the run in a checkout.

    Args:
        root: the checkout; its params.yaml and data/ are read.

    Raises:
        ParamsError: the section `report` is missing or invalid, or names a commit that does not exist.
        MissingInputError: results of the challenger or the baseline, the verdict, the test split or a clip's shard are missing.
        DataError: a file is damaged, or lacks a field that the report shows.
    """
    from pipeline.reporting.change import read_revision
    from pipeline.reporting.charts import learning_curve, system_colours
    from pipeline.reporting.data_page import render_data
    from pipeline.reporting.inputs import read_inputs
    from pipeline.reporting.page import curves_csv, ranking_chart, render, wer_chart

    params = load_section(Params, "report", path=Path(root) / "params.yaml")
    inputs = read_inputs(Path(root) / "data")
    against = read_revision(Path(root), params.against, inputs) if params.against else None
    page = render(inputs, params.clips, params.audio_mb, against)
    data_page = render_data(inputs)
    folder = Path(root) / "data/report"
    write_text(folder / "learning_curve.svg", learning_curve(inputs.curves, inputs.baseline,
                                                             system_colours(inputs.trained, inputs.challenger, inputs.baseline)))
    write_text(folder / "systems.svg", wer_chart(inputs))
    if inputs.ranking:
        write_text(folder / "ranking.svg", ranking_chart(inputs.ranking))
    write_text(folder / "curves.csv", curves_csv(Path(root) / "data", inputs))
    write_text(folder / "data.html", data_page)
    write_text(folder / "index.html", page)
    size = f"{len(page.encode()) / 1e6:.1f} MB"
    log(f"report: {len(inputs.scores)} systems, {inputs.verdict['verdict']}, {size} in {folder / 'index.html'}")


if __name__ == "__main__":
    stage_main(run)

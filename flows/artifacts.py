"""The artifacts of a run in Prefect: data report, training curve, scores, verdict, links."""

from __future__ import annotations

import base64
import os
import re
import shutil
from pathlib import Path
from typing import Any, Final

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from flows.redaction import redact
from flows.workspace import state_folder
from pipeline.core.errors import PipelineError
from pipeline.core.files import atomic_folder, read_json
from pipeline.core.timing import all_timings
from pipeline.registry.gates import VERDICT
from pipeline.registry.markdown import markdown_table

REPORT: Final = "data/report/index.html"
CURVE: Final = "data/report/learning_curve.svg"
KEPT_REPORTS: Final = 20


def percent(rate: Any) -> str:
    """Return an error rate and its interval in percent, "37.3 [34.3, 40.3]"; "–" for none.

    Args:
        rate: `{value, low, high}` as fractions, as in a score file, or None.
    """
    if not rate or rate.get("value") is None:
        return "–"
    interval = f" [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}]" if rate.get("low") is not None else ""
    return f"{100 * rate['value']:.1f}{interval}"


def score_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the table of scores in a clone, a row per system: error rates in percent with their intervals, and decoding speed.

    Args:
        folder: the clone.
    """
    rows, timings = [], all_timings(folder)
    for file in sorted((folder / "data/score").glob("*.json")):
        score = read_json(file)
        rows.append({"system": file.stem, "WER % as served [95 %]": percent(score["wer_served"]),
                     "CER % as served [95 %]": percent(score["cer_served"]), "WER % greedy [95 %]": percent(score["wer"]),
                     "utterances": score["test_set"]["utterances"], "speakers": score["test_set"]["speakers"],
                     "audio s per s": _speed(timings.get(f"transcribe@{file.stem}"))})
    return rows


def _speed(timing: dict[str, Any] | None) -> str:
    speed = (timing or {}).get("rtfx")  # audio-seconds per second
    return f"{speed:.1f}" if speed else "–"


def verdict_rows(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the table of a verdict, a row per rule: its outcome (pass, fail, undecided or disabled), figures and reason."""
    return [{"rule": rule["name"], "outcome": outcome_of(rule), "value": _figure(rule["value"]), "low": _figure(rule["low"]),
             "high": _figure(rule["high"]), "limit": _figure(rule["limit"]), "reason": rule["reason"]} for rule in verdict["rules"]]


def outcome_of(rule: dict[str, Any]) -> str:
    """Return the outcome of a verdict's rule: pass, fail, undecided or disabled."""
    return {True: "pass", False: "fail", None: "undecided"}[rule["passed"]] if rule["enabled"] else "disabled"


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def data_report(folder: Path) -> str:
    """Return the data report of a clone as Markdown: corpora, rejected utterances, splits and their leakage certificate."""
    corpora = []
    for file in sorted((folder / "data/ingest").glob("*/*/report.json")):
        report = read_json(file)
        corpora.append({"corpus": report["corpus"], "utterances": report["utterances"], "speakers": report["speakers"],
                        "hours": f"{report['hours']:.2f}", "rejected": report["rejected"],
                        "reasons": ", ".join(f"{reason} {count}" for reason, count in report["rejects"].items()) or "–"})
    splits, shared = [], []
    for file in sorted((folder / "data/split").glob("*/certificate.json")):
        found = read_json(file)
        for name, sizes in (found.get("splits") or {}).items():
            splits.append({"language": found["language"], "split": name, "utterances": sizes["utterances"], "speakers": sizes["speakers"],
                           "hours": f"{sizes['hours']:.2f}"})
        shared.append(f"{file.parent.name}: train, dev and test share {found['left_total'] or 'nothing'}")
    parts = ["## Corpora", markdown_table(corpora), "## Splits", markdown_table(splits), *shared]
    return "\n\n".join(part for part in parts if part)


def publish_run(folder: Path, artefact: str, run: str) -> None:
    """Publish a finished run: data report, training curve, scores, verdict and a link to the HTML report.

    Args:
        folder: the run's clone.
        artefact: name of the model in the registry, which starts every key.
        run: name of the run.
    """
    create_markdown_artifact(data_report(folder), key=f"{artefact}-data", description="Training and test data")
    if (curve := folder / CURVE).is_file():
        create_image_artifact(svg_url(curve), key=f"{artefact}-curve", description="Error on the dev set by training step")
    if rows := score_rows(folder):
        create_table_artifact(rows, key=f"{artefact}-evaluation", description="Error rates on the test set, intervals over speakers")
    verdict = read_json(folder / VERDICT)
    create_table_artifact(verdict_rows(verdict), key=f"{artefact}-verdict", description=f"Verdict: {verdict['verdict']}")
    if (folder / REPORT).is_file():
        create_link_artifact(keep_report(folder / REPORT, run), link_text="HTML report, with audio", key=f"{artefact}-report",
                             description="`dvc pull data/report` on the run's commit gives it anywhere")


def svg_url(file: Path) -> str:
    """Return an SVG file as a data URL, which the UI can show without access to the file."""
    return "data:image/svg+xml;base64," + base64.b64encode(file.read_bytes()).decode()


def keep_report(file: Path, run: str) -> str:
    """Copy a report to `reports/` in the state folder, so that it outlives its clone, and return its address.

    The last twenty are kept. The address is below `VIZINHO_REPORTS_URL`, if a web server serves that folder: a browser opens no
    `file:` link from a page.

    Args:
        file: the report.
        run: name of the run.
    """
    reports = state_folder() / "reports"
    with atomic_folder(reports / run) as folder:
        for page in file.parent.glob("*.html"):  # the report links to the page on the data beside it
            (folder / page.name).write_bytes(page.read_bytes())
    for old in sorted((path for path in reports.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)[:-KEPT_REPORTS]:
        shutil.rmtree(old, ignore_errors=True)
    served = os.environ.get("VIZINHO_REPORTS_URL")
    return f"{served.rstrip('/')}/{run}/index.html" if served else (reports / run / "index.html").as_uri()


def branch_link(url: str, branch: str, commit: str, artefact: str) -> None:
    """Publish how to get a run's results: the commands, and a link if the Git remote has a web page.

    Args:
        url: of the Git remote.
        branch: of the run.
        commit: the run commit.
        artefact: name of the model in the registry, which starts every key.
    """
    commands = f"git fetch origin {branch} && git checkout {commit} && dvc pull"
    create_markdown_artifact(f"Branch `{branch}`, commit `{commit}` in {redact(url)}:\n\n    {commands}\n", key=f"{artefact}-commit",
                             description="The run commit: all its stages are up to date")
    if page := web_page(url, branch):
        create_link_artifact(page, link_text=branch, key=f"{artefact}-branch", description="The run's branch")


def web_page(url: str, branch: str) -> str | None:
    """Return the web page of a branch; None if the remote is no web host.

    "git@example.org:team/vizinho.git" → "https://example.org/team/vizinho/tree/BRANCH"
    """
    found = re.match(r"^(?:https?://(?:[^@/]*@)?|ssh://(?:[^@/]*@)?|[\w.-]+@)(?P<host>[\w.-]+)(?::\d+)?[/:](?P<path>.+?)(?:\.git)?/?$", url)
    return f"https://{found['host']}/{found['path']}/tree/{branch}" if found else None


def gpu() -> str | None:
    """Return the name of this machine's first GPU; None if it has none.

    Raises:
        PipelineError: the driver's information is unreadable.
    """
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        try:
            if found := re.search(r"^Model:\s*(.+)$", file.read_text(encoding="utf-8"), re.MULTILINE):
                return found[1].strip()
        except OSError as error:
            raise PipelineError(str(file), str(error)) from None
    return None

"""What a run shows in Prefect: data, curves, scores, verdict, each as an artifact beside its log."""

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
from flows.workspace import state
from pipeline.core.errors import PipelineError
from pipeline.core.files import atomic_folder, read_json
from pipeline.registry.gates import VERDICT
from pipeline.registry.markdown import markdown_table

REPORT: Final = "data/report/index.html"
CURVE: Final = "data/report/learning_curve.svg"
KEPT_REPORTS: Final = 20


def percent(rate: Any) -> str:
    """Return an error rate with its interval in per cent: "37.3 [34.3, 40.3]"."""
    if not rate or rate.get("value") is None:
        return "–"
    interval = f" [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}]" if rate.get("low") is not None else ""
    return f"{100 * rate['value']:.1f}{interval}"


def score_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the evaluation table of a clone: a row a system, error rates in per cent with their intervals."""
    rows = []
    for file in sorted((folder / "data/score").glob("*.json")):
        score = read_json(file)
        rows.append({"system": file.stem, "WER % [95 %]": percent(score["wer"]), "CER % [95 %]": percent(score["cer"]),
                     "utterances": score["test_set"]["utterances"], "speakers": score["test_set"]["speakers"],
                     "times real time": round(score["rtfx"], 1) if score.get("rtfx") else "–"})
    return rows


def verdict_rows(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the verdict's table: a row a rule."""
    return [{"rule": rule["name"], "holds": {True: "yes", False: "no", None: "undecided"}[rule["passed"]] if rule["enabled"] else "not enabled",
             "value": _figure(rule["value"]), "low": _figure(rule["low"]), "high": _figure(rule["high"]), "limit": _figure(rule["limit"]),
             "reason": rule["reason"]} for rule in verdict["rules"]]


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def data_report(folder: Path) -> str:
    """Return the data report of a clone as Markdown: corpora, what was dropped of them, splits and their certificate."""
    corpora = []
    for file in sorted((folder / "data/ingest").glob("*/*/report.json")):
        report = read_json(file)
        corpora.append({"corpus": report["corpus"], "utterances": report["utterances"], "speakers": report["speakers"],
                        "hours": f"{report['hours']:.2f}", "rejected": report["rejected"],
                        "because": ", ".join(f"{reason} {count}" for reason, count in report["rejects"].items()) or "–"})
    splits, left = [], []
    for file in sorted((folder / "data/split").glob("*/certificate.json")):
        found = read_json(file)
        for name, sizes in (found.get("splits") or {}).items():
            splits.append({"language": found["language"], "split": name, "utterances": sizes["utterances"], "speakers": sizes["speakers"],
                           "hours": f"{sizes['hours']:.2f}"})
        left.append(f"{file.parent.name}: train, dev and test share {found['left_total'] or 'nothing'}")
    parts = ["## Corpora", markdown_table(corpora), "## Splits", markdown_table(splits), *left]
    return "\n\n".join(part for part in parts if part)


def publish_run(folder: Path, artefact: str, run: str) -> None:
    """Show a finished run: data report, training curve, evaluation, verdict and a link to the report."""
    create_markdown_artifact(data_report(folder), key=f"{artefact}-data", description="What was trained and tested on")
    if (curve := folder / CURVE).is_file():
        create_image_artifact(svg_url(curve), key=f"{artefact}-curve", description="Error on the development set by training step")
    if rows := score_rows(folder):
        create_table_artifact(rows, key=f"{artefact}-evaluation", description="Error rates on the test set, intervals over speakers")
    verdict = read_json(folder / VERDICT)
    create_table_artifact(verdict_rows(verdict), key=f"{artefact}-verdict", description=f"Verdict: {verdict['verdict']}")
    if (folder / REPORT).is_file():
        create_link_artifact(keep_report(folder / REPORT, run), link_text="HTML report, with audio", key=f"{artefact}-report",
                             description="`dvc pull data/report` on the run's commit gives it anywhere")


def svg_url(file: Path) -> str:
    """Return a picture as a URL that holds it: the UI needs no file of ours."""
    return "data:image/svg+xml;base64," + base64.b64encode(file.read_bytes()).decode()


def keep_report(file: Path, run: str) -> str:
    """Copy a report to `reports/` in the state folder, where it outlives its clone, the last twenty; return its address:
    below `VIZINHO_REPORTS_URL` where a web server shows that folder, a browser opens no file from a page."""
    place = state() / "reports"
    with atomic_folder(place / run) as folder:
        (folder / "index.html").write_bytes(file.read_bytes())
    for old in sorted((path for path in place.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)[:-KEPT_REPORTS]:
        shutil.rmtree(old, ignore_errors=True)
    served = os.environ.get("VIZINHO_REPORTS_URL")
    return f"{served.rstrip('/')}/{run}/index.html" if served else (place / run / "index.html").as_uri()


def branch_link(url: str, branch: str, commit: str, artefact: str) -> None:
    """Show where a run's results are: a link where the Git remote has a web page, else the commands."""
    commands = f"git fetch origin {branch} && git checkout {commit} && dvc pull"
    create_markdown_artifact(f"Branch `{branch}`, commit `{commit}` in {redact(url)}:\n\n    {commands}\n", key=f"{artefact}-commit",
                             description="The run as a commit: `dvc repro` on it does nothing")
    if page := web_page(url, branch):
        create_link_artifact(page, link_text=branch, key=f"{artefact}-branch", description="The run's branch")


def web_page(url: str, branch: str) -> str | None:
    """Return the page of a branch, None where the remote is no web host.

    "git@example.org:team/vizinho.git" → "https://example.org/team/vizinho/tree/BRANCH"
    """
    found = re.match(r"^(?:https?://(?:[^@/]*@)?|ssh://(?:[^@/]*@)?|[\w.-]+@)(?P<host>[\w.-]+)(?::\d+)?[/:](?P<path>.+?)(?:\.git)?/?$", url)
    return f"https://{found['host']}/{found['path']}/tree/{branch}" if found else None


def gpu() -> str | None:
    """Return the name of this machine's first GPU, None where there is none."""
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        try:
            if found := re.search(r"^Model:\s*(.+)$", file.read_text(encoding="utf-8"), re.MULTILINE):
                return found[1].strip()
        except OSError as error:
            raise PipelineError(str(file), str(error)) from None
    return None

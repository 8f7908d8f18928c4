"""The champion on a test set that is new, without any training: does it still do what it was promoted for?

Either imported corpora are brought up to date and the test split grows, or a release that nobody trained on is taken in as
a test set beside the present one; its figures are then those of its own slice. Nothing is committed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows import runs
from flows.artifacts import percent
from flows.events import tell
from flows.graph import read_graph
from flows.retrain import EMBEDDED, imported, pull, take_profile, update
from flows.runs import honest, must
from flows.stages import THREADS, run_stages
from flows.workspace import Workspace, held, workspace
from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import read_json, write_text
from pipeline.core.params import load_section
from pipeline.registry.git import git_bytes
from pipeline.registry.record import Registry, champion

LANGUAGE: Final = "portuguese"
SCORE: Final = "data/score/champion.json"
STAGE: Final = "score@champion"
TRANSCRIBED: Final = "transcribe@champion"
TRAININGS: Final = ("donor", "train")
RELEASE: Final = "release"
TABLE: Final = "manifest.tsv"
UNSTATED: Final = "LicenseRef-not-stated"  # of rows that name none: nothing is trained on them


@dataclass(frozen=True, slots=True)
class Compared:
    """An error rate then and now.

    Args:
        where: "all", or the slice: "locale=pt-BR".
        before: what the champion was known for.
        now: `vizinho.score/1`'s WER, with its interval.
    """

    where: str
    before: float
    now: dict[str, Any]
    utterances: int

    def worse(self, margin: float) -> bool:
        """Return whether the whole interval lies above what was known, and a margin."""
        low = self.now.get("low")
        return low is not None and low > self.before + margin


@flow(name="evaluate", flow_run_name=runs.run_name, persist_result=False, log_prints=True, task_runner=THREADS)
@honest
def evaluate(profile: str = EMBEDDED, git_ref: str = "main", corpora: list[str] | None = None, release: str | None = None, margin: float = 0.02,
             min_utterances: int = 50) -> State[Any]:
    """Score the champion on a new test set, and raise the alarm where it has become worse.

    Args:
        profile: Params of the test set: embedded, or the name of a file in profiles.
        git_ref: Branch, tag or commit whose champion is meant.
        corpora: Imported corpora to bring up to date first; all of them where nothing is given.
        release: Folder on the worker with a manifest.tsv and its recordings, all of it test data. Nothing means the test split of the corpora.
        margin: Fraction by which the whole interval of a WER must lie above the known one to be a regression.
        min_utterances: Smaller slices are not judged.
    """
    logger = get_run_logger()
    with held("retrain", logger.warning), workspace(f"evaluate-{runs.date()}-{runs.short_id()}", git_ref, logger.info) as space:
        take_profile(space, profile)
        artefact = load_section(Registry, "registry", path=space.path / "params.yaml").artefact
        model, record = champion(space.path)
        known = score_at(space, space.commit)
        must(pull(space, ["--with-deps", TRANSCRIBED]))
        must(update(space, imported(space, corpora)))
        if not (space.path / model / "model.safetensors").is_file():
            raise MissingInputError(model, "the champion's model is in neither DVC cache nor remote", "model.safetensors",
                                    "dvc push where it was made")
        if release:
            take_release(space, Path(release))
        graph = read_graph(space)
        run_stages(space, graph, graph.before([STAGE], cut=TRAININGS))
        score = read_json(space.path / SCORE)
    rows = compared(known, score, min_utterances, RELEASE if release else None)
    worse = [row for row in rows if row.worse(margin)]
    create_table_artifact([{"slice": row.where, "utterances": row.utterances, "known WER %": f"{100 * row.before:.1f}",
                            "WER % now [95 %]": percent(row.now), "regression": "yes" if row.worse(margin) else "no"} for row in rows],
                          key=f"{artefact}-champion", description=f"{artefact} {record.version if record else 'day one'} on {release or profile}")
    message = told(rows, worse, record.version if record else "day one's donor")
    outcome = {"artefact": artefact, "wer": rows[0].now["value"], "regressions": [row.where for row in worse]}
    if worse:
        tell("evaluation.regression", artefact, message, **outcome)
        return Completed(name="Regressed", message=message, data=outcome)
    return Completed(message=message, data=outcome)


def score_at(space: Workspace, commit: str) -> dict[str, Any]:
    """Return the champion's committed score.

    Raises:
        MissingInputError: it was never scored.
    """
    try:
        found: dict[str, Any] = yaml.safe_load(git_bytes(space.path, "show", f"{commit}:{SCORE}"))
    except Exception:
        raise MissingInputError(f"{SCORE} at {commit[:9]}", "not committed", "the champion's figures", "retrain once: its commit has them") from None
    return found


def take_release(space: Workspace, release: Path) -> None:
    """Take a folder of recordings into the clone as a corpus that is test data to the last row.

    Raises:
        MissingInputError: there is no such folder, or no table in it.
        ParamsError: the params ignore official test sets.
    """
    if not (release / TABLE).is_file():
        raise MissingInputError(str(release / TABLE), "no such file", "the release's table on the worker (profiles/README.md says how it looks)")
    source = space.path / "data/raw" / RELEASE
    shutil.copytree(release, source, copy_function=_link)
    (source / TABLE).unlink()
    write_text(source / TABLE, as_test((release / TABLE).read_text(encoding="utf-8-sig")))
    file = space.path / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not params["split"][LANGUAGE].get("respect_release", True):
        raise ParamsError("evaluate", [f"split.{LANGUAGE}.respect_release: off; a release is test data only where official sets are respected"])
    like = next(section for section in params["normalise"].values() if section["language"] == LANGUAGE)
    params["ingest"][RELEASE] = {"reader": "manifest", "language": LANGUAGE, "source": f"data/raw/{RELEASE}", "locale": like["locale"],
                                 "licence": UNSTATED}
    params["normalise"][RELEASE] = dict(like)
    write_text(file, yaml.safe_dump(params, sort_keys=False, allow_unicode=True))


def _link(source: str, target: str) -> None:
    """Take a file in without copying it, where the disk allows."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copy2(source, target)


def as_test(table: str) -> str:
    """Return a tab-separated table with `split` saying test in every row.

    Raises:
        DataError: it has no rows.
    """
    header, *rows = [line.split("\t") for line in table.splitlines() if line.strip()]
    if not rows:
        raise DataError(TABLE, "no rows", "a row for each recording")
    kept = [column for column, name in enumerate(header) if name != "split"]
    lines = [[*(row[column] for column in kept if column < len(row)), last] for row, last in [(header, "split"), *((row, "test") for row in rows)]]
    return "".join("\t".join(line) + "\n" for line in lines)


def compared(known: dict[str, Any], score: dict[str, Any], min_utterances: int, corpus: str | None) -> list[Compared]:
    """Return what the champion was known for beside what it does now, the whole first.

    Args:
        corpus: the new test set, where it is a corpus of its own: then that slice is the whole.

    Raises:
        DataError: nothing of that corpus came into the test set.
    """
    def slices(card: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return {",".join(f"{column}={value}" for column, value in part["slice"].items()): part for part in card["slices"]}

    now, before = slices(score), slices(known)
    if corpus:
        whole = now.get(f"corpus={corpus}")
        if whole is None:
            raise DataError(f"release {corpus}", "none of its utterances is in the test split", "some", "look at what ingest and normalise dropped")
        return [Compared(corpus, known["wer"]["value"], whole["wer"], whole["utterances"])]
    rows = [Compared("all", known["wer"]["value"], score["wer"], score["test_set"]["utterances"])]
    return rows + [Compared(name, before[name]["wer"]["value"], part["wer"], part["utterances"])
                   for name, part in now.items() if name in before and part["utterances"] >= min_utterances and part["wer"] and before[name]["wer"]]


def told(rows: Sequence[Compared], worse: Sequence[Compared], version: str) -> str:
    """Return the outcome in a line."""
    figure = f"{version}: WER {percent(rows[0].now)} % on {rows[0].utterances} utterances, known for {100 * rows[0].before:.1f} %"
    return f"{figure}; worse: {', '.join(row.where for row in worse)}" if worse else f"{figure}; no regression"

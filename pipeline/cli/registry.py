"""`vizinho registry`: list, show, promote, roll back and verify models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.registry.record import Record

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None,
                  help="List, show, promote, roll back and verify models.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
By = Annotated[str | None, typer.Option(help="Who approves; recorded. Default: the user of git.", show_default=False)]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all versions; an asterisk marks the champion."""
    from pipeline.registry.record import champion, records

    root = checkout()
    path, current = champion(root)
    found = records(root)[::-1]
    if as_json:
        _print_json({"champion": {"path": path, "version": current.version if current else None}, "records": [record.as_json() for record in found]})
    elif not found:
        typer.echo(f"day one: the champion is {path}; nothing has been promoted")
    for record in found if not as_json else ():
        typer.echo(row(record, in_use=current is not None and record.version == current.version))


@app.command()
def show(version: Annotated[str | None, typer.Argument(help="A version such as v0.1.0. Default: the champion.", show_default=False)] = None,
         as_json: AsJson = False) -> None:
    """Show the record of one version: model, data, verdict, approval."""
    from pipeline.core.errors import MissingInputError
    from pipeline.registry.record import champion, records

    root = checkout()
    path, current = champion(root)
    if version is None and current is None:
        day_one = {"path": path, "version": None}
        _print_json(day_one) if as_json else typer.echo(f"day one: the champion is {path}; nothing has been promoted")
        return
    known = {record.version: record for record in records(root)}
    wanted = version or (current.version if current else "")
    if wanted not in known:
        raise MissingInputError(f"registry {wanted}", "no such record", f"one of {', '.join(known) or 'none'}", "vizinho registry list")
    _print_json(known[wanted].as_json()) if as_json else typer.echo(described(known[wanted]))


@app.command()
def promote(commit: Annotated[str, typer.Argument(help="The run commit, with dvc.lock and verdict.")] = "HEAD",
            verdict: Annotated[str | None, typer.Option(help="SHA-256 of the verdict that was approved.", show_default=False)] = None,
            champion: Annotated[str | None, typer.Option(help="Tag of the champion when it was approved; `none` on day one.",
                                                         show_default=False)] = None,
            by: By = None,
            override: Annotated[str | None, typer.Option(
                help="Reason for promoting despite an objection, such as a verdict of reject or inconclusive; recorded.", show_default=False)] = None,
            ask: Annotated[bool, typer.Option("--ask", help="Print what would be approved and the command for it; change nothing.")] = False) -> None:
    """Promote the challenger of a run to champion.

    The approval is valid for this commit, this verdict and this champion. Default of --verdict and --champion: the present ones.

    vizinho registry promote --ask
    """
    from dataclasses import replace

    from pipeline.registry import promotion

    root = checkout()
    candidate = promotion.read_candidate(root, commit)
    if ask:
        typer.echo(question(candidate))
        return
    approval = candidate.request
    approval = replace(approval, verdict=verdict or approval.verdict,
                       champion=approval.champion if champion is None else None if champion == "none" else champion)
    promotion.promote(root, approval, by or identity(root), override)


@app.command()
def rollback(version: Annotated[str, typer.Argument(help="The version to restore: v0.1.0, or day-one.", show_default=False)],
             reason: Annotated[str, typer.Option(help="Why; recorded.")], by: By = None) -> None:
    """Restore an earlier model as champion.

    vizinho registry rollback v0.1.0 --reason "numbers are transcribed wrongly since v0.2.0"
    """
    from pipeline.registry import promotion

    root = checkout()
    promotion.rollback(root, version, by or identity(root), reason)


@app.command()
def gates(write: Annotated[bool, typer.Option("--write", help="Write the gate index of this run into params.yaml.")] = False,
          as_json: AsJson = False) -> None:
    """Count the gates since the last promotion.

    Print the index of this run's gate, counted from git.

    Each gate has a smaller error level, so that many attempts do not promote by chance. Run it between `dvc repro score` and
    `dvc repro gate`.

    vizinho registry gates --write
    """
    from pipeline.core.params import read_params
    from pipeline.registry import gates as ledger
    from pipeline.scoring.rules import spent_level

    root = checkout()
    ledger.fetch_runs(root)
    policy, index = read_params(root / ledger.PARAMS)["gate"], ledger.gate_index(root)
    if write:
        ledger.write_gate_index(root, index)
    level, stated = spent_level(policy["alpha"], index), index if write else policy["gates_since_promotion"]
    if as_json:
        _print_json({"gates_before": index, "one_sided_level": level, "params": stated})
        return
    typer.echo(f"gate {index + 1} since the last promotion: one-sided error level {level:.2g}")
    if stated != index:
        typer.echo(f"params.yaml has gate.gates_since_promotion: {stated} (`vizinho registry gates --write`, then `dvc repro gate`)")


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Check that models, data and verdicts match their records.

    The exit code is 1 if one does not.

    Read every byte again, in the DVC cache and in the DVC remote.
    """
    from dataclasses import asdict

    from pipeline.registry.verify import verify as prove

    proofs = prove(checkout())
    if as_json:
        _print_json([asdict(proof) for proof in proofs])
    else:
        for proof in proofs:
            read = f" ({' and '.join(proof.places)} read)" if proof.places else ""
            typer.echo(f"{proof.version}: " + ("\n  ".join(["fail", *proof.problems]) if proof.problems else f"pass{read}"))
    if any(proof.problems for proof in proofs):
        raise typer.Exit(1)


def checkout() -> Path:
    """Return the root of the checkout of the current folder.

    Raises:
        PipelineError: the current folder is in no checkout.
    """
    from pipeline.registry.git import git

    return Path(git(Path.cwd(), "rev-parse", "--show-toplevel"))


def identity(root: Path) -> str:
    """Return git's user: "Ana Reis <ana@example.org>"."""
    from pipeline.registry.git import git

    name, _, _ = git(root, "var", "GIT_AUTHOR_IDENT").partition(">")
    return f"{name}>"


def row(record: Record, *, in_use: bool) -> str:
    """Return a record as one line."""
    origin = f"model of {record.restores}" if record.restores else record.system
    return (f"{'*' if in_use else ' '} {record.version:<8} {record.promoted_at:%Y-%m-%d %H:%M}  WER {100 * record.verdict.wer:6.2f} %  "
            f"{record.verdict.verdict or 'not judged':<12}  {origin:<16}  run {record.commit[:9]}  by {record.approval.by}")


def described(record: Record) -> str:
    """Return a record as text for the terminal."""
    approval, verdict = record.approval, record.verdict
    lines = {
        "artefact": f"{record.artefact} {record.version}, {record.promoted_at:%Y-%m-%d %H:%M} UTC",
        "model": f"{record.system} of run {record.commit}, weights {record.model.weights_hash[:12]}, DVC {record.model.dvc}",
        "restores": record.restores,
        "replaces": record.replaces or "the donor of day one",
        "verdict": f"{verdict.verdict or 'none on this model'} (gate {verdict.gates} of its period), SHA-256 {verdict.hash[:12]}",
        "measured": f"WER {100 * verdict.wer:.2f} %, CER {100 * verdict.cer:.2f} % on test set {record.test_set[:12]}, {record.normaliser}",
        "data": ", ".join(f"{folder} ({len(files)} files)" for folder, files in record.data.items()),
        "approved": f"{approval.at:%Y-%m-%d %H:%M} UTC by {approval.by}",
        "override": approval.override,
        "overridden": "; ".join(approval.overridden),
        "reason": approval.reason,
    }
    return "\n".join(f"{name:<12} {value}" for name, value in lines.items() if value)


def question(candidate: Any) -> str:
    """Return the request for an approval, and the command that approves it."""
    approval, verdict = candidate.request, candidate.verdict
    against = [rule["name"] for rule in verdict["rules"] if rule["enabled"] and not rule["passed"]]
    challenger, rival = verdict["challenger"], verdict["champion"]
    command = f"vizinho registry promote {approval.commit} --verdict {approval.verdict} --champion {approval.champion or 'none'}"
    return "\n".join([
        f"{candidate.artefact}: {challenger['system']} of run {approval.commit[:9]} replaces {approval.champion or 'the donor of day one'}?",
        f"verdict      {verdict['verdict']}" + (f" (without {', '.join(against)})" if against else ""),
        f"WER          {100 * rival['wer']:.2f} % -> {100 * challenger['wer']:.2f} %",
        f"approve      {command}" + ("" if verdict["verdict"] == "promote" else " --override REASON"),
    ])


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))

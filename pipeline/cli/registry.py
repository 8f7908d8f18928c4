"""`vizinho registry`: which model is in use, on what evidence; promotion, rollback and the proof of both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.registry.record import Record

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None,
                  help="Which model is in use, and on what evidence. Promotion, rollback and the proof of both; works on the checkout you are in.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
By = Annotated[str | None, typer.Option(help="Who decides; git's user by default.", show_default=False)]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Every version, the newest first; the one in use is marked."""
    from pipeline.registry.record import champion, records

    root = checkout()
    path, current = champion(root)
    found = records(root)[::-1]
    if as_json:
        _print_json({"champion": {"path": path, "version": current.version if current else None}, "records": [record.as_json() for record in found]})
    elif not found:
        typer.echo(f"day one: {path} is in use, nothing was promoted yet")
    for record in found if not as_json else ():
        typer.echo(row(record, in_use=current is not None and record.version == current.version))


@app.command()
def show(version: Annotated[str | None, typer.Argument(help="v0.1.0; the champion by default.", show_default=False)] = None,
         as_json: AsJson = False) -> None:
    """One version's record: model, data, verdict, who let it into use."""
    from pipeline.core.errors import MissingInputError
    from pipeline.registry.record import champion, records

    root = checkout()
    path, current = champion(root)
    if version is None and current is None:
        day_one = {"path": path, "version": None}
        _print_json(day_one) if as_json else typer.echo(f"day one: {path} is in use, nothing was promoted yet")
        return
    known = {record.version: record for record in records(root)}
    wanted = version or (current.version if current else "")
    if wanted not in known:
        raise MissingInputError(f"registry {wanted}", "no such record", f"one of {', '.join(known) or 'none'}", "vizinho registry list")
    _print_json(known[wanted].as_json()) if as_json else typer.echo(described(known[wanted]))


@app.command()
def promote(commit: Annotated[str, typer.Argument(help="The run: a commit with its dvc.lock and verdict.")] = "HEAD",
            verdict: Annotated[str | None, typer.Option(help="SHA-256 of the verdict that was approved.", show_default=False)] = None,
            champion: Annotated[str | None, typer.Option(help="Tag of the champion that it was approved against; `none` on day one.",
                                                         show_default=False)] = None,
            by: By = None,
            override: Annotated[str | None, typer.Option(help="Why in spite of the verdict.", show_default=False)] = None,
            ask: Annotated[bool, typer.Option("--ask", help="Only say what would be approved, and the command for it.")] = False) -> None:
    """Make a run's challenger the champion.

    The yes holds for this commit, this verdict and this champion; without --verdict and --champion, for what they are now.

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
def rollback(version: Annotated[str, typer.Argument(help="The version whose model comes back: v0.1.0, or day-one.", show_default=False)],
             reason: Annotated[str, typer.Option(help="Why; it goes on record.")], by: By = None) -> None:
    """Bring an earlier model back as champion.

    vizinho registry rollback v0.1.0 --reason "numbers are misheard since v0.2.0"
    """
    from pipeline.registry import promotion

    root = checkout()
    promotion.rollback(root, version, by or identity(root), reason)


@app.command()
def gates(write: Annotated[bool, typer.Option("--write", help="Write this run's place into params.yaml, where the gate reads it.")] = False,
          as_json: AsJson = False) -> None:
    """How many gates were run since the last promotion, and which of them this run's is; counted from git.

    Each has a smaller error level, so that many tries do not promote by luck. Between `dvc repro score` and `dvc repro gate`.

    vizinho registry gates --write
    """
    from pipeline.core.params import read_params
    from pipeline.registry import gates as ledger
    from pipeline.scoring.rules import spent_level

    root = checkout()
    ledger.fetch_runs(root)
    policy, place = read_params(root / ledger.PARAMS)["gate"], ledger.place(root)
    if write:
        ledger.write_gate_index(root, place)
    level, stated = spent_level(policy["alpha"], place), place if write else policy["gates_since_promotion"]
    if as_json:
        _print_json({"gates_before": place, "one_sided_level": level, "params": stated})
        return
    typer.echo(f"gate {place + 1} of the period since the last promotion: one-sided error level {level:.2g}")
    if stated != place:
        typer.echo(f"params.yaml has gate.gates_since_promotion: {stated} (`vizinho registry gates --write`, then `dvc repro gate`)")


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Prove that models, data and verdicts are what the records say; exit 1 where one is not.

    Every byte is read again, in the DVC cache and in the DVC remote.
    """
    from dataclasses import asdict

    from pipeline.registry.verify import verify as prove

    proofs = prove(checkout())
    if as_json:
        _print_json([asdict(proof) for proof in proofs])
    else:
        for proof in proofs:
            where = f" ({' and '.join(proof.places)} read)" if proof.places else ""
            typer.echo(f"{proof.version}: " + ("\n  ".join(["DOES NOT HOLD", *proof.problems]) if proof.problems else f"holds{where}"))
    if any(proof.problems for proof in proofs):
        raise typer.Exit(1)


def checkout() -> Path:
    """Return the top of the checkout that the command was given in.

    Raises:
        PipelineError: it was given outside of one.
    """
    from pipeline.registry.git import git

    return Path(git(Path.cwd(), "rev-parse", "--show-toplevel"))


def identity(root: Path) -> str:
    """Return git's user: "Ana Reis <ana@example.org>"."""
    from pipeline.registry.git import git

    name, _, _ = git(root, "var", "GIT_AUTHOR_IDENT").partition(">")
    return f"{name}>"


def row(record: Record, *, in_use: bool) -> str:
    """Return a record in a line."""
    origin = f"model of {record.restores}" if record.restores else record.system
    return (f"{'*' if in_use else ' '} {record.version:<8} {record.promoted_at:%Y-%m-%d %H:%M}  WER {100 * record.verdict.wer:6.2f} %  "
            f"{record.verdict.verdict:<12}  {origin:<16}  run {record.commit[:9]}  by {record.approval.by}")


def described(record: Record) -> str:
    """Return a record for people."""
    leave, judged = record.approval, record.verdict
    lines = {
        "artefact": f"{record.artefact} {record.version}, {record.promoted_at:%Y-%m-%d %H:%M} UTC",
        "model": f"{record.system} of run {record.commit}, weights {record.model.weights_hash[:12]}, DVC {record.model.dvc}",
        "back from": record.restores,
        "in place of": record.replaces or "day one's donor",
        "verdict": f"{judged.verdict} (gate {judged.gates} of its period), SHA-256 {judged.hash[:12]}",
        "measured": f"WER {100 * judged.wer:.2f} %, CER {100 * judged.cer:.2f} % on test set {record.test_set[:12]}, {record.normaliser}",
        "data": ", ".join(f"{folder} ({len(files)} files)" for folder, files in record.data.items()),
        "by": leave.by,
        "override": leave.override,
        "reason": leave.reason,
    }
    return "\n".join(f"{name:<12} {value}" for name, value in lines.items() if value)


def question(candidate: Any) -> str:
    """Return what a yes is asked for, and the command that gives it."""
    approval, verdict = candidate.request, candidate.verdict
    against = [rule["name"] for rule in verdict["rules"] if rule["enabled"] and not rule["passed"]]
    challenger, rival = verdict["challenger"], verdict["champion"]
    command = f"vizinho registry promote {approval.commit} --verdict {approval.verdict} --champion {approval.champion or 'none'}"
    return "\n".join([
        f"{candidate.artefact}: {challenger['system']} of run {approval.commit[:9]} in place of {approval.champion or 'the donor of day one'}?",
        f"verdict      {verdict['verdict']}" + (f" (without {', '.join(against)})" if against else ""),
        f"WER          {100 * rival['wer']:.2f} % -> {100 * challenger['wer']:.2f} %",
        f"yes          {command}" + ("" if verdict["verdict"] == "promote" else " --override WHY"),
    ])


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))

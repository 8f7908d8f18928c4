"""`vizinho`: every word of the command line, and what becomes of errors.

Exit codes: 0 done (a verdict of any kind is done), 1 the work failed or some inputs failed, 2 wrong usage or params.
Everything heavy is imported where it is used, so that `--help` answers at once.
"""

from __future__ import annotations

import importlib
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.registry import app as registry
from pipeline.core.errors import ParamsError
from pipeline.core.stage import arguments_of, exit_with_code

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  help="Portuguese speech recognition, retrained from a Spanish model and promoted on evidence.")
app.add_typer(registry, name="registry")


class Locale(StrEnum):
    """Whose writing rules hold."""

    BRAZIL = "pt-BR"
    PORTUGAL = "pt-PT"
    SPANISH = "es"


class Format(StrEnum):
    """How transcripts are printed."""

    TXT = "txt"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


class Stage(StrEnum):
    """The stages of dvc.yaml."""

    INGEST = "ingest"
    NORMALISE = "normalise"
    SPLIT = "split"
    TOKENISE = "tokenise"
    RANK = "rank"
    DONOR = "donor"
    ALIGN = "align"
    TRAIN = "train"
    TRANSCRIBE = "transcribe"
    SCORE = "score"
    GATE = "gate"
    REPORT = "report"


class Trained(StrEnum):
    """What is trained by a config: the donor by its own, the rest by train's."""

    DONOR = "donor"
    TRANSFER = "transfer"
    SCRATCH = "scratch"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Transcripts = "lines of id<TAB>text[<TAB>speaker]"


@app.command()
def normalise(locale: Annotated[Locale, typer.Option(help="Whose numbers, money and abbreviations.")]) -> None:
    """Written form to spoken form, line by line.

    From standard input to standard output, each line as soon as it comes.

    echo "A loja abre às 14h30." | vizinho normalise --locale pt-BR
    """
    from pipeline.cli.normalise import normalise_stream

    normalise_stream(locale.value, sys.stdin.buffer, sys.stdout.buffer)


@app.command()
def score(reference: Annotated[Path, typer.Option(help=Transcripts)], hypothesis: Annotated[Path, typer.Option(help=Transcripts)],
          locale: Annotated[Locale | None, typer.Option(help="Normalise both sides by this locale's rules first.")] = None,
          as_json: AsJson = False) -> None:
    """WER and CER of transcripts, with intervals over speakers.

    vizinho score --reference ref.tsv --hypothesis hyp.tsv --locale pt-BR
    """
    from pipeline.cli.score import render_score, score_files

    _show(score_files(reference, hypothesis, locale.value if locale else None), render_score, as_json)


@app.command()
def compare(reference: Annotated[Path, typer.Option(help=Transcripts)], champion: Annotated[Path, typer.Option(help=Transcripts)],
            challenger: Annotated[Path, typer.Option(help=Transcripts)],
            locale: Annotated[Locale | None, typer.Option(help="Normalise all sides by this locale's rules first.")] = None,
            as_json: AsJson = False) -> None:
    """Which of two systems' transcripts are better, beyond chance.

    The paired difference of WER and CER with its interval and p-values, on the whole and by slice.

    vizinho compare --reference ref.tsv --champion a.tsv --challenger b.tsv
    """
    from pipeline.cli.compare import compare_files, render_compare

    _show(compare_files(reference, champion, challenger, locale.value if locale else None), render_compare, as_json)


@app.command()
def transcribe(audio: Annotated[list[Path], typer.Argument(help="Sound files: wav, flac, mp3, ogg, opus.", show_default=False)],
               model: Annotated[Path | None, typer.Option(help="Model folder; the champion by default.")] = None,
               form: Annotated[Format, typer.Option("--format", help="json and the subtitle forms carry word times.")] = Format.TXT) -> None:
    """What is said in sound files. Files that fail are named on standard error; the others are done all the same.

    vizinho transcribe --format srt talk.flac
    """
    from pipeline.cli.transcribe import render, transcribe_files

    results = transcribe_files(audio, model)
    typer.echo(render(results, form.value), nl=False)
    failed = [result for result in results if "error" in result]
    for result in failed:
        typer.echo(f"error: {result['file']}: {result['error']}", err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def rank(as_json: AsJson = False) -> None:
    """Which language is nearest to Portuguese.

    By words, sounds and letters, as the last `dvc repro rank` found.
    """
    from pipeline.core.files import ROOT, read_json
    from pipeline.rank import ranking_table

    _show(read_json(ROOT / "data/rank/ranking.json"), ranking_table, as_json)


@app.command()
def doctor(profile: Annotated[str | None, typer.Option(help="A file of profiles/, without its ending; params.yaml by default.")] = None) -> None:
    """Is this machine fit, and do the params hold together?

    What is installed, what differs from the lock, what the machine has, every problem of the params at once (exit 2), and
    whether data, checkpoint, memory and disk are there for what they ask for (exit 1 where a run cannot start).
    """
    from pipeline.cli.doctor import examine, params_file, problems
    from pipeline.cli.needs import examine_needs
    from pipeline.core.params import read_params

    path = params_file(profile)
    lines, healthy = examine()
    typer.echo("\n".join(lines))
    if wrong := problems(path):
        raise ParamsError(path.name, wrong)
    typer.echo(f"params           {path.name} holds together")
    needs, ready = examine_needs(read_params(path))
    typer.echo("\n".join(needs))
    if not (healthy and ready):
        raise typer.Exit(1)


@app.command()
def budget(system: Annotated[Trained, typer.Argument(help="Whose step: scratch moves most weights, so what fits it fits all of train.")]
           = Trained.SCRATCH,
           profile: Annotated[str | None, typer.Option(help="A file of profiles/, without its ending; params.yaml by default.")] = None,
           memory: Annotated[float | None, typer.Option(help="GiB to stay within; by default nine tenths of the device's.", min=0.1)] = None,
           as_json: AsJson = False) -> None:
    """How large batch_s may be on this device.

    By real steps on noise, at the longest and the shortest utterances, doubled and then halved in between; two minutes at
    most. Data need not be there. Nothing is written: put the figure into the params, where a run takes it from.

    vizinho budget --profile common-voice-xlsr
    """
    from pipeline.cli.budget import budget_of, render_budget
    from pipeline.cli.doctor import params_file, problems
    from pipeline.core.params import read_params

    path = params_file(profile)
    if wrong := problems(path):
        raise ParamsError(path.name, wrong)
    _show(budget_of(read_params(path), system.value, memory), render_budget, as_json)


@app.command()
def stage(name: Stage, words: Annotated[list[str] | None, typer.Argument(
        help="What follows in dvc.yaml: a corpus, a language, a system and its model.", show_default=False)] = None) -> None:
    """Run one stage by itself, as dvc.yaml would.

    DVC does not notice: the next `dvc repro` runs it again.

    vizinho stage split portuguese
    """
    run = importlib.import_module(f"pipeline.{name.value}").run
    given, wanted = words or [], arguments_of(run)
    if len(given) != len(wanted):
        raise typer.BadParameter(f"{name.value} takes {' '.join(map(str.upper, wanted)) or 'no words'}; found {' '.join(given) or 'none'}")
    run(*given)


def _show(value: Any, render: Any, as_json: bool) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) if as_json else render(value))


def main() -> None:
    """Run the command line."""
    with exit_with_code():
        app()


if __name__ == "__main__":
    main()

"""`vizinho`: the commands, their arguments and exit codes.

Exit codes: 0 done (a verdict of any kind is done), 1 the work failed or some inputs failed, 2 wrong usage or params.
Commands import heavy packages only when they run, so that `--help` answers at once.
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
from pipeline.core.errors import MissingInputError, ParamsError
from pipeline.core.stage import arguments_of, exit_with_code, optional_arguments_of

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  help="Retrain Portuguese speech recognition from a Spanish model, and promote a new model only on evidence.")
app.add_typer(registry, name="registry")


class Locale(StrEnum):
    """The locale whose writing rules apply."""

    BRAZIL = "pt-BR"
    PORTUGAL = "pt-PT"
    SPANISH = "es"


class Format(StrEnum):
    """The format of transcripts."""

    TXT = "txt"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


class Channels(StrEnum):
    """What to do with a recording of several channels."""

    AUTO = "auto"
    MIX = "mix"
    EACH = "each"


class Backend(StrEnum):
    """What runs the network."""

    TORCH = "torch"
    ONNX = "onnx"
    ONNX_INT8 = "onnx-int8"


class Stage(StrEnum):
    """The stages of dvc.yaml."""

    INGEST = "ingest"
    NORMALISE = "normalise"
    SPLIT = "split"
    TOKENISE = "tokenise"
    LANGUAGE_MODEL = "language_model"
    RANK = "rank"
    DONOR = "donor"
    ALIGN = "align"
    TRAIN = "train"
    EXPORT = "export"
    TRANSCRIBE = "transcribe"
    SCORE = "score"
    GATE = "gate"
    REPORT = "report"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Reference = "File with lines id<TAB>text[<TAB>speaker]."
Hypothesis = "File with lines id<TAB>text; further columns are ignored."
Profile = Annotated[str | None, typer.Option(help="A file in profiles/, without its extension. Default: params.yaml, which the flows call embedded.")]


@app.command()
def normalise(locale: Annotated[Locale, typer.Option(help="Locale of numbers, money and abbreviations.")]) -> None:
    """Convert written text to its spoken form, line by line.

    Read standard input and write standard output; each line is written as soon as it is read.

    echo "A loja abre às 14h30." | vizinho normalise --locale pt-BR
    """
    from pipeline.cli.normalise import normalise_stream

    normalise_stream(locale.value, sys.stdin.buffer, sys.stdout.buffer)


@app.command()
def score(reference: Annotated[Path, typer.Option(help=Reference)], hypothesis: Annotated[Path, typer.Option(help=Hypothesis)],
          locale: Annotated[Locale | None, typer.Option(help="Normalise both files by the rules of this locale first.")] = None,
          as_json: AsJson = False) -> None:
    """Compute WER and CER with intervals over speakers.

    vizinho score --reference ref.tsv --hypothesis hyp.tsv --locale pt-BR
    """
    from pipeline.cli.score import render_score, score_files

    _show(score_files(reference, hypothesis, locale.value if locale else None), render_score, as_json)


@app.command()
def compare(reference: Annotated[Path, typer.Option(help=Reference)], champion: Annotated[Path, typer.Option(help=Hypothesis)],
            challenger: Annotated[Path, typer.Option(help=Hypothesis)],
            locale: Annotated[Locale | None, typer.Option(help="Normalise all files by the rules of this locale first.")] = None,
            as_json: AsJson = False) -> None:
    """Compare the transcripts of two systems on the same utterances.

    Print the paired differences of WER and CER with intervals and p-values, in total and by slice.

    vizinho compare --reference ref.tsv --champion a.tsv --challenger b.tsv
    """
    from pipeline.cli.compare import compare_files, render_compare

    _show(compare_files(reference, champion, challenger, locale.value if locale else None), render_compare, as_json)


@app.command()
def transcribe(audio: Annotated[list[str], typer.Argument(show_default=False,
                                                          help="Audio files, folders or glob patterns such as '*.mp3'; - for standard input.")],
               model: Annotated[Path | None, typer.Option(help="Model folder. Default: the champion.")] = None,
               form: Annotated[Format, typer.Option("--format", help="Output format; json, srt and vtt include word times.")] = Format.TXT,
               channels: Annotated[Channels, typer.Option(help="Mix the channels of a recording, or transcribe each as one speaker. "
                                                               "auto: decide by the audio.")] = Channels.AUTO,
               lm: Annotated[bool, typer.Option("--lm/--no-lm", help="Use the model's decoder with its language model, or decode greedily.")] = True,
               hotwords: Annotated[Path | None, typer.Option(help="File of phrases to favour, one per line, optionally a tab and a weight "
                                                                  "of its bonus. Rare names, for example.")] = None,
               backend: Annotated[Backend, typer.Option(help="What runs the network. onnx and onnx-int8 start sooner; they need the exports that "
                                                             "the gate let pass.")] = Backend.TORCH,
               stream: Annotated[bool, typer.Option("--stream", help="Print each part as a line of JSON as soon as it is decoded.")] = False) -> None:
    """Transcribe audio of any length.

    Files that fail are listed on standard error (exit code 1); the others are transcribed.

    vizinho transcribe --format srt talk.flac

    arecord -f S16_LE -r 16000 | vizinho transcribe --stream -
    """
    from pipeline.cli.transcribe import audio_files, read_hot_words, render, results, stream_entry, transcribe_files

    files = audio_files(audio)
    if stream and form is not Format.TXT:
        raise typer.BadParameter("--stream prints JSON lines; leave --format out")
    items = transcribe_files(files, model, channels.value, live=stream, language_model=lm,
                             hot_words=read_hot_words(hotwords) if hotwords else (), backend=backend.value)
    if stream:
        found = []
        for entry in map(stream_entry, items):
            sys.stdout.write(json.dumps(entry, ensure_ascii=False) + "\n")
            sys.stdout.flush()
            found += [entry] if "text" not in entry else []  # ends only: the segments of a live stream never stop
    else:
        found = results(items)
        typer.echo(render(found, form.value), nl=False)
    failed = [result for result in found if "error" in result]
    for result in found:
        if "warnings" in result:
            typer.echo(f"warning: {result['file']}: {'; '.join(result['warnings'])}", err=True)
    for result in failed:
        typer.echo(f"error: {result['file']}: {result['error']}", err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def serve(host: Annotated[str, typer.Option(help="Address to listen on. Other addresses than the loopback interface need a token.")] = "127.0.0.1",
          port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
          backend: Annotated[Backend, typer.Option(help="What runs the network.")] = Backend.TORCH,
          model: Annotated[Path | None, typer.Option(help="Model folder. Default: the champion, replaced when champion.yaml changes.")] = None,
          checkout: Annotated[Path | None, typer.Option(help="Checkout whose champion is served. Default: the one of this program.",
                                                        exists=True, file_okay=False, show_default=False)] = None,
          lm: Annotated[bool, typer.Option("--lm/--no-lm", help="Use the model's decoder with its language model, or decode greedily.")] = True,
          workers: Annotated[int | None, typer.Option(help="Batches that run at the same time. Default: one per processor, two on a GPU.", min=1,
                                                      show_default=False)] = None,
          batch_s: Annotated[float, typer.Option(help="Seconds of audio per batch, padding included.", min=1)] = 30.0,
          requests: Annotated[int, typer.Option(help="Requests at a time, uploads included; further ones get status 429.", min=1)] = 64,
          upload_mib: Annotated[int, typer.Option(help="Largest request in MiB (413).", min=1)] = 1024,
          upload_s: Annotated[float, typer.Option(help="Time for an upload in seconds (408).", min=1)] = 600.0,
          audio_s: Annotated[float, typer.Option(help="Longest recording in seconds (413).", min=1)] = 14_400.0,
          answer_s: Annotated[float, typer.Option(help="Time for a transcription in seconds (408).", min=1)] = 3600.0,
          connections: Annotated[int, typer.Option(help="Open connections; further ones replace those that have no request.", min=1)] = 512,
          grace_s: Annotated[float, typer.Option(help="Time for running requests after SIGTERM, in seconds; those that are left get 503.",
                                                 min=0)] = 30.0,
          pull_s: Annotated[float, typer.Option(help="Pull the checkout's main and the champion's model at the start and each time so many "
                                                "seconds have passed. 0: never.", min=0)] = 0.0,
          unload_after_s: Annotated[float, typer.Option(help="Unload a model that nobody has used for this time, in seconds. 0: never.",
                                                        min=0)] = 0.0) -> None:
    """Serve the champion over HTTP, in the form of OpenAI's API.

    Clients send the token in the environment variable VIZINHO_SERVE_TOKEN. Without one, only this machine can connect.

    vizinho serve --port 8000 &

    curl -F file=@talk.flac -F model=vizinho http://127.0.0.1:8000/v1/audio/transcriptions
    """
    from pipeline.cli.serve import serve_until_stopped

    serve_until_stopped(host, port, backend.value, model, checkout=checkout.resolve() if checkout else None, language_model=lm, workers=workers,
                        batch_s=batch_s, requests=requests, upload_bytes=upload_mib << 20, upload_s=upload_s, audio_s=audio_s, answer_s=answer_s,
                        connections=connections, grace_s=grace_s, pull_s=pull_s, unload_after_s=unload_after_s)


@app.command()
def rank(audio: Annotated[list[str] | None, typer.Option(help="LANG=PATH: recordings of a language, without transcripts. A folder, a file, or a "
                                                            "table with a column of paths. Portuguese (pt) and at least two donors.",
                                                         metavar="LANG=PATH", show_default=False)] = None,
         more: Annotated[list[str] | None, typer.Argument(help="Further LANG=PATH after --audio.", metavar="[LANG=PATH]...",
                                                          show_default=False)] = None,
         checkpoint: Annotated[list[str] | None, typer.Option(help="LANG=FOLDER: a donor checkpoint with a head, evaluated on a small transcribed "
                                                                   "set. Repeat the option for several.", metavar="LANG=FOLDER",
                                                              show_default=False)] = None,
         transcribed: Annotated[Path | None, typer.Option(help="The set for --checkpoint: a Parquet file of a split. Default: "
                                                               "data/split/portuguese/dev.parquet.", show_default=False)] = None,
         encoder: Annotated[Path | None, typer.Option(help="Model whose encoder compares the recordings: a folder of this project, or a wav2vec2 "
                                                           "checkpoint. Default: data/donor.", show_default=False)] = None,
         layer: Annotated[int | None, typer.Option(help="Layer of the encoder; 0 is the input of its first block. Default: two below the top, "
                                                        "at least 1.",
                                                   min=0, show_default=False)] = None,
         minutes: Annotated[float, typer.Option(help="Speech per language, at most.", min=0.1)] = 10.0,
         units: Annotated[int, typer.Option(help="Sounds that k-means distinguishes; 500 for hours of speech.", min=8, max=2000)] = 64,
         pieces: Annotated[int, typer.Option(help="Sequences of sounds that are counted; 10000 for hours of speech.", min=8, max=50_000)] = 200,
         seed: Annotated[int, typer.Option(help="Seed of k-means, of the order of reading and of the resamples.", min=0)] = 1,
         as_json: AsJson = False) -> None:
    """Print which languages are closest to Portuguese.

    Show the result of the last `dvc repro rank`: similarity by words, sounds, letters and synthetic speech, and which donor to take. With
    --audio, compare recordings instead. Recordings that cannot be read or are silent are listed on standard error (exit code 1); the others are
    compared.

    vizinho rank --audio es=recordings/es it=recordings/it pt=recordings/pt

    vizinho rank --checkpoint es=data/donor
    """
    from pipeline.core.files import ROOT, read_json
    from pipeline.rank import ranking_table

    if checkpoint:
        from pipeline.cli.rank import rank_checkpoints, render_checkpoints

        if audio or more:
            raise typer.BadParameter("--checkpoint and --audio are two rankings; give one of them")
        _show(rank_checkpoints(checkpoint, transcribed or ROOT / "data/split/portuguese/dev.parquet", seed), render_checkpoints, as_json)
        return
    if not audio:
        if more or encoder or layer is not None:
            raise typer.BadParameter(f"{more[0] if more else '--encoder, --layer'}: only with --audio LANG=PATH")
        _show(read_json(ROOT / "data/rank/ranking.json"), ranking_table, as_json)
        return
    from pipeline.cli.rank import rank_audio, render_rank_audio
    from pipeline.similarity.acoustic import Settings

    found = rank_audio([*audio, *(more or ())], encoder, layer, minutes, Settings(units, pieces, 5, seed), 1000)
    _show(found, render_rank_audio, as_json)
    failed = [entry for row in found["speech"] for entry in row["failed"]]
    for entry in failed:
        typer.echo(f"error: {entry['file']}: {entry['error']}", err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def doctor(profile: Profile = None,
           stage: Annotated[list[str] | None, typer.Option(help="Check only the params, and what this stage needs: ingest@NAME, donor. Repeat "
                                                           "the option for several stages.", show_default=False)] = None) -> None:
    """Check this machine and the params before a run.

    List installed versions, differences from requirements/*.txt, and hardware. List every problem of the params (exit code 2). Check data,
    checkpoint, memory and disk that the params need (exit code 1 if a run cannot start). A flow calls it with the stages that it is going to run.
    """
    from pipeline.cli.doctor import examine, params_file, problems
    from pipeline.cli.run_requirements import examine_needs, unmet_needs
    from pipeline.core.params import read_params

    path = params_file(profile)
    if stage:
        if wrong := problems(path):
            raise ParamsError(path.name, wrong)
        if unmet := unmet_needs(read_params(path), stage):
            raise MissingInputError(path.name, f"{len(unmet)} requirement{'s' * (len(unmet) > 1)} not met\n  " + "\n  ".join(unmet))
        return
    lines, healthy = examine()
    typer.echo("\n".join(lines))
    if wrong := problems(path):
        raise ParamsError(path.name, wrong)
    typer.echo(f"params           {path.name} is valid")
    needs, ready = examine_needs(read_params(path))
    typer.echo("\n".join(needs))
    if not (healthy and ready):
        raise typer.Exit(1)


@app.command()
def budget(system: Annotated[str | None, typer.Argument(help="donor, or a system of train.systems. Default: gate.baseline.",
                                                        show_default=False)] = None,
           profile: Profile = None,
           memory: Annotated[float | None, typer.Option(help="Memory limit in GiB. Default: 90 % of the device's memory.", min=0.1)] = None,
           as_json: AsJson = False) -> None:
    """Find the largest batch_s that fits this device.

    batch_s is the seconds of audio per batch, padding included. Run real training steps on noise, with the longest and the shortest utterances,
    for at most two minutes. No data are needed. Nothing is written: copy the figure into the params.

    vizinho budget --profile common-voice-xlsr
    """
    from pipeline.cli.budget import budget_of, render_budget
    from pipeline.cli.doctor import params_file, problems
    from pipeline.core.params import read_params

    path = params_file(profile)
    if wrong := problems(path):
        raise ParamsError(path.name, wrong)
    params = read_params(path)
    trained = ["donor", *params["train"]["systems"]]
    wanted = system or params["gate"]["baseline"]
    if wanted not in trained:
        raise ParamsError("vizinho budget", [f"system: found {wanted!r}; expected one of {', '.join(trained)}"])
    _show(budget_of(params, wanted, memory), render_budget, as_json)


@app.command()
def stage(name: Stage, arguments: Annotated[list[str] | None, typer.Argument(
        help="Arguments of the stage as in dvc.yaml: a corpus, a language, a system and its model.", show_default=False)] = None) -> None:
    """Run one stage without DVC.

    DVC does not record the run: the next `dvc repro` runs the stage again.

    vizinho stage split portuguese
    """
    run = importlib.import_module(f"pipeline.{name.value}").run
    given, wanted, optional = arguments or [], arguments_of(run), optional_arguments_of(run)
    if not len(wanted) <= len(given) <= len(wanted) + len(optional):
        takes = [*map(str.upper, wanted), *(f"[{argument.upper()}]" for argument in optional)]
        raise typer.BadParameter(f"{name.value} takes {' '.join(takes) or 'no arguments'}; found {' '.join(given) or 'none'}")
    run(*given)


def _show(value: Any, render: Any, as_json: bool) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) if as_json else render(value))


def main() -> None:
    """Run the command line."""
    with exit_with_code():
        app()


if __name__ == "__main__":
    main()

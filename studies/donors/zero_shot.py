"""The donors on Portuguese before any training in it, on synthetic and on real speech: does the order hold outside of the synthesiser?

    python -m studies.donors.zero_shot MANIFEST.tsv [--utterances N]

MANIFEST.tsv has the columns path (relative to it), text, language, speaker and subset; rows whose language is `pt` are read, N of each
subset at most. A donor writes in the letters of its own language, so references and hypotheses are compared without accents, and only by
CER. Prints a table, and the rank correlation of each prediction with it. No DVC stage: the recordings are not the project's.
"""

from __future__ import annotations

import argparse
import csv
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from pipeline.audio.codecs import read_audio
from pipeline.audio.resample import resample
from pipeline.audio.samples import to_int16
from pipeline.batching.waveforms import UtteranceAudio, Waveform, prepare
from pipeline.core.files import hash_bytes, read_json
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.core.stage import exit_with_code
from pipeline.decoding.forward import decode_all
from pipeline.decoding.greedy import decode
from pipeline.model.artifact import load_model
from pipeline.model.device import choose_device, exclusive, set_threads
from pipeline.model.geometry import frame_duration_s
from pipeline.text import normalise
from studies.donors.outcome import correlation, errors_of, predictions
from studies.donors.results import RANKING, coefficient, label, rate_of, shown
from studies.donors.settings import DONORS, Results, Transfer, donors, section
from studies.donors.trials import ANYWHERE, test_set

LONGEST_S = 12.0
FEWEST = 20  # utterances of a subset; fewer are left out
THREADS = 2


def folded(text: str) -> str:
    """Return a normalised text without accents: `irmã` → `irma`."""
    return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))


def real_utterances(manifest: Path, utterances: int) -> dict[str, tuple[pd.DataFrame, Callable[[int], Waveform]]]:
    """Return the Portuguese utterances of each subset of a manifest, drawn by hash, with a function for their waveforms.

    Args:
        manifest: the table.
        utterances: of a subset, at most.
    """
    release = pd.read_csv(manifest, sep="\t", quoting=csv.QUOTE_NONE, dtype=str, keep_default_na=False)
    release = release[(release["language"] == "pt") & (release["text"] != "")]
    found = {}
    for subset, rows in release.groupby("subset"):
        order = sorted(rows.index, key=lambda index, paths=rows["path"]: hash_bytes(paths[index].encode()))[:utterances]
        kept, samples = [], []
        for index in order:
            waveform_S, rate_hz = read_audio(manifest.parent / rows["path"][index], LONGEST_S)
            text = normalise(rows["text"][index], "pt-BR")
            if text and len(waveform_S) <= LONGEST_S * rate_hz:
                samples.append(to_int16(resample(waveform_S, rate_hz)))
                kept.append({"utterance_id": rows["path"][index], "speaker": rows["speaker"][index], "text": text,
                             "duration_s": len(samples[-1]) / SAMPLE_RATE_HZ})
        if len(kept) >= FEWEST:
            table = pd.DataFrame(kept)
            if table["speaker"].nunique() == 1:
                table["speaker"] = table["utterance_id"]  # its interval is over utterances: it holds for this speaker only
            found[str(subset)] = table, (lambda number, samples=samples: prepare(samples[number], True))
    return found


def hypotheses_of(name: str, table: pd.DataFrame, waveform: Callable[[int], Waveform]) -> pd.DataFrame:
    """Return what a donor makes of some utterances, references and hypotheses without accents.

    Args:
        name: of the donor.
        table: the utterances.
        waveform: returns that of utterance i.
    """
    model, vocabulary, _ = load_model(DONORS / name / "equal_cer")
    frame_s = frame_duration_s(model)
    texts = decode_all(model, lambda logits_TV: decode(logits_TV, vocabulary, frame_s).text, waveform, table["duration_s"].to_numpy(dtype=float), 60)
    return pd.DataFrame({"start": name, "seed": 0, "utterance_id": table["utterance_id"], "speaker": table["speaker"],
                         "reference": table["text"].map(folded), "hypothesis": [folded(text) for text in texts]})


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m studies.donors.zero_shot")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--utterances", type=int, default=150, help="of each subset, at most")
    arguments = parser.parse_args()
    params = section(Results, "results")
    synthetic = test_set(section(Transfer, "transfer").test_utterances)
    sets = {"synthetic": (synthetic, UtteranceAudio(synthetic, ANYWHERE).waveform), **real_utterances(arguments.manifest, arguments.utterances)}
    near = {name: one for name, one in predictions(read_json(RANKING)).items() if not name.startswith("measure ")}
    set_threads(THREADS)
    columns, correlations = {}, []
    with exclusive(choose_device(), THREADS):
        for subset, (table, waveform) in sets.items():
            errors = errors_of(pd.concat([hypotheses_of(name, table, waveform) for name in donors()]), "characters")
            columns[f"{subset}, {len(table)} utterances"] = {
                name: shown(rate_of(errors, name, None, params)) for name in donors()}
            correlations.append((subset, {name: correlation(one, errors, params.level, params.resamples, params.seed) for name, one in near.items()}))
    print("| donor | " + " | ".join(f"{name}: CER %" for name in columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for name in donors():
        print(f"| {label(name)} | " + " | ".join(column[name] for column in columns.values()) + " |")
    print("\n| speech | " + " | ".join(near) + " |\n" + "|---" * (len(near) + 1) + "|")
    for subset, found in correlations:
        print(f"| {subset} | " + " | ".join(coefficient(found[name]["spearman"]) for name in near) + " |")


if __name__ == "__main__":
    with exit_with_code():
        main()

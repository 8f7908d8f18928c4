"""Synthetic wrong transcripts in a training set: how many of them `align` drops, and how many correct ones with them.

    python -m benchmarks.align [--data data] [--aligner data/donor] [--speech FOLDER] [--seed 1] [--only CORPUS] [--train]

Needs a workspace in which `dvc repro` has run (`--data`). `--speech` is a folder of recorded speech with a manifest.tsv; the
benchmark uses the Portuguese read sentences of Common Voice and of one voice. Each corpus gets seeded errors of three kinds
(another utterance's transcript, the last third of the words cut, a Spanish sentence of similar length) at three shares, and
once in single words (the last one missing, one replaced). The stage runs unchanged, at its own threshold. Its rivals are the
usual filters: the character error rate of the aligner's greedy transcript, and the distance of the letters per second from the
median, each at the best threshold in hindsight.
`--train` then trains transfer on the embedded corpus, on the corpus with a fifth of wrong transcripts, and on what `align`
kept of that.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from pipeline import align, ingest, normalise
from pipeline.core.files import ROOT, read_json
from pipeline.registry.markdown import markdown_table
from pipeline.scoring.counts import align as compare
from pipeline.scoring.counts import count

SHARES = (0.0, 0.05, 0.2)
KINDS, WORDS = ("swapped", "truncated", "Spanish"), ("last word missing", "one word replaced")
RECORDED = {"one voice, read": "htsbr_m001", "Common Voice": "cv61"}
Flags = npt.NDArray[np.bool_]


def negatives(table: pd.DataFrame, spanish: list[str], share: float, kinds: tuple[str, ...], seed: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the table with a share of wrong transcripts, and the kind of each utterance's error ("" for a correct transcript)."""
    draw = np.random.default_rng(seed)
    texts, lengths = table["text"].tolist(), np.array([len(text) for text in spanish])
    chosen = draw.permutation(len(texts))[: round(share * len(texts))]
    kind_of, made = [""] * len(texts), list(texts)
    for order, number in enumerate(chosen.tolist()):
        kind, words, other = kinds[order % len(kinds)], texts[number].split(), texts[int(draw.integers(len(texts)))]
        if kind == "swapped":
            wrong = other
        elif kind == "truncated":
            wrong = " ".join(words[: max(1, round(len(words) * 2 / 3))])
        elif kind == "Spanish":
            wrong = spanish[int(draw.choice(np.argsort(np.abs(lengths - len(texts[number])), kind="stable")[:20]))]
        elif kind == "last word missing":
            wrong = " ".join(words[:-1])
        else:
            words[int(draw.integers(len(words)))] = str(draw.choice(other.split()))
            wrong = " ".join(words)
        if wrong and wrong != texts[number]:
            kind_of[number], made[number] = kind, wrong
    return table.assign(text=made), kind_of


def average_precision(bad: Flags, suspicion: npt.NDArray[np.float64]) -> float:
    """Return the area under precision over recall; the share of wrong transcripts is chance."""
    hits = bad[np.argsort(-suspicion, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean()) if hits.any() else float("nan")


def best_f1(bad: Flags, suspicion: npt.NDArray[np.float64]) -> float:
    """Return the best F1 of all thresholds."""
    hits = np.cumsum(bad[np.argsort(-suspicion, kind="stable")])
    return float((2 * hits / (np.arange(1, len(bad) + 1) + bad.sum())).max())


def f1(bad: Flags, dropped: Flags) -> float:
    return float(2 * (bad & dropped).sum() / max(1, bad.sum() + dropped.sum()))


def make_workspace(folder: Path, data: Path, subset: str | None) -> Path:
    """Create a workspace, with the embedded corpus's audio if there is no other subset; return it."""
    (folder / "data/split/portuguese").mkdir(parents=True)
    (folder / "data/split/portuguese/dev.parquet").write_bytes((data / "split/portuguese/dev.parquet").read_bytes())
    if subset is None:
        (folder / "data/ingest").symlink_to((data / "ingest").resolve())
    return folder


def greedy(table: pd.DataFrame, folder: Path, aligner: str) -> list[str]:
    """Return the aligner's greedy transcripts."""
    from pipeline.batching.waveforms import UtteranceAudio
    from pipeline.decoding.forward import decode_all
    from pipeline.decoding.greedy import decode
    from pipeline.model.artifact import expects_normalised_input, load_model
    from pipeline.model.device import choose_device

    model, vocabulary, _ = load_model(aligner)
    audio = UtteranceAudio(table, folder / "data/ingest", 0, expects_normalised_input(model))
    return decode_all(model.to(choose_device()), lambda logits_TV: decode(logits_TV, vocabulary, 0.02).text, audio.waveform,
                      table["duration_s"].to_numpy(), 60)


def trial(folder: Path, table: pd.DataFrame, kind_of: list[str], hypotheses: list[str], aligner: str) -> dict[str, Any]:
    """Run the stage on a corpus with wrong transcripts; return its figures and those of the other filters."""
    from pipeline.model.vocabulary import base_letter

    table.to_parquet(folder / "data/split/portuguese/train.parquet", index=False)
    (folder / "params.yaml").write_text(yaml.safe_dump({"align": {"portuguese": {"aligner": aligner, "max_dropped": 1.0, "min_power": 0.5}}}))
    began = time.perf_counter()
    align.run("portuguese", folder / "data", folder / "params.yaml")
    seconds = time.perf_counter() - began
    scores, found = pd.read_parquet(folder / "data/align/portuguese/scores.parquet"), read_json(folder / "data/align/portuguese/alignment.json")
    kinds, bad, dropped = np.array(kind_of), np.array([bool(kind) for kind in kind_of]), (scores["reason"] != "").to_numpy()
    bare = ["".join(map(base_letter, text)) for text in table["text"]]
    errors = count(compare(bare, ["".join(map(base_letter, text)) for text in hypotheses], "characters"))
    rate = np.log(table["text"].str.len() / table["duration_s"]).to_numpy()
    suspicion = {"align": -scores["score"].fillna(-np.inf).to_numpy(), "CER": errors.errors_B / errors.reference_B,
                 "letters per second": np.abs(rate - np.median(rate)), **{name: -scores[name].fillna(-np.inf).to_numpy() for name in
                                                                       ("label", "frame", "plain", "contrast", "window")}}
    percent = "{:.1%}".format
    return {
        "negatives": percent(bad.mean()), "dropped": percent(dropped.mean()), "estimated wrong": percent(found["wrong_share"]),
        "correct ones lost": percent(dropped[~bad].mean()), "precision": percent(bad[dropped].mean()) if dropped.any() else "–",
        "recall": percent(dropped[bad].mean()) if bad.any() else "–",
        **{f"… {kind}": percent(dropped[kinds == kind].mean()) for kind in sorted(set(kind_of) - {""})},
        "F1": f"{f1(bad, dropped):.3f}",
        **{f"best F1, {name}": f"{best_f1(bad, suspicion[name]):.3f}" for name in ("align", "CER", "letters per second")},
        **{f"AP, {name}": f"{average_precision(bad, value):.3f}" for name, value in suspicion.items()},
        "power": percent(found["power"]["all"]), "seconds": f"{seconds:.0f}",
    }


def recorded(folder: Path, speech: Path, subset: str) -> pd.DataFrame:
    """Ingest recorded speech; return its rows as a training set."""
    section = {"reader": "manifest", "language": "portuguese", "source": str(speech), "where": {"subset": subset, "language": "pt"},
               "locale": "pt-BR", "licence": "CC0-1.0", "max_reject_share": 0.5}
    (folder / "params.yaml").write_text(yaml.safe_dump({"ingest": {"recorded": section},
                                                       "normalise": {"recorded": {"language": "portuguese", "locale": "pt-BR"}}}))
    ingest.run("recorded", root=folder)
    normalise.run("recorded", data=folder / "data", params_file=folder / "params.yaml")
    table = pd.read_parquet(folder / "data/normalise/portuguese/recorded/manifest.parquet")
    return table[table["keep"]].assign(speaker_dependent=False).sort_values("utterance_id", ignore_index=True)


def spanish_of(speech: Path) -> list[str]:
    from pipeline.text.normaliser import normalise as spoken

    table = pd.read_csv(speech / "manifest.tsv", sep="\t", quoting=3, keep_default_na=False)
    return [spoken(text, "es") for text in table.loc[(table["language"] == "es") & (table["subset"] == "cv61"), "text"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--aligner", type=Path, help="default: the workspace's donor")
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--only", choices=["embedded", *RECORDED], help="one of the corpora")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--train", action="store_true")
    given = parser.parse_args()
    align.LEAST = 0  # type: ignore[misc]  # the stage refuses as few utterances as those of Common Voice here
    aligner = str((given.aligner or given.data / "donor").resolve())
    with tempfile.TemporaryDirectory() as name:
        os.environ["VIZINHO_STATE"] = f"{name}/state"
        corpora = {"embedded": None, **(RECORDED if given.speech else {})}
        for number, (corpus, subset) in enumerate(corpora.items()):
            if given.only not in (None, corpus):
                continue
            folder = make_workspace(Path(name, str(number)), given.data, subset)
            if subset is None:
                table = pd.read_parquet(given.data / "split/portuguese/train.parquet")
                spanish = pd.read_parquet(given.data / "split/spanish/train.parquet")["text"].tolist()
            else:
                table, spanish = recorded(folder, given.speech.resolve(), subset), spanish_of(given.speech)
            hypotheses = greedy(table, folder, aligner)
            rows = []
            for share, kinds in [*((share, KINDS) for share in SHARES), (0.2, WORDS)]:
                made, kind_of = negatives(table, spanish, share, kinds, given.seed)
                what = f"{share:.0%} {' / '.join(kinds)}" if share else "as it is"
                rows.append({"what": what, **trial(folder, made, kind_of, hypotheses, aligner)})
                print(rows[-1], flush=True)  # results so far, if the run is stopped
            whole = pd.DataFrame(rows).fillna("–").set_index("what").T.reset_index(names="")
            print(f"\n{corpus}: {len(table)} utterances, {table['duration_s'].sum() / 3600:.2f} hours\n\n"
                  + markdown_table(whole.to_dict("records")) + "\n", flush=True)
        if given.train:
            train(given.data, Path(name), aligner, given.seed)


def train(data: Path, workspace: Path, aligner: str, seed: int) -> None:
    """Train transfer on the transcripts as they are, with a fifth of them wrong, and on those that are kept; print dev CER and WER."""
    from pipeline.core.params import read_params
    from pipeline.model.artifact import load_model
    from pipeline.model.head import plan_head, transfer_head
    from pipeline.model.vocabulary import Vocabulary
    from pipeline.scoring.counts import error_rates
    from pipeline.training.config import RunConfig
    from pipeline.training.fit import fit

    root = workspace / "train"
    for folder in ("as they are", "negatives", "kept"):
        (root / folder).mkdir(parents=True)
        (root / folder / "dev.parquet").write_bytes((data / "split/portuguese/dev.parquet").read_bytes())
    table = pd.read_parquet(data / "split/portuguese/train.parquet")
    made, kind_of = negatives(table, pd.read_parquet(data / "split/spanish/train.parquet")["text"].tolist(), 0.2, KINDS, seed)
    trial(make_workspace(workspace / "negatives", data, None), made, kind_of, [""] * len(table), aligner)
    table.to_parquet(root / "as they are/train.parquet", index=False)
    made.to_parquet(root / "negatives/train.parquet", index=False)
    (root / "kept/train.parquet").write_bytes((workspace / "negatives/data/align/portuguese/train.parquet").read_bytes())
    params = read_params(ROOT / "params.yaml")["train"]
    own = params["systems"]["transfer"]
    rows = []
    os.chdir(data.parent)
    for folder in ("as they are", "negatives", "kept"):
        vocabulary = Vocabulary.read(data / "tokenise/portuguese/vocabulary.json")
        model, source_vocabulary, _ = load_model(data / "donor")
        plan = plan_head(source_vocabulary, vocabulary, params["head"])
        model.lm_head = transfer_head(model.lm_head, plan, model.config.output_hidden_size, model.config.initializer_range, seed)
        model.config.update({"vocab_size": len(plan), "pad_token_id": vocabulary.blank_row})
        run = RunConfig(**{**params["config"], "evaluate_hours": 1.0, "evaluate_every": params["steps"]}, steps=params["steps"],
                  peak_rate=own["peak_rate"], warmup_steps=own["warmup_steps"], seed=seed)
        fit(model, vocabulary, root / folder, run, root / "model", folder, error_rates, {})
        figures = read_json(root / "model/vizinho.json")["figures"]
        rows.append({"trained on": folder, "utterances": figures["train"]["utterances"], "dev CER": f"{figures['dev_cer']:.1%}",
                     "dev WER": f"{figures['dev_wer']:.1%}"})
    print(f"\ntransfer, {params['steps']} steps, seed {seed}\n\n" + markdown_table(rows) + "\n", flush=True)


if __name__ == "__main__":
    main()

"""Build a word n-gram from texts without any sentence of dev or test, and tune the decoder that uses it.

Reads   data/split/LANGUAGE/{train,dev,test}.parquet, certificate.json; the files, releases and grammar that the params name;
        the model that the decoder is tuned with (the challenger), and the audio of dev
Writes  data/language_model/LANGUAGE/ngram.arpa, lexicon.txt (word TAB count), report.json (`vizinho.language_model/1`),
        decoder.json (`vizinho.decoder/1`)
Params  language_model.LANGUAGE

1. Gather. The training transcripts and every text of the params are normalised; a sentence counts once, in the first text that
   has it. What cannot be normalised is dropped and counted by reason.
2. Remove. Sentences that equal or nearly equal one of dev or test are removed by the rules and the bound of the split's
   certificate. The certificate's recount then counts any that remain; the stage fails if one does.
3. Build. The n-gram is kept in the state folder (`VIZINHO_STATE`), under a hash of sentences and params, until the outs are
   complete: after a kill it is not built again.

4. Tune. The weights of the beam search are chosen on dev, and the temperature of its confidences. The decoder is adopted only if
   it lowers the WER beyond the paired interval; otherwise systems serve greedily. All systems of a run use the one decoder.

An n-gram has the words of the lexicon; rarer words count as `<unk>`, which it lacks if there are none.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import pandas as pd
from pydantic import Field, field_validator, model_validator

from pipeline import corpora, text
from pipeline.core.closure import code_hash
from pipeline.core.errors import DataError, LeakageError
from pipeline.core.files import atomic_folder, hash_bytes, hash_file, hash_json, read_json, read_table, state_dir, write_json, write_text
from pipeline.core.params import PARAMS_FILE, Section, load_section, problems_of
from pipeline.core.progress import bar, log, stage_line
from pipeline.core.stage import stage_main
from pipeline.corpora.sentences import LOCALES as WITH_GRAMMAR
from pipeline.decoding.beam import DECODER, LEXICON, NGRAM, SCHEMA
from pipeline.leakage.rules import Bounds
from pipeline.ngram import texts as reading
from pipeline.ngram.builder import build, choose_builder
from pipeline.ngram.evaluation import evaluate, num_ngrams
from pipeline.ngram.held_out import COMPARED, count_left, nearness, remove_held_out
from pipeline.scoring.analysis import right_words
from pipeline.scoring.comparison import difference
from pipeline.scoring.counts import align, count
from pipeline.scoring.scorecard import Resampling, number, rate
from pipeline.scoring.utterances import Scored, scored, units_in

if TYPE_CHECKING:
    from pipeline.decoding.beam import Settings
    from pipeline.decoding.greedy import Decoded

TRAIN: Final = "train"
"""The name of the training transcripts among the texts."""
LANGUAGE_CODES: Final = {"portuguese": "pt", "spanish": "es"}
COMPARED_TEST_SENTENCES: Final = 1_000


class Grammar(Section):
    """`language_model.LANGUAGE.texts.NAME.grammar`: sentences of the project's own grammar."""

    utterances: int = Field(ge=1, description="sentences generated; most of those near to dev or test are removed")
    seed: int = Field(ge=0, description="of the list of sentences; another than the corpus's")
    locales: dict[str, float] = Field(description="share of the sentences by locale; the shares sum to 1")

    @field_validator("locales")
    @classmethod
    def _check_locales(cls, locales: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(locales) - set(WITH_GRAMMAR)):
            raise ValueError(f"no grammar for locale {', '.join(unknown)}; expected any of {', '.join(WITH_GRAMMAR)}")
        if not locales or abs(sum(locales.values()) - 1) > 1e-6 or min(locales.values()) <= 0:
            raise ValueError(f"locales must be shares over 0 that sum to 1; they sum to {sum(locales.values()):g}")
        return locales


class Text(Section):
    """`language_model.LANGUAGE.texts.NAME`: a licence and one of `file`, `corpus`, `grammar`."""

    licence: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*$", description="SPDX identifier")
    file: str | None = Field(None, description="UTF-8, one sentence per line; .gz is unpacked; relative to the checkout")
    corpus: dict[str, Any] | None = Field(None, description="a release as under ingest: reader, source and the reader's params")
    grammar: Grammar | None = None

    @model_validator(mode="after")
    def _check_source(self) -> Text:
        given = [name for name in ("file", "corpus", "grammar") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"one of file, corpus and grammar is needed; found {' and '.join(given) or 'none'}")
        if self.corpus is not None:
            readers = [name for name in corpora.READERS if name != "speak"]
            if self.corpus.get("reader") not in readers:
                raise ValueError(f"corpus.reader: found {self.corpus.get('reader')!r}; expected one of {', '.join(readers)}")
            if problems := problems_of(corpora.reader(self.corpus["reader"]).Params, {"language": "portuguese", **self.corpus}, "corpus"):
                raise ValueError("; ".join(problems))
        return self


class Tuning(Section):
    """`language_model.LANGUAGE.decoder`."""

    beam: Annotated[int, Field(ge=1, description="largest number of hypotheses kept per frame")] = 100
    threads: Annotated[int, Field(ge=1, description="CPU threads")] = 2
    batch_s: Annotated[float, Field(gt=0, description="padded seconds of audio in a batch")] = 60
    level: Annotated[float, Field(gt=0.5, lt=1, description="two-sided confidence of the interval that adoption needs")] = 0.95
    resamples: Annotated[int, Field(ge=1_000, description="of speakers, where there are at least ten")] = 10_000
    seed: Annotated[int, Field(ge=0, description="of the resampling")] = 0
    hot_words: Annotated[dict[str, Annotated[float, Field(gt=0)]],
                         Field(description="phrases to favour in every transcript, each with its weight")] = {}


class Params(Section):
    """`language_model.LANGUAGE`."""

    order: int = Field(3, ge=2, le=5, description="words of the longest n-gram")
    prune: float | None = Field(None, gt=0, lt=1, description="n-grams that change the perplexity by less, relatively, are removed, such as 1e-8")
    min_count: int = Field(1, ge=1, description="occurrences of a word of the lexicon; a rarer one counts as <unk>")
    locale: Literal["pt-BR", "pt-PT", "es", "es-419"] = Field("pt-BR", description="rules for sentences whose own locale has none")
    texts: dict[str, Text] = Field(description="texts besides the training transcripts, by name")
    decoder: Tuning | None = Field(Tuning(), description="null: no decoder is tuned, systems serve greedily")

    @field_validator("texts")
    @classmethod
    def _check_names(cls, texts: dict[str, Text]) -> dict[str, Text]:
        if TRAIN in texts:
            raise ValueError(f"{TRAIN!r} is the name of the training transcripts; expected another name")
        return texts


def written_in(described: Text, language: str) -> Iterable[reading.Written]:
    """Return the sentences of a text as written."""
    if described.file is not None:
        return reading.lines_of(Path(described.file))
    if described.grammar is not None:
        return reading.generated(described.grammar.utterances, described.grammar.seed, described.grammar.locales)
    assert described.corpus is not None
    release = corpora.reader(described.corpus["reader"]).Params.model_validate({"language": language, **described.corpus})
    return reading.transcripts_of(release.source, release)


def origin(described: Text) -> dict[str, Any]:
    """Return what the report states about the source of a text: its kind, and the hash of a file or the params of the others."""
    if described.file is not None:
        return {"kind": "file", "sha256": hash_file(described.file)}
    if described.grammar is not None:
        return {"kind": "grammar", **described.grammar.model_dump()}
    assert described.corpus is not None
    return {"kind": "corpus", "reader": described.corpus["reader"]}


def gather(params: Params, language: str, train: pd.DataFrame) -> Iterator[tuple[str, reading.Text]]:
    """Yield the name and the sentences of each text, the training transcripts first.

    Raises:
        DataError: a text has no usable sentence.
    """
    seen: set[str] = set()
    yield TRAIN, reading.gather_normalised(train["text"], train["variants"], seen)
    for name, described in params.texts.items():
        found = reading.gather(written_in(described, language), params.locale, seen)
        if not found.sentences and not found.dropped[reading.REPEATED]:
            where = f"language_model.{language}.texts.{name}"
            reasons = ", ".join(f"{count} {reason}" for reason, count in found.dropped.most_common())
            raise DataError(where, f"no usable sentence ({reasons or 'it is empty'})", "UTF-8 text in the language, one sentence per line",
                            "correct the text, or remove it from params.yaml")
        yield name, found


def tune(language: str, data: Path, model_folder: Path, folder: Path, params: Tuning) -> dict[str, Any]:
    """Tune the beam search on the development set with one model, and return its figures for `decoder.json`.

    The decoder is adopted only if it lowers the WER beyond the paired interval over speakers.

    Args:
        language: of the split.
        data: the folder `data`.
        model_folder: the model that it is tuned with.
        folder: has the n-gram and the lexicon.
        params: of the tuning.
    """
    from pipeline.batching.waveforms import UtteranceAudio
    from pipeline.decoding.beam import BeamDecoder, Settings, read_lexicon
    from pipeline.decoding.forward import decode_all
    from pipeline.decoding.greedy import decode
    from pipeline.model.artifact import expects_normalised_input, load_model
    from pipeline.model.device import choose_device, exclusive, set_threads
    from pipeline.model.geometry import frame_duration_s
    from pipeline.tuning.decoder import calibrate, log_loss, search

    set_threads(params.threads)
    dev = read_table(data / "split" / language / "dev.parquet").sort_values("utterance_id", ignore_index=True)
    model, vocabulary, record = load_model(model_folder)
    frame_s, device = frame_duration_s(model), choose_device()
    audio = UtteranceAudio(dev, data / "ingest", normalise=expects_normalised_input(model))
    duration_s = dev["duration_s"].to_numpy(dtype=float)
    with exclusive(device, params.threads), bar(float(duration_s.sum()), "s", f"language_model@{language}") as progress:
        model.to(device)  # type: ignore[arg-type]
        logits = decode_all(model, lambda logits_TV: logits_TV, audio.waveform, duration_s, params.batch_s, progress.update)
    lexicon = read_lexicon(folder / LEXICON)

    def rows(hypotheses: Sequence[str]) -> Scored:
        return scored(dev.assign(reference=dev["text"], hypothesis=list(hypotheses)))

    def decoded_with(settings: Settings) -> list[Decoded]:
        decoder = BeamDecoder(vocabulary, frame_s, settings, folder / NGRAM, lexicon)
        with ThreadPoolExecutor(params.threads) as pool:
            return list(pool.map(decoder, logits))

    references = dev["text"].tolist()
    greedy = rows([decode(logits_TV, vocabulary, frame_s).text for logits_TV in logits])
    start = Settings(beam=params.beam)
    settings, trials = search(start, lambda tried: count(align(references, [one.text for one in decoded_with(tried)], "words")).rate())

    def loss(temperature: float) -> float:
        found = decoded_with(replace(settings, temperature=temperature))
        right = right_words(rows([one.text for one in found]))
        return log_loss([word.confidence for one in found for word in one.words], right)

    settings = replace(settings, temperature=calibrate(loss))
    served = rows([one.text for one in decoded_with(settings)])
    resampling = Resampling(params.level, params.resamples, params.seed)
    units = units_in(greedy.table)
    change, _ = difference(greedy.words, served.words, units, resampling)
    adopted = change.high < 0
    reason = (f"WER on dev changes by {100 * change.value:+.2f} points ({100 * change.low:+.2f} to {100 * change.high:+.2f}): "
              + ("the whole interval is below 0" if adopted else "the interval is not wholly below 0, so the system serves greedily"))
    return {
        "adopted": adopted, "reason": reason,
        "tuned_with": {"model": str(model_folder), "weights_hash": record["weights_hash"]}, "vocabulary_hash": vocabulary.hash,
        "settings": asdict(settings), "hot_words": [{"phrase": phrase, "weight": weight} for phrase, weight in params.hot_words.items()],
        "dev": {
            "utterances": len(dev), "unit": units.name, "units": units.number, "wer": rate(greedy.words, units, resampling),
            "wer_served": rate(served.words, units, resampling), "cer": greedy.characters.rate(), "cer_served": served.characters.rate(),
            "difference": {part: number(getattr(change, part)) for part in ("value", "low", "high")},
        },
        "search": trials,
    }


def ordered(counted: Mapping[str, int]) -> dict[str, int]:
    """Return counts in descending order, equal ones by name."""
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


def run(language: str, model_folder: str | None = None, data: Path = Path("data"), params_file: Path = PARAMS_FILE) -> None:
    """Write the n-gram of `language`, its lexicon and report, and the decoder.

    Args:
        language: of the split.
        model_folder: the model that the decoder is tuned with; without one only the n-gram is built.
        data: the folder `data`.
        params_file: params.yaml.

    Raises:
        ParamsError: wrong params.
        DataError: a text that cannot be read or has no usable sentence.
        LeakageError: the recount found a sentence of dev or test that the removal missed.
    """
    params = load_section(Params, "language_model", language, path=params_file)
    where, split = f"language_model.{language}", data / "split" / language
    if LANGUAGE_CODES.get(language) != params.locale.split("-")[0]:
        raise DataError(where, f"locale {params.locale} is not {language}", f"a locale of {language}", "correct `locale` in params.yaml")
    columns = ["text", "variants", "licence", "normaliser"]
    train, dev, test = (read_table(split / f"{name}.parquet", columns=columns) for name in ("train", "dev", "test"))
    certified = read_json(split / "certificate.json")["bounds"]
    bounds = Bounds(language, certified["near_duplicate"], certified["fingerprint_bits"], certified["fingerprint_s"])
    held_out = pd.concat([dev, test])

    described, sentences, left = dict[str, dict[str, Any]](), list[str](), dict.fromkeys(COMPARED, 0)
    for name, gathered in gather(params, language, train):
        kept, removed = remove_held_out(gathered, held_out, bounds)
        for rule, number_left in count_left(kept, held_out, bounds).items():
            left[rule] += number_left
        source = {"kind": "split"} if name == TRAIN else origin(params.texts[name])
        licences = sorted(train["licence"].unique()) if name == TRAIN else [params.texts[name].licence]
        described[name] = {
            "licences": licences, "source": source, "offered": gathered.offered, "dropped": ordered(gathered.dropped), "removed": removed,
            "sentences": len(kept.sentences), "words": kept.num_words,
            "nearness_to_test": nearness(kept, test, language, COMPARED_TEST_SENTENCES),
        }
        sentences += kept.sentences
    if any(left.values()):
        shown = ", ".join(f"{count} by {rule}" for rule, count in left.items() if count)
        raise LeakageError(where, f"the texts still share sentences with dev or test: {shown}", "none",
                           "the removal is at fault, not the texts: report it")

    counted = Counter(word for sentence in sentences for word in sentence.split(" "))
    lexicon = {word: counted[word] for word in sorted(counted) if counted[word] >= params.min_count}
    if not lexicon:
        raise DataError(where, f"none of {len(counted)} words occurs {params.min_count} times", "words for the lexicon",
                        "lower min_count, or add texts")
    sentences.sort()
    num_words = sum(counted.values())
    builder = choose_builder(num_words)
    key = hash_json([hash_bytes("\n".join(sentences).encode()), params.order, params.prune, params.min_count, asdict(builder),
                     code_hash("pipeline.ngram.builder")])[:24]
    state = state_dir() / "language_model" / language
    built = state / f"{key}.arpa"
    if built.exists():
        log(f"language_model@{language}: n-gram kept from an interrupted run")
    else:
        build(sentences, lexicon, params.order, params.prune, builder, built)

    on_dev = evaluate(built, dev["text"].tolist())
    with atomic_folder(data / "language_model" / language) as folder:
        shutil.copyfile(built, folder / NGRAM)
        write_text(folder / LEXICON, "".join(f"{word}\t{count}\n" for word, count in lexicon.items()))
        write_json(folder / "report.json", {
            "schema": "vizinho.language_model/1",
            "language": language,
            "normaliser": sorted({*train["normaliser"].unique(), text.version(params.locale)}),
            "order": params.order,
            "prune": params.prune,
            "min_count": params.min_count,
            "licences": sorted({licence for entry in described.values() for licence in entry["licences"]}),
            "texts": described,
            "held_out": {"sentences": int(held_out["text"].nunique()), "similarity": bounds.similarity, "left": left},
            "sentences": len(sentences),
            "words": num_words,
            "vocabulary": len(lexicon),
            "rare_words": len(counted) - len(lexicon),
            "ngrams": {str(order): count for order, count in num_ngrams(built).items()},
            "dev": {**asdict(on_dev), "out_of_vocabulary": round(on_dev.out_of_vocabulary, 6), "perplexity": round(on_dev.perplexity, 3)},
            "builder": asdict(builder),
        })

        tuned: dict[str, Any] | None = None
        if model_folder is not None:
            tuned = {"adopted": False, "reason": f"{where}.decoder is null", "vocabulary_hash": None, "settings": {}, "hot_words": []}
            if params.decoder is not None:
                tuned = tune(language, data, Path(model_folder), folder, params.decoder)
            write_json(folder / DECODER, {
                "schema": SCHEMA, "language": language, **tuned,
                "files": {name: hash_file(folder / name) for name in (NGRAM, LEXICON)},
                "texts": {name: entry["licences"] for name, entry in described.items()},
                "sentences_removed": sum(sum(entry["removed"].values()) for entry in described.values()),
            })

    shutil.rmtree(state)
    dropped = sum((Counter(entry["dropped"]) for entry in described.values()), Counter[str]())
    for rule in COMPARED:
        dropped[f"{rule} of dev or test"] = sum(entry["removed"][rule] for entry in described.values())
    log(stage_line(f"language_model@{language}", {"sentences": len(sentences), "words": num_words, "words in the lexicon": len(lexicon),
                                                  "perplexity on dev": on_dev.perplexity}, dropped))
    if tuned is not None:
        log(f"language_model@{language}: the decoder is {'adopted' if tuned['adopted'] else 'not adopted'}: {tuned['reason']}")


if __name__ == "__main__":
    stage_main(run)

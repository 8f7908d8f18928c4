"""Stage `rank`: order candidate donor languages by their similarity to the target, without a transcript, and advise which to take.

Reads   data/tokenise/portuguese/vocabulary.json and report.json (the target's letters and how often each occurs in the
        training text; before `tokenise`, the letters of the word list), pipeline/similarity/*.tsv, data/donor (the encoder)
Writes  data/rank/ranking.json (`vizinho.rank/3`)
Params  rank

Four levels of evidence, each on the same 100 concepts (docs/decisions/ranking.md):

- *lexical*: similarity of the words, in spelling and in sound;
- *phonological*: similarity of the sounds, independent of meaning;
- *orthographic*: how useful a transferred CTC head is: which letters have a row to start from, and whether that row
  stands for the right sound;
- *acoustic*: similarity of the words as spoken by eSpeak NG, in frames of the donor's encoder. It is shown beside the score and is
  not in it: the speech is synthesised from the same words and phonemes that the other levels compare.

The score has no weights to tune. Each measure gets a sign so that higher is nearer and is standardised over the
candidates (mean 0, deviation 1), so that a small spread counts as much as a large one. A level is the mean of its
measures, the score the mean of the first three levels. A measure with equal values for all candidates is left out. The score is
relative to the candidates: an additional one changes all scores. If the interval of the first candidate's lead over
another contains 0, the ranking lists that candidate, and the choice needs other evidence (a measured transfer, the hours
of speech in a donor's training).

Uncertainty: a bootstrap over concepts, the same resamples for all candidates and levels; the acoustic level also draws the voices.
Intervals are value ± 1.96 deviations of the resamples; percentiles would be biased, since a resample has fewer different words and so
fewer sounds than the list. The intervals do not cover the choice of the words and the quality of eSpeak NG's voices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import Field, field_validator

from pipeline.audio.samples import Waveform
from pipeline.core.errors import DataError
from pipeline.core.files import read_json, write_json
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.core.params import PARAMS_FILE, Section, load_section
from pipeline.core.processors import usable_processors
from pipeline.core.progress import log, stage_line
from pipeline.core.stage import stage_main
from pipeline.similarity import measures
from pipeline.similarity.acoustic import Pieces, Settings, draws, similarity
from pipeline.similarity.advice import advice_lines, advise
from pipeline.similarity.features import feature_distances
from pipeline.similarity.letters import Chunk, letter_sounds, row_for
from pipeline.similarity.levels import CONFIDENCE, agreement_in_words, concordance, describe_level, interval, leader, order_of, ranks, rounded
from pipeline.similarity.measures import Array
from pipeline.similarity.phonemes import asjp, phonemise, segments
from pipeline.similarity.spoken import VARIANTS, speak_words
from pipeline.similarity.tables import Language, read_languages, read_words

SCHEMA: Final = "vizinho.rank/3"
BATCH_S: Final = 20.0  # padded seconds of speech that the encoder takes at once
DONOR: Final = Path("data/donor")
MEANINGS: Final = {
    "lexical": "mean of the standardised measures of words", "phonological": "mean of the standardised measures of sounds",
    "orthographic": "mean of the standardised measures of letters",
    "acoustic": "cosine of the counts of acoustic pieces; 1: the same shares",
}


class Acoustic(Section):
    """`rank.acoustic`: the level of speech. Without this section the level is left out, and torch is not loaded."""

    voices: int = Field(4, ge=2, le=len(VARIANTS), description="eSpeak NG's voices per language")
    layer: int | None = Field(None, ge=0, description="of the donor's encoder; 0: input of its first block; null: two below the top, at least 1")
    units: int = Field(64, ge=8, le=2_000, description="k-means units; San et al. take 500 for hours of speech")
    pieces: int = Field(200, ge=8, le=50_000, description="pieces of units, single units included; San et al. take 10,000")
    restarts: int = Field(5, ge=1, le=50, description="starts of k-means, whose similarities are averaged")


class Params(Section):
    """`rank` in params.yaml."""

    target: Literal["pt-BR", "pt-PT"] = Field(description="the language to recognise, by its standard variety")
    candidates: tuple[str, ...] = Field(min_length=2, description="possible donors: codes of similarity/languages.tsv")
    resamples: int = Field(ge=100, le=10_000, description="bootstrap resamples of the concepts; 1000 fix an interval's 2nd digit")
    seed: int = Field(ge=0, description="of the resamples, of k-means and of eSpeak NG")
    acoustic: Acoustic | None = Field(None, description="the level of speech; null leaves it out")

    @field_validator("candidates")
    @classmethod
    def _known(cls, candidates: tuple[str, ...]) -> tuple[str, ...]:
        languages = read_languages()
        donors = [code for code, language in languages.items() if language.words != "pt"]
        if unknown := [code for code in candidates if code not in donors]:
            raise ValueError(f"no donor language {', '.join(unknown)}; expected any of {', '.join(donors)}")
        if len(set(candidates)) < len(candidates):
            raise ValueError("a language occurs twice; expected each once")
        return candidates


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of similarity: its name, level and direction."""

    name: str
    level: str
    nearer: Literal["lower", "higher"]
    meaning: str


MEASURES: Final = (
    Measure("spelling_ldn", "lexical", "lower", "mean normalised Levenshtein distance of words as spelt"),
    Measure("spelling_ldnd", "lexical", "lower", "the same over that of words of different meaning"),
    Measure("sound_ldn", "lexical", "lower", "mean normalised Levenshtein distance of words in ASJP symbols"),
    Measure("sound_ldnd", "lexical", "lower", "the same over that of words of different meaning"),
    Measure("inventory", "phonological", "higher", "Jaccard similarity of the inventories of ASJP symbols"),
    Measure("coverage", "phonological", "higher", "share of the target's running symbols that the donor has"),
    Measure("unigrams", "phonological", "lower", "Jensen-Shannon distance of ASJP symbols"),
    Measure("bigrams", "phonological", "lower", "Jensen-Shannon distance of pairs of ASJP symbols, word ends included"),
    Measure("features", "phonological", "lower", "energy distance of segments by their articulatory features"),
    Measure("letters_kept", "orthographic", "higher", "share of the target's running letters in the donor's alphabet"),
    Measure("letters_mapped", "orthographic", "higher", "the same, or whose base letter is in it"),
    Measure("letter_sounds", "orthographic", "higher", "share of running letters with the sound of their donor row"),
)
COUNTED: Final = tuple(dict.fromkeys(measure.level for measure in MEASURES))
"""The levels in the score."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A language's word list as spelt, in sounds and by letter; each sequence has one entry per concept."""

    language: Language
    spelt: tuple[str, ...]
    segments: tuple[tuple[str, ...], ...]
    symbols: tuple[tuple[str, ...], ...]
    letters: tuple[Mapping[tuple[str, Chunk], float], ...]


def evidence(language: Language, words: Mapping[str, str]) -> Evidence:
    """Return a language's words (by concept) as spelt, in ASJP symbols, and by letter and sound.

    Raises:
        MissingInputError: espeakng-loader is not installed.
        DataError: eSpeak NG cannot be loaded, or gives no sound for a word.
    """
    spelt = tuple(word.lower() for word in words.values())
    sounds_of = tuple(segments(ipa, language.voice) for ipa in phonemise(language.voice, spelt))
    symbols = tuple(map(asjp, sounds_of))
    if without := [word for word, sounds in zip(spelt, symbols, strict=True) if not sounds]:
        raise DataError(f"eSpeak NG voice {language.voice}", f"gives no sound for {', '.join(without)}",
                        "a sound for every word", "correct pipeline/similarity/wordlists.tsv")
    return Evidence(language, spelt, sounds_of, symbols, tuple(letter_sounds(spelt, symbols)))


def resample_weights(concepts: int, resamples: int, seed: int) -> Array:
    """Return the weight of each concept, shape (1 + resamples, concepts): the list itself, then the bootstrap resamples."""
    drawn = np.random.default_rng(seed).multinomial(concepts, np.full(concepts, 1 / concepts), size=resamples)
    return np.vstack([np.ones(concepts), drawn])


def measure(target: Evidence, donor: Evidence, letter_counts: Mapping[str, int], weights_RC: Array) -> dict[str, Array]:
    """Return every measure of `MEASURES` between two languages, one value per row of weights, shape (R,)."""
    spelling_CC = measures.word_distances(target.spelt, donor.spelt)
    sound_CC = measures.word_distances(target.symbols, donor.symbols)
    words = (target.symbols, donor.symbols)
    symbols_RS = _weighted(weights_RC, [[Counter(word) for word in side] for side in words])
    bigrams_RS = _weighted(weights_RC, [[Counter(pairwise(("#", *word, "#"))) for word in side] for side in words])
    (target_RS, donor_RS), segment_names = _weighted_with_names(weights_RC, [[Counter(word) for word in side.segments] for side in (target, donor)])
    rows = {letter: row_for(letter, donor.language.alphabet) for letter in letter_counts}
    frequency_L = np.array(list(letter_counts.values()), dtype=float)
    kept_L = np.array([row == letter for letter, row in rows.items()])
    mapped_L = np.array([row is not None for row in rows.values()])
    resamples = len(weights_RC)
    return {
        "spelling_ldn": measures.mean_distance(spelling_CC, weights_RC),
        "spelling_ldnd": measures.divided_distance(spelling_CC, weights_RC),
        "sound_ldn": measures.mean_distance(sound_CC, weights_RC),
        "sound_ldnd": measures.divided_distance(sound_CC, weights_RC),
        "inventory": measures.jaccard(*symbols_RS),
        "coverage": measures.coverage(*symbols_RS),
        "unigrams": measures.jensen_shannon(*symbols_RS),
        "bigrams": measures.jensen_shannon(*bigrams_RS),
        "features": measures.energy_distance(target_RS, donor_RS, feature_distances(segment_names, segment_names)),
        "letters_kept": np.full(resamples, (frequency_L * kept_L).sum() / frequency_L.sum()),
        "letters_mapped": np.full(resamples, (frequency_L * mapped_L).sum() / frequency_L.sum()),
        "letter_sounds": measures.letter_sound_agreement(
            *_letter_tables(target, donor, rows, weights_RC), frequency_L),
    }


def standardise(values_MDR: Array) -> tuple[Array, Array]:
    """Return each measure over the candidates with mean 0 and deviation 1, and which measures discriminate between them.

    Args:
        values_MDR: measures by donors by resamples, higher is nearer; resample 0 is the list itself.

    Returns:
        The same shape (zero where all donors are equal), and a mask of measures, shape (M,).
    """
    centred = values_MDR - values_MDR.mean(axis=1, keepdims=True)
    deviation = values_MDR.std(axis=1, keepdims=True)
    return centred / np.where(deviation > 1e-9, deviation, np.inf), deviation[:, 0, 0] > 1e-9


def combine(standard_MDR: Array, discriminating_M: Array) -> tuple[dict[str, Array], Array]:
    """Return each level's mean over its discriminating measures, and the mean over levels; shapes (D, R).

    Args:
        standard_MDR: standardised measures by donors by resamples.
        discriminating_M: which measures to use.

    Raises:
        DataError: no measure discriminates between the candidates.
    """
    if not discriminating_M.any():
        raise DataError("rank", "no measure discriminates between the candidates", "candidates that differ",
                        "change rank.candidates")
    levels = {}
    for level in COUNTED:
        members = discriminating_M & np.array([measure.level == level for measure in MEASURES])
        if members.any():
            levels[level] = standard_MDR[members].mean(axis=0)
    return levels, np.mean(list(levels.values()), axis=0)


def acoustic_level(params: Params, weights_RC: Array, encoder: Path) -> tuple[Array, dict[str, Any]]:
    """Return the candidates' acoustic similarity to the target, shape (D, R), and what it was measured with.

    Args:
        params: with the section `acoustic`.
        weights_RC: how often each resample draws each concept.
        encoder: folder of the model.

    Raises:
        MissingInputError: the model or espeakng-loader is missing.
        DataError: the encoder has no such layer, or eSpeak NG fails.
    """
    from pipeline.batching.waveforms import prepare
    from pipeline.decoding.hidden import choose_layer, encode_all
    from pipeline.model.artifact import expects_normalised_input, load_model
    from pipeline.model.device import choose_device, set_threads

    assert params.acoustic
    asked, languages, words = params.acoustic, read_languages(), read_words()
    set_threads(usable_processors())
    model, _, record = load_model(encoder)
    model.to(choose_device())  # type: ignore[arg-type]
    layer, variants = choose_layer(model, asked.layer), VARIANTS[: asked.voices]

    def speak(code: str) -> list[Waveform]:
        spelt = [word.lower() for word in words[languages[code].words].values()]
        return speak_words(languages[code].voice, spelt, variants, params.seed)

    codes = (params.target, *params.candidates)
    with ThreadPoolExecutor(usable_processors()) as pool:  # one process per language
        speech = dict(zip(codes, pool.map(speak, codes), strict=True))
    waveforms = [prepare(waveform, expects_normalised_input(model)) for spoken in speech.values() for waveform in spoken]
    frames = iter(encode_all(model, layer, waveforms, BATCH_S))
    frames_of = {code: list(islice(frames, len(spoken))) for code, spoken in speech.items()}
    settings = Settings(asked.units, asked.pieces, asked.restarts, params.seed)
    pieces = [Pieces.learn(frames_of[params.target], settings, restart) for restart in range(asked.restarts)]
    counts = {code: [found.count(frames) for found in pieces] for code, frames in frames_of.items()}
    concepts, resamples = weights_RC.shape[1], len(weights_RC) - 1
    voices_RN = draws(np.repeat(np.arange(asked.voices), concepts).tolist(), resamples, (params.seed, 1))
    weights_RN = voices_RN * np.tile(weights_RC, asked.voices)  # all languages have the same voices and concepts
    values_DR = np.array([similarity(counts[params.target], weights_RN, counts[code], weights_RN) for code in params.candidates])
    seconds = sum(map(len, (waveform for spoken in speech.values() for waveform in spoken))) / SAMPLE_RATE_HZ
    return values_DR, {
        "speech": f"the words, spoken by {asked.voices} voices of eSpeak NG", "seconds": rounded(seconds / len(codes)),
        "encoder": record.get("weights_hash"), "layer": layer, "layers": int(model.config.num_hidden_layers),
        "units": asked.units, "pieces": asked.pieces, "restarts": asked.restarts,
    }


def ranking(params: Params, letter_counts: Mapping[str, int], letters_from: str, encoder: Path = DONOR) -> dict[str, Any]:
    """Return the content of data/rank/ranking.json.

    Args:
        params: what to compare.
        letter_counts: the target's letters and their counts.
        letters_from: the text in which they were counted.
        encoder: folder of the model for the acoustic level.
    """
    languages, words = read_languages(), read_words()
    target = evidence(languages[params.target], words[languages[params.target].words])
    donors = [languages[code] for code in params.candidates]
    codes, names = [donor.code for donor in donors], {donor.code: donor.name for donor in donors}
    weights_RC = resample_weights(len(target.spelt), params.resamples, params.seed)
    measured = [measure(target, evidence(donor, words[donor.words]), letter_counts, weights_RC) for donor in donors]
    values_MDR = np.array([[found[item.name] for found in measured] for item in MEASURES])
    nearness_MDR = values_MDR * np.array([1 if item.nearer == "higher" else -1 for item in MEASURES])[:, None, None]
    # to 9 digits, so that ties do not depend on the last bit of a sum
    standard_MDR, discriminating_M = standardise(nearness_MDR.round(9))
    counted, score_DR = combine(standard_MDR, discriminating_M)
    spoken_DR, acoustic = acoustic_level(params, weights_RC, encoder) if params.acoustic else (None, None)
    every = counted | ({"acoustic": spoken_DR} if spoken_DR is not None else {})
    levels = [describe_level(name, MEANINGS[name], name in counted, values_DR, codes) for name, values_DR in every.items()]
    levels_w = rounded(concordance(np.array([values_DR[:, 0] for values_DR in every.values()])))
    ranks_DR, ranks_MD = ranks(score_DR), np.array([ranks(standard[:, 0]) for standard in standard_MDR])
    order = order_of(score_DR)
    nearest = leader(score_DR, codes)
    return {
        "schema": SCHEMA,
        "target": params.target,
        "concepts": len(target.spelt),
        "letters": {"from": letters_from, "counted": sum(letter_counts.values())},
        "resamples": params.resamples,
        "seed": params.seed,
        "confidence": CONFIDENCE,
        "measures": [
            {"name": item.name, "level": item.level, "nearer": item.nearer, "meaning": item.meaning,
             "discriminates": bool(used)}
            for item, used in zip(MEASURES, discriminating_M, strict=True)
        ],
        "acoustic": acoustic,
        "levels": levels,
        "nearest": nearest,
        "agreement": {
            "in_words": agreement_in_words(levels, levels_w, names),
            "measures_w": rounded(concordance(standard_MDR[discriminating_M][:, :, 0])),
            "levels_w": levels_w,
            "nearest_by_measure": {
                item.name: [donor.code for donor, rank in zip(donors, row, strict=True) if rank == row.min()]
                for item, row, used in zip(MEASURES, ranks_MD, discriminating_M, strict=True) if used
            },
        },
        "candidates": [
            {
                "language": donors[donor].code,
                "name": donors[donor].name,
                "voice": donors[donor].voice,
                "rank": position,
                "rank_low": int(np.quantile(ranks_DR[donor, 1:], (1 - CONFIDENCE) / 2, method="inverted_cdf")),
                "rank_high": int(np.ceil(np.quantile(ranks_DR[donor, 1:], (1 + CONFIDENCE) / 2, method="inverted_cdf"))),
                "mean_rank": rounded(ranks_MD[discriminating_M, donor].mean()),
                "score": interval(score_DR[donor]),
                "measures": {
                    item.name: {**interval(values[donor]), "rank": float(row[donor])}
                    for item, values, row in zip(MEASURES, values_MDR, ranks_MD, strict=True)
                },
            }
            for position, donor in enumerate(order, 1)
        ],
        "advice": advise(nearest, [codes[donor] for donor in order], names, languages[params.target].name, "words, sounds and letters",
                         recorded=False),
    }


def ranking_table(ranking: Mapping[str, Any]) -> str:
    """Return a ranking as two tables for a terminal, the order with its intervals and the evidence by measure, and its advice."""
    nearest, agreement, candidates, levels = (ranking[key] for key in ("nearest", "agreement", "candidates", "levels"))
    order = [["", "donor", "", f"score [{ranking['confidence']:.0%}]", "rank", *(level["level"] for level in levels)]]
    for found in candidates:
        score = found["score"]
        order.append([
            f"{found['rank']}", found["language"], found["name"],
            f"{score['value']:+.2f} [{score['low']:+.2f}, {score['high']:+.2f}]", f"{found['rank_low']}-{found['rank_high']}",
            *((f"{value['value']:+.2f}" if level["counted"] else f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]")
              for level in levels for value in (level["values"][found["language"]],)),
        ])
    proof = [["measure", "nearer is", *(found["language"] for found in candidates)]]
    for item in ranking["measures"]:
        name = item["name"]
        best = agreement["nearest_by_measure"].get(name, ())
        proof.append([name, item["nearer"], *(
            f"{found['measures'][name]['value']:.3f}" + ("*" if found["language"] in best else " ")
            for found in candidates
        )])
    lead, close = nearest["lead"], nearest["not_distinguished"]
    beside = [level["level"] for level in levels if not level["counted"]]
    return "\n".join([
        f"Nearest neighbours of {ranking['target']} by {ranking['concepts']} concepts"
        " (score: mean of standardised measures, higher is nearer; * nearest by this measure)",
        *_columns(order, left=3), *(f"({level}: beside the score, not in it)" for level in beside), "", *_columns(proof, left=2), "",
        f"{nearest['language']} leads {nearest['runner_up']} by {lead['value']:+.2f}"
        f" [{lead['low']:+.2f}, {lead['high']:+.2f}]; first in {nearest['share_first']:.0%} of"
        f" {ranking['resamples']} resamples of the concepts. Not distinguished from it: {', '.join(close) or 'none'}.",
        agreement["in_words"],
        f"Letters counted in {ranking['letters']['from']}.", "",
        *advice_lines(ranking["advice"]),
    ])


def letters_of_target(folder: Path, words: Sequence[str]) -> tuple[dict[str, int], str]:
    """Return the count of each letter of the target, and the text in which it was counted.

    The text is the training text if `folder` has the vocabulary of `tokenise` (its letters are those of the head), otherwise
    the target's word list.

    Args:
        folder: of `tokenise`.
        words: the target's word list.

    Raises:
        DataError: the report lacks the count of a letter of the vocabulary.
    """
    vocabulary = folder / "vocabulary.json"
    if not vocabulary.exists():
        return dict(sorted(Counter("".join(words).lower()).items())), "the word list"
    letters = sorted(token for token in read_json(vocabulary) if len(token) == 1 and token.isalpha())
    counted = read_json(folder / "report.json").get("letters", {})
    if missing := [letter for letter in letters if letter not in counted]:
        raise DataError(str(folder / "report.json"), f"no count of {' '.join(missing)}",
                        "a count of every letter in vocabulary.json", "run `tokenise@portuguese` again")
    return {letter: int(counted[letter]) for letter in letters}, str(folder)


def run(data: Path = Path("data"), params_file: Path = PARAMS_FILE) -> None:
    """Rank the candidates, write the ranking and print it.

    Args:
        data: folder with the outs of the stages.
        params_file: params.yaml.

    Raises:
        ParamsError: wrong params; lists all problems.
        MissingInputError: the acoustic level is on, and data/donor is missing.
        DataError: an input is wrong, or eSpeak NG fails.
    """
    params = load_section(Params, "rank", path=params_file)
    words = read_words()[read_languages()[params.target].words]
    found = ranking(params, *letters_of_target(data / "tokenise/portuguese", list(words.values())), data / "donor")
    write_json(data / "rank/ranking.json", found)
    log(ranking_table(found))
    log(stage_line("rank", {"candidates": len(params.candidates), "levels": len(found["levels"]), "measures": len(MEASURES), "concepts": len(words)}))


def _weighted(weights_RC: Array, sides: Sequence[Sequence[Mapping[Any, float]]]) -> list[Array]:
    """Return both sides' counts under each resample, over the items that either has; each of shape (R, S)."""
    return _weighted_with_names(weights_RC, sides)[0]


def _weighted_with_names(weights_RC: Array, sides: Sequence[Sequence[Mapping[Any, float]]]) -> tuple[list[Array], list[Any]]:
    """Return both sides' counts under each resample, each of shape (R, S), and the items that they count."""
    items = list(dict.fromkeys(item for side in sides for word in side for item in word))
    index = {item: column for column, item in enumerate(items)}
    return [weights_RC @ measures.counts(side, index) for side in sides], items


def _letter_tables(
    target: Evidence, donor: Evidence, rows: Mapping[str, str | None], weights_RC: Array
) -> tuple[Array, Array]:
    """Return the sounds of the target's letters, and of the donor's letters whose rows they start from; each (R, L, K)."""
    chunks = {chunk for side in (target, donor) for word in side.letters for _, chunk in word}
    column = {chunk: number for number, chunk in enumerate(sorted(chunks))}
    tables = []
    for side, letter_of in ((target, {letter: letter for letter in rows}), (donor, rows)):
        counts_CLK = np.zeros((len(side.letters), len(rows), len(column)))
        for concept, word in enumerate(side.letters):
            for number, letter in enumerate(letter_of.values()):
                for (written, chunk), count in word.items():
                    if written == letter:
                        counts_CLK[concept, number, column[chunk]] = count
        tables.append(np.tensordot(weights_RC, counts_CLK, axes=1))
    return tables[0], tables[1]


def _columns(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Return rows as aligned lines: the first `left` columns flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) if number < left else cell.rjust(width)
                      for number, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]


if __name__ == "__main__":
    stage_main(run)

"""What a leak between two splits is, a fast search for it, and a recount by another way.

A row of a lower split (say train) *meets* a higher one (say test) by one of five rules:

speaker         the same known speaker; rows of a corpus declared to have one speaker are apart
sentence        the same normalised sentence
near_duplicate  sets of words whose Jaccard similarity reaches a bound; numbers masked, accents and spelling folded
audio           the same samples
fingerprint     spectral fingerprints within a Hamming distance at a similar duration: re-encoded or gain-changed copies

`find` names what must go; `recount` counts what is left. They share these definitions and nothing else: where `find`
joins on rare words and multiplies matrices, `recount` compares every pair of comparable size bit by bit.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.core.errors import DataError
from pipeline.core.manifest import SAMPLE_RATE_HZ

RULES: Final = ("speaker", "sentence", "near_duplicate", "audio", "fingerprint")
"""In the order in which they are applied: a row is counted under the first rule that it breaks."""

Ints: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = frozenset[str]

_CLIENT_ID = re.compile(r"[0-9a-f]{128}")
_NUMBER_RUN = re.compile(r"#(?: (?:[ey] )?#)*")
_EPSILON = 1e-9

_PORTUGUESE_NUMBERS: Final = """
    zero um uma dois duas tres quatro cinco seis sete oito nove dez onze doze treze catorze quatorze quinze dezesseis
    dezasseis dezessete dezassete dezoito dezenove dezanove vinte trinta quarenta cinquenta sessenta setenta oitenta
    noventa cem cento duzent* trezent* quatrocent* quinhent* seiscent* setecent* oitocent* novecent* mil milhao milhoes
    bilhao bilhoes biliao bilioes trilhao trilhoes primeir* segund* terceir* quart* quint* sext* setim* oitav* non*
    decim* vigesim* trigesim* quadragesim* quinquagesim* sexagesim* septuagesim* octogesim* nonagesim*
    centesim* milesim*
"""
_SPANISH_NUMBERS: Final = """
    cero un uno una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis diecisiete
    dieciocho diecinueve veinte veintiun veintiuno veintiuna veintidos veintitres veinticuatro veinticinco veintiseis
    veintisiete veintiocho veintinueve treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ciento doscient*
    trescient* cuatrocient* quinient* seiscient* setecient* ochocient* novecient* mil millon millones billon billones
    primer primer* segund* tercer tercer* cuart* quint* sext* septim* octav* noven* decim* vigesim* trigesim*
    cuadragesim* quincuagesim* sexagesim* septuagesim* octogesim* nonagesim* centesim* milesim*
"""


def _spell_out(listed: str) -> frozenset[str]:
    """`*` stands for the endings of gender and number: duzent* is duzentos, duzentas."""
    return frozenset(
        word.removesuffix("*") + ending
        for word in listed.split()
        for ending in (("o", "a", "os", "as") if word.endswith("*") else ("",))
    )


NUMBER_WORDS: Final = {"portuguese": _spell_out(_PORTUGUESE_NUMBERS), "spanish": _spell_out(_SPANISH_NUMBERS)}
"""Cardinals and ordinals without accents. Some have a second sense (quarto, segundo): masking those as well only
makes the search stricter."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How near is too near.

    Args:
        language: whose number words are masked.
        similarity: Jaccard similarity of the word sets from which two sentences are near-duplicates, 0..1.
        bit_share: share of fingerprint bits that may differ in copies of one recording, 0..1.
        duration_s: difference in duration that copies of one recording may show.
    """

    language: str
    similarity: float
    bit_share: float
    duration_s: float


def identity(speaker: str) -> str:
    """Return what is hashed and compared for a speaker.

    A Common Voice client_id (128 hexadecimal digits) stays the same from release to release, so there the corpus that
    stands before it does not count: `cv-6/<client_id>` and `cv-17/<client_id>` are one speaker.
    """
    name = speaker.rpartition("/")[2]
    return name if _CLIENT_ID.fullmatch(name) else speaker


def is_common_voice(speaker: str) -> bool:
    """Return whether the speaker is known by a Common Voice client_id."""
    return bool(_CLIENT_ID.fullmatch(identity(speaker)))


def words_of(sentence: str, language: str) -> Words:
    """Return the set of words by which a normalised sentence is compared: accents folded, numbers masked.

    "faltam vinte e três dias" → {"faltam", "#", "dias"}; a sentence of nothing but numbers stands for itself alone,
    since digits read aloud are not copies of one another: "vinte e três" → {"vinte e tres"}.

    Raises:
        DataError: no number words are known for the language.
    """
    if language not in NUMBER_WORDS:
        known = " or ".join(NUMBER_WORDS)
        raise DataError(f"language {language!r}", "its number words are unknown", known, "add them to NUMBER_WORDS")
    numbers = NUMBER_WORDS[language]
    if not sentence.isascii():
        sentence = "".join(sign for sign in unicodedata.normalize("NFD", sentence) if not unicodedata.combining(sign))
    words = sentence.split()
    masked = _NUMBER_RUN.sub("#", " ".join("#" if word in numbers or word.isdigit() else word for word in words))
    return frozenset(masked.split()) if masked != "#" else frozenset([" ".join(words)])


# ---- The search -----------------------------------------------------------------------------------------------------


def find(low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> pd.DataFrame:
    """Return the rows of `low` that meet `high`: index of `low`; `rule` (the first broken), `meets` (an utterance_id).

    Both are tables as `core.manifest.SPLIT` has them; all fingerprints have the same number of bits, or are empty.
    """
    found = []
    for rule in RULES:
        if low.empty or high.empty:
            break
        partners = _partners(rule, low, high, bounds)
        hit = partners >= 0
        meets = high["utterance_id"].to_numpy()[partners[hit]]
        found.append(pd.DataFrame({"rule": rule, "meets": meets}, index=low.index[hit]))
        low = low[~hit]
    return pd.concat(found) if found else pd.DataFrame({"rule": [], "meets": []}, dtype="str")


def _partners(rule: str, low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> Ints:
    """Return for each row of `low` the position of the row of `high` that it meets, or -1."""
    if rule == "near_duplicate":
        sets = [[words_of(sentence, bounds.language) for sentence in rows["variants"]] for rows in (low, high)]
        return similar_sets(sets[0], sets[1], bounds.similarity)
    if rule == "fingerprint":
        return similar_recordings(low, high, bounds)
    first: dict[str, int] = {}
    for position, key in enumerate(_keys(rule, high)):
        first.setdefault(key, position)
    first.pop("", None)
    return np.fromiter((first.get(key, -1) for key in _keys(rule, low)), dtype=np.int64, count=len(low))


def _keys(rule: str, rows: pd.DataFrame) -> list[str]:
    """Return what must not be equal in two splits; "" meets nothing (unknown, or a corpus of one speaker)."""
    if rule == "speaker":
        return ["" if dependent else identity(speaker)
                for speaker, dependent in zip(rows["speaker"], rows["speaker_dependent"], strict=True)]
    return rows["text" if rule == "sentence" else "audio_hash"].tolist()


def similar_sets(low: Sequence[Words], high: Sequence[Words], similarity: float) -> Ints:
    """Return for each set of `low` the position of the most similar set of `high` that reaches `similarity`, or -1.

    Exact: two sets that are similar enough share a word among the rarest few of each, at a place early enough that the
    rest can still agree (prefix and positional filter).

    Source: Xiao, Wang, Lin, Yu, Wang: Efficient similarity joins for near-duplicate detection, TODS 36(3), 2011, 3.
    """
    low_sets, low_of = _distinct(low)
    high_sets, high_of = _distinct(high)
    low_first, high_first = _prefixes(low_sets, high_sets, similarity)
    best = np.full(len(low_sets), -1, dtype=np.int64)
    reached = np.zeros(len(low_sets))
    for i, j in _joined(low_first, high_first, similarity):
        shared = len(low_sets[i] & high_sets[j])
        measured = shared / (len(low_sets[i]) + len(high_sets[j]) - shared)
        if measured >= similarity - _EPSILON and (measured > reached[i] or (measured == reached[i] and j < best[i])):
            best[i], reached[i] = j, measured
    first_of_set = np.full(len(high_sets) + 1, -1, dtype=np.int64)
    first_of_set[high_of[::-1]] = np.arange(len(high))[::-1]
    return first_of_set[best[low_of]]


def _distinct(sets: Sequence[Words]) -> tuple[list[Words], Ints]:
    """Return the distinct sets in order of first sight, and for each given set its place among them."""
    places: dict[Words, int] = {}
    of = np.fromiter((places.setdefault(words, len(places)) for words in sets), dtype=np.int64, count=len(sets))
    return list(places), of


def _prefixes(low: list[Words], high: list[Words], similarity: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rarest words of each set, one a row: set, size, word (by rank), place in the set."""
    sizes = np.fromiter(map(len, low + high), dtype=np.int64, count=len(low) + len(high))
    codes, names = pd.factorize(np.array([word for words in low + high for word in words], dtype=object))
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(np.bincount(codes, minlength=len(names)), kind="stable")] = np.arange(len(names))
    owner = np.repeat(np.arange(len(sizes)), sizes)
    word = rank[codes]
    order = np.lexsort((word, owner))
    place = np.arange(len(word)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table = pd.DataFrame({"set": owner, "size": sizes[owner], "word": word[order], "place": place})
    table = table[place <= table["size"] - np.ceil(similarity * table["size"] - _EPSILON)]
    of_low = table["set"] < len(low)
    return table[of_low], table[~of_low].assign(set=lambda rows: rows["set"] - len(low))


def _joined(low: pd.DataFrame, high: pd.DataFrame, similarity: float) -> Iterator[tuple[int, int]]:
    """Yield the pairs of sets that share an early word and may reach `similarity`; memory stays bounded."""
    high = high.sort_values(["word", "set"])
    h_word, h_set, h_size, h_place = (high[name].to_numpy() for name in ("word", "set", "size", "place"))
    start = np.searchsorted(h_word, low["word"], side="left")
    count = np.searchsorted(h_word, low["word"], side="right") - start
    l_set, l_size, l_place = (low[name].to_numpy() for name in ("set", "size", "place"))
    chunk_of = np.cumsum(count) // 2_000_000
    for chunk in np.unique(chunk_of[count > 0]):
        rows = np.flatnonzero((chunk_of == chunk) & (count > 0))
        left = np.repeat(rows, count[rows])
        within = np.arange(len(left)) - np.repeat(np.cumsum(count[rows]) - count[rows], count[rows])
        right = start[left] + within
        total = l_size[left] + h_size[right]
        needed = np.ceil(similarity / (1 + similarity) * total - _EPSILON)
        kept = np.minimum(l_size[left] - l_place[left], h_size[right] - h_place[right]) >= needed
        pairs = np.unique(l_set[left[kept]] * (h_set.max() + 1) + h_set[right[kept]])
        yield from zip(*(part.tolist() for part in np.divmod(pairs, h_set.max() + 1)), strict=True)


def similar_recordings(low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> Ints:
    """Return for each row of `low` the position of the row of `high` with the nearest fingerprint in bounds, or -1.

    With bits as ±1, the scalar product of two fingerprints is bits − 2 × Hamming distance: one matrix product compares
    a block of `low` with every row of `high` of similar duration.
    """
    partners = np.full(len(low), -1, dtype=np.int64)
    (low_at, low_length, low_bytes), (high_at, high_length, high_bytes) = _fingerprints(low), _fingerprints(high)
    if not len(low_at) or not len(high_at):
        return partners
    num_bits = 8 * low_bytes.shape[1]
    allowed, slack = int(bounds.bit_share * num_bits), round(bounds.duration_s * SAMPLE_RATE_HZ)
    high_signs = np.unpackbits(high_bytes, axis=1).astype(np.float32) * 2 - 1
    for start in range(0, len(low_at), 1024):
        block = slice(start, start + 1024)
        lengths = low_length[block]
        first = np.searchsorted(high_length, lengths[0] - slack, side="left")
        last = np.searchsorted(high_length, lengths[-1] + slack, side="right")
        if first == last:
            continue
        signs = np.unpackbits(low_bytes[block], axis=1).astype(np.float32) * 2 - 1
        distance = (num_bits - signs @ high_signs[first:last].T) / 2
        distance[np.abs(lengths[:, None] - high_length[None, first:last]) > slack] = num_bits + 1
        nearest = distance.argmin(axis=1)
        hit = distance[np.arange(len(nearest)), nearest] <= allowed
        partners[low_at[block][hit]] = high_at[first + nearest[hit]]
    return partners


def _fingerprints(rows: pd.DataFrame) -> tuple[Ints, Ints, npt.NDArray[np.uint8]]:
    """Return position, length in samples and fingerprint bytes of the rows that have one, by rising length."""
    prints = rows["fingerprint"].to_numpy(dtype=object)
    num_samples = np.rint(rows["duration_s"].to_numpy(dtype=np.float64) * SAMPLE_RATE_HZ).astype(np.int64)
    known = np.flatnonzero(prints != "")
    known = known[np.argsort(num_samples[known], kind="stable")]
    packed = np.frombuffer(bytes.fromhex("".join(prints[known])), dtype=np.uint8)
    return known, num_samples[known], packed.reshape(len(known), len(packed) // max(len(known), 1))


# ---- The recount ----------------------------------------------------------------------------------------------------


def recount(low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> dict[str, int]:
    """Return how many pairs, speakers, sentences or samples `low` and `high` still share, by rule.

    Every pair of comparable size or duration is looked at: no index that could hide one.
    """
    low_speakers, high_speakers = (
        {identity(name) for name in rows.loc[~rows["speaker_dependent"], "speaker"].unique()} for rows in (low, high)
    )
    return {
        "speaker": len(low_speakers & high_speakers - {""}),
        "sentence": len(np.intersect1d(low["text"], high["text"])),
        "near_duplicate": _count_similar_sets(low, high, bounds),
        "audio": len(set(low["audio_hash"]) & set(high["audio_hash"]) - {""}),
        "fingerprint": _count_similar_recordings(low, high, bounds),
    }


def _count_similar_sets(low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> int:
    """Return the pairs of distinct word sets that reach the similarity.

    Each set is sketched as 64 parity bits, one flip a word; two sketches never differ in more bits than the sets
    differ in words, so a pair that the sketches tell apart is apart.
    """
    sets = [{words_of(sentence, bounds.language) for sentence in rows["variants"].unique()} for rows in (low, high)]
    bits = {word: index % 64 for index, word in enumerate(sorted(frozenset[str]().union(*sets[0], *sets[1])))}
    by_size = [_sketches(group, bits) for group in sets]
    count = 0
    for low_size, (low_sets, low_sketches) in by_size[0].items():
        for high_size, (high_sets, high_sketches) in by_size[1].items():
            if min(low_size, high_size) < bounds.similarity * max(low_size, high_size) - _EPSILON:
                continue
            total = low_size + high_size
            differing = math.floor((1 - bounds.similarity) / (1 + bounds.similarity) * total + _EPSILON)
            for i, j in _near_sketches(low_sketches, high_sketches, differing):
                shared = len(low_sets[i] & high_sets[j])
                count += shared >= bounds.similarity * (total - shared) - _EPSILON
    return count


def _sketches(sets: set[Words], bits: dict[str, int]) -> dict[int, tuple[list[Words], npt.NDArray[np.uint64]]]:
    """Return the sets and their sketches by size."""
    grouped: dict[int, tuple[list[Words], list[int]]] = {}
    for words in sets:
        sketch = 0
        for word in words:
            sketch ^= 1 << bits[word]
        members, sketches = grouped.setdefault(len(words), ([], []))
        members.append(words)
        sketches.append(sketch)
    return {size: (members, np.array(sketches, dtype=np.uint64)) for size, (members, sketches) in grouped.items()}


def _near_sketches(
    low: npt.NDArray[np.uint64], high: npt.NDArray[np.uint64], differing: int
) -> Iterator[tuple[int, int]]:
    """Yield every pair of sketches that differ in at most `differing` bits, block by block within the cache."""
    for i in range(0, len(low), 128):
        for j in range(0, len(high), 1024):
            apart = np.bitwise_count(low[i : i + 128, None] ^ high[None, j : j + 1024])
            for row, column in np.argwhere(apart <= differing):
                yield i + int(row), j + int(column)


def _count_similar_recordings(low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> int:
    """Return the pairs of recordings whose fingerprints are within bounds, by exclusive or and a count of bits."""
    (_, low_length, low_bytes), (_, high_length, high_bytes) = _fingerprints(low), _fingerprints(high)
    if not len(low_length) or not len(high_length):
        return 0
    allowed = int(bounds.bit_share * 8 * low_bytes.shape[1])
    slack = round(bounds.duration_s * SAMPLE_RATE_HZ)
    low_words, high_words = _as_words(low_bytes), _as_words(high_bytes)
    first = np.searchsorted(low_length, high_length - slack, side="left")
    last = np.searchsorted(low_length, high_length + slack, side="right")
    count = 0
    for row, (start, stop) in enumerate(zip(first, last, strict=True)):
        apart = np.zeros(stop - start, dtype=np.uint16)
        for column in range(low_words.shape[0]):
            apart += np.bitwise_count(low_words[column, start:stop] ^ high_words[column, row])
        count += int((apart <= allowed).sum())
    return count


def _as_words(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Return bytes as words of 64 bits, one word of all fingerprints a row; the last is filled up with zeros."""
    padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    return np.ascontiguousarray(np.ascontiguousarray(padded).view(np.uint64).T)

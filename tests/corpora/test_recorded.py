"""All available recorded speech, end to end through the readers: kept and rejected utterances by reason, none lost."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from pipeline.core.errors import DataError
from tests.releases import SHARED, take_in, write

pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="needs the recorded speech")
MANIFEST = {"reader": "manifest", "source": "speech", "columns": {"licence": "license", "locale": "locale_accent"}, "locale": "und"}


def listed(subset: str, code: str) -> dict[str, Any]:
    return {**MANIFEST, "where": {"subset": subset, "language": code}, "language": {"pt": "portuguese", "es": "spanish"}.get(code, "portuguese")}


CORPORA: dict[str, tuple[dict[str, Any], int, dict[str, int]]] = {
    # name: its section under ingest, kept utterances, rejects by reason
    "cv-pt": ({"reader": "common_voice", "source": "speech/cv-corpus-6.1-2020-12-11/pt", "sets": "rebuilt"}, 63, {}),
    "cv-es": ({"reader": "common_voice", "source": "speech/cv-corpus-6.1-2020-12-11/es", "sets": "rebuilt", "language": "spanish"}, 55, {}),
    "read-sentences": (listed("htsbr_m001", "pt"), 690, {}),
    "keywords-pt": (listed("picovoice_porcupine", "pt"), 1, {}),
    "keywords-es": (listed("picovoice_porcupine", "es"), 1, {}),
    "samples-pt": (listed("picovoice_cheetah", "pt"), 2, {}),
    "samples-es": (listed("picovoice_cheetah", "es"), 1, {}),
    "phrases-es": (listed("precise_es_words", "es"), 57, {"clipped": 3}),
    "long-pt": (listed("long_form_synthetic", "pt"), 0, {"too long": 2}),
    "long-es": (listed("long_form_synthetic", "es"), 0, {"too long": 2}),
    "untranscribed-pt": (listed("untranscribed", "pt"), 0, {"empty transcript": 2}),
    "untranscribed-es": (listed("untranscribed", "es"), 0, {"empty transcript": 2}),
    **{f"other-{code}": (listed("other_language", code), count, {}) for code, count in
       {"it": 9, "fr": 9, "en": 9, "ro": 8, "ca": 7, "de": 1}.items()},
}


@pytest.mark.slow
def test_every_recording_is_ingested_or_rejected_with_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "speech").symlink_to(SHARED)
    table = pd.read_csv(SHARED / "manifest.tsv", sep="\t", quoting=3, keep_default_na=False, dtype=str).set_index("path")
    accounted: Counter[str] = Counter()
    lines = [f"{'corpus':<18}{'offered':>9}{'in':>6}{'rejected':>10}  by reason"]
    for name, (section, expected, reasons) in CORPORA.items():
        lines.append(f"{name:<18}{expected + sum(reasons.values()):>9}{expected:>6}{sum(reasons.values()):>10}  "
                     + ", ".join(f"{count} {reason}" for reason, count in reasons.items()))
        if not expected:  # the stage fails, with the table of reasons
            (reason, count), = reasons.items()
            with pytest.raises(DataError, match=f"{count} of {count} utterances rejected\n +{count}  {reason} "):
                take_in(tmp_path, **section)
            chosen = section["where"]
            accounted.update(table.index[(table["subset"] == chosen["subset"]) & (table["language"] == chosen["language"])])
            continue
        taken, rejects = take_in(tmp_path, **section)
        assert (len(taken), dict(Counter(rejects["reason"]))) == (expected, reasons), name
        folder = section["source"].partition("/")[2]
        paths = [str(Path(folder) / source) for source in [*taken["source"], *rejects["source"]]]
        accounted.update(paths)
        released = table.loc[paths[: len(taken)]]
        assert np.abs(taken["duration_s"].to_numpy() - released["duration_s"].astype(float).to_numpy()).max() < 0.1, name
        assert (taken["transcript"].to_numpy() == released["text"].to_numpy()).all(), name
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert accounted == Counter(table.index)


def test_headerless_originals_are_the_samples_of_their_flac(tmp_path: Path) -> None:
    originals = sorted((SHARED / "htsbr_m001" / "raw_original").iterdir())
    write(tmp_path / "voice" / "manifest.tsv", "path\ttext\n" + "".join(f"{path.name}\tuma frase\n" for path in originals))
    for path in originals:
        write(tmp_path / "voice" / path.name, path.read_bytes())
    taken, rejects = take_in(tmp_path, reader="manifest", source="voice", locale="pt-BR", licence="BSD-2-Clause", headerless={"rate_hz": 16_000})
    assert (len(taken), len(rejects)) == (3, 0)
    for path, audio in zip(originals, taken["audio"], strict=True):
        samples, _ = soundfile.read(io.BytesIO(audio["bytes"]), dtype="int16")
        wrapped, _ = soundfile.read(SHARED / "htsbr_m001" / "flac" / f"{path.stem}.flac", dtype="int16")
        assert np.array_equal(samples, wrapped)

"""The ingest stage: the same bytes in any run, no finished shard lost to a kill, no utterance dropped without a reason."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml

from benchmarks import memory
from pipeline import ingest
from pipeline.core.errors import DataError, ParamsError
from pipeline.core.files import ROOT, hash_file
from pipeline.core.manifest import REJECT, SHARD

SHARED = ROOT.parent / "shared" / "speech"
RUN = "import sys; from pathlib import Path; from pipeline import ingest; ingest.run('toy', root=Path(sys.argv[1]), workers=1)"
SPEAK = {"reader": "speak", "language": "spanish", "source": "pipeline/corpora/lexicon", "locales": {"es": 0.5, "es-419": 0.5},
         "speakers": 6, "utterances": 30, "seed": 3, "utterances_per_shard": 10}
PLAIN = {"reader": "manifest", "language": "portuguese", "source": "corpus", "locale": "pt-BR", "licence": "CC0-1.0"}


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))


def checkout(folder: Path, **corpora: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump({"ingest": corpora}))
    return folder


def result(root: Path, language: str) -> dict[str, str]:
    """Return the hash of each file that the stage wrote."""
    return {path.name: hash_file(path) for path in sorted((root / "data" / "ingest" / language / "toy").iterdir())}


def shards(root: Path, language: str = "portuguese") -> pd.DataFrame:
    return pd.concat(map(pd.read_parquet, sorted((root / "data" / "ingest" / language / "toy").glob("shard-*.parquet"))))


def rejects(root: Path) -> pd.DataFrame:
    return pd.read_parquet(root / "data" / "ingest" / "portuguese" / "toy" / "rejects.parquet")


def tone(hz: float = 440.0, rate_hz: int = 16_000, duration_s: float = 1.0, amplitude: float = 0.3) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * duration_s)) / rate_hz)


def corpus(root: Path, recordings: dict[str, tuple[np.ndarray, int] | bytes | None], text: str = "uma frase") -> Path:
    """Write recordings (samples and rate, a file's bytes, or no file) and their table."""
    (root / "corpus").mkdir(parents=True)
    rows = ["path\ttext"]
    for name, recording in recordings.items():
        if isinstance(recording, bytes):
            (root / "corpus" / name).write_bytes(recording)
        elif recording is not None:
            soundfile.write(root / "corpus" / name, *recording)
        rows.append(f"{name}\t{'' if name.startswith('no-text') else text}")
    (root / "corpus" / "manifest.tsv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ingest a synthetic corpus with two workers."""
    root = checkout(tmp_path_factory.mktemp("spoken"), toy=SPEAK)
    ingest.run("toy", root=root, workers=2)
    return root


@pytest.mark.slow
def test_the_speaker_gives_the_same_bytes_with_any_number_of_workers(spoken: Path, tmp_path: Path) -> None:
    root = checkout(tmp_path / "again", toy=SPEAK)
    ingest.run("toy", root=root, workers=1)
    assert result(root, "spanish") == result(spoken, "spanish")


def test_another_seed_gives_other_speech(spoken: Path, tmp_path: Path) -> None:
    root = checkout(tmp_path / "again", toy={**SPEAK, "seed": 4, "utterances": 10})
    ingest.run("toy", root=root)
    assert not set(shards(root, "spanish")["audio_hash"]) & set(shards(spoken, "spanish")["audio_hash"])


def test_a_larger_corpus_begins_with_the_smaller_one(spoken: Path, tmp_path: Path) -> None:
    root = checkout(tmp_path / "again", toy={**SPEAK, "utterances": 40})
    ingest.run("toy", root=root)
    kept = result(root, "spanish")
    assert kept["shard-00002.parquet"] == result(spoken, "spanish")["shard-00002.parquet"]
    assert "shard-00003.parquet" in kept


def test_a_shard_has_the_columns_types_and_audio_of_the_schema(spoken: Path) -> None:
    path = spoken / "data" / "ingest" / "spanish" / "toy" / "shard-00000.parquet"
    assert pq.read_schema(path).equals(SHARD)
    for row in pd.read_parquet(path).to_dict("records"):
        samples, rate_hz = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="int16")
        assert (rate_hz, samples.ndim, len(samples) / 16_000) == (16_000, 1, row["duration_s"])
        assert np.abs(samples.astype(int)).max() / 32_768 == pytest.approx(row["peak"])
        assert row["speaker"].startswith("toy/")
        assert row["utterance_id"].startswith("toy/")
        assert row["locale"] in ("es", "es-419")
        assert row["gender"] in ("female", "male")
        assert row["transcript"][-1] in ".!?»"


def test_the_report_adds_up(spoken: Path) -> None:
    report = json.loads((spoken / "data" / "ingest" / "spanish" / "toy" / "report.json").read_text())
    table = shards(spoken, "spanish")
    assert report["utterances"] == len(table)
    assert report["speakers"] == 6
    assert report["utterances"] + report["rejected"] == 30
    assert report["hours"] == pytest.approx(table["duration_s"].sum() / 3600)
    assert sum(part["utterances"] for part in report["locales"].values()) == len(table)
    assert {"espeakng-loader", "soundfile", "scipy"} <= set(report["versions"])


@pytest.mark.slow
def test_a_kill_costs_only_the_shard_in_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy = {**SPEAK, "utterances": 160, "utterances_per_shard": 40}
    undisturbed, killed = checkout(tmp_path / "undisturbed", toy=toy), checkout(tmp_path / "killed", toy=toy)
    ingest.run("toy", root=undisturbed)
    process = subprocess.Popen([sys.executable, "-c", RUN, str(killed)], cwd=ROOT, start_new_session=True)
    state = tmp_path / "state" / "ingest"
    try:
        deadline = time.monotonic() + 60
        while not list(state.glob("*/shard-*.json")) and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finished = list(state.glob("*/shard-*.json"))
    assert 1 <= len(finished) < 4
    assert not (killed / "data").exists()
    made = {path.name: path.stat().st_mtime_ns for path in state.glob("*/shard-*.parquet") if path.with_suffix(".json") in finished}

    ingest.run("toy", root=killed)

    assert result(killed, "spanish") == result(undisturbed, "spanish")
    folder = killed / "data" / "ingest" / "spanish" / "toy"
    assert {name: (folder / name).stat().st_mtime_ns for name in made} == made
    assert not list(state.iterdir())
    assert f"{len(made)} of 4 shards kept from an interrupted run" in capsys.readouterr().out


@pytest.mark.slow
def test_a_killed_stage_leaves_no_worker_behind(tmp_path: Path) -> None:
    root = checkout(tmp_path / "killed", toy={**SPEAK, "utterances": 2_000, "utterances_per_shard": 1_000, "max_duration_s": 8})
    process = subprocess.Popen([sys.executable, "-c", RUN, str(root)], cwd=ROOT, start_new_session=True)

    def session() -> set[str]:
        """The living processes of the stage's session."""
        return {path.parent.name for path in Path("/proc").glob("[0-9]*/stat") if _session_of(path) == process.pid}

    deadline = time.monotonic() + 60
    while not list((tmp_path / "state").glob("ingest/*/.shard-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    while session() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not session()


def _session_of(stat: Path) -> int:
    try:
        state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else int(session)


def test_every_reason_of_rejection_is_counted_with_its_detail(tmp_path: Path) -> None:
    same = np.rint(tone() * 32_000).astype(np.int16)
    sound = io.BytesIO()
    soundfile.write(sound, tone(), 16_000, format="FLAC")
    root = corpus(checkout(tmp_path, toy={**PLAIN, "max_duration_s": 5.0, "max_reject_share": 0.95}), {
        "good.wav": (same, 16_000), "other.wav": (tone(660), 16_000), "copy.flac": (same, 16_000),
        "no-text.wav": (tone(500), 16_000),
        "absent.wav": None,  # a link to nothing, below
        "words.wav": b"this is no sound",
        "cut.flac": sound.getvalue()[:300],
        "nan.wav": None,
        "nothing.wav": (np.zeros(0), 16_000),
        "silent.wav": (np.zeros(16_000), 16_000),
        "offset.wav": (np.full(16_000, 0.3), 16_000),
        "loud.wav": (tone(amplitude=3.0), 16_000),
        "short.wav": (tone(duration_s=0.2), 16_000),
        "long.wav": (tone(duration_s=5.5), 16_000),
    })
    (root / "corpus" / "absent.wav").symlink_to("nowhere.wav")
    soundfile.write(root / "corpus" / "nan.wav", np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    ingest.run("toy", root=root)
    assert shards(root)["utterance_id"].tolist() == ["toy/good", "toy/other"]
    found = rejects(root)
    assert list(found.columns) == list(REJECT)
    assert dict(zip(found["utterance_id"].str.removeprefix("toy/"), found["reason"], strict=True)) == {
        "no-text": "empty transcript", "absent": "unreadable", "words": "unreadable", "cut": "unreadable", "nan": "unreadable",
        "nothing": "empty", "silent": "silent", "offset": "silent", "loud": "clipped", "short": "too short", "long": "too long",
        "copy": "duplicate audio",
    }
    detail = dict(zip(found["utterance_id"].str.removeprefix("toy/"), found["detail"], strict=True))
    assert detail["copy"] == "the samples of toy/good"
    assert "No such file" in detail["absent"]
    assert detail["short"] == "0.20 s"
    report = json.loads((root / "data" / "ingest" / "portuguese" / "toy" / "report.json").read_text())
    assert report["rejected"] == 12
    assert report["rejects"]["unreadable"] == 4


def test_any_rate_channels_and_coding_give_the_same_audio(tmp_path: Path) -> None:
    both = np.stack([tone(1_000, 48_000) + tone(300, 48_000), tone(1_000, 48_000) - tone(300, 48_000)], axis=1)
    root = corpus(checkout(tmp_path, toy=PLAIN), {
        "reference.wav": (tone(1_000), 16_000),
        "stereo.flac": (both, 48_000),
        "telephone.wav": (tone(1_000, 8_000), 8_000),
        "lossy.mp3": (tone(1_000, 44_100), 44_100),
        "coded.ogg": (tone(1_000, 22_050), 22_050),
    })
    ingest.run("toy", root=root)
    table = shards(root)
    assert len(table) == 5
    for row in table.to_dict("records"):
        samples, _ = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
        middle = samples[4_000:12_000]
        spectrum = np.abs(np.fft.rfft(middle))
        assert np.argmax(spectrum) == 500, row["source"]
        assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.02), row["source"]


def test_a_copy_in_another_shard_is_rejected_and_the_rest_kept_in_order(tmp_path: Path) -> None:
    recordings = {f"{number}.wav": (tone(300 + 10 * (number % 5)), 16_000) for number in range(8)}
    root = corpus(checkout(tmp_path, toy={**PLAIN, "utterances_per_shard": 3, "max_reject_share": 0.5}), recordings)
    ingest.run("toy", root=root)
    assert shards(root)["utterance_id"].tolist() == [f"toy/{number}" for number in range(5)]
    assert rejects(root)["detail"].tolist() == ["the samples of toy/0", "the samples of toy/1", "the samples of toy/2"]


def test_a_corpus_with_too_many_rejects_fails_with_the_table_of_reasons(tmp_path: Path) -> None:
    recordings: dict[str, Any] = {f"{number}.wav": (tone(300 + 10 * number), 16_000) for number in range(6)}
    root = corpus(checkout(tmp_path, toy=PLAIN), {**recordings, "absent.wav": None, "gone.wav": None, "no-text.wav": (tone(), 16_000)})
    with pytest.raises(DataError) as caught:
        ingest.run("toy", root=root)
    message = str(caught.value)
    assert "ingest@toy: 3 of 9 utterances rejected" in message
    assert "2  unreadable (such as absent.wav: " in message
    assert "1  empty transcript (such as no-text.wav)" in message
    assert "expected at most 5%" in message
    assert not (root / "data" / "ingest" / "portuguese" / "toy").exists()


def test_a_corpus_without_a_valid_utterance_fails_even_if_all_rejects_are_allowed(tmp_path: Path) -> None:
    root = corpus(checkout(tmp_path, toy={**PLAIN, "max_reject_share": 1.0}), {"absent.wav": None})
    with pytest.raises(DataError, match="1 of 1 utterances rejected"):
        ingest.run("toy", root=root)


def test_a_new_run_replaces_the_old_result_completely(tmp_path: Path) -> None:
    recordings = {f"{number}.wav": (tone(300 + 10 * number), 16_000) for number in range(4)}
    root = corpus(checkout(tmp_path, toy={**PLAIN, "utterances_per_shard": 1}), recordings)
    ingest.run("toy", root=root)
    checkout(root, toy={**PLAIN, "utterances_per_shard": 4})
    ingest.run("toy", root=root)
    assert list(result(root, "portuguese")) == ["rejects.parquet", "report.json", "shard-00000.parquet"]


def test_changed_recordings_are_read_again_after_a_failure(tmp_path: Path) -> None:
    root = corpus(checkout(tmp_path, toy=PLAIN), {"a.wav": (tone(), 16_000), "b.wav": None})
    with pytest.raises(DataError, match="1 of 2 utterances rejected"):
        ingest.run("toy", root=root)
    soundfile.write(root / "corpus" / "b.wav", tone(500), 16_000)
    ingest.run("toy", root=root)
    assert len(shards(root)) == 2


def test_wrong_params_are_reported_before_any_work(tmp_path: Path) -> None:
    root = checkout(tmp_path, toy={**PLAIN, "tabel": "x.tsv", "max_clipped": 2})
    with pytest.raises(ParamsError) as caught:
        ingest.run("toy", root=root)
    assert "ingest.toy.tabel: unknown key" in str(caught.value)
    assert "ingest.toy.max_clipped: found 2" in str(caught.value)
    with pytest.raises(ParamsError, match="ingest.other: missing; found toy"):
        ingest.run("other", root=root)
    with pytest.raises(ParamsError, match="ingest.toy.reader: found 'tape'; expected 'speak', 'manifest', 'common_voice'"):
        ingest.run("toy", root=checkout(tmp_path, toy={"reader": "tape"}))


@pytest.mark.parametrize("name", ["toy.tar.gz", "toy.zip"])
def test_an_archive_gives_the_same_bytes_as_its_folder_and_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    root = corpus(checkout(tmp_path / "checkout", toy=PLAIN), {f"{number}.wav": (tone(300 + 10 * number), 16_000) for number in range(3)})
    ingest.run("toy", root=root)
    from_folder = result(root, "portuguese")
    shutil.make_archive(str(root / "toy"), {"toy.tar.gz": "gztar", "toy.zip": "zip"}[name], root / "corpus")
    shutil.rmtree(root / "corpus")
    checkout(root, toy={**PLAIN, "source": name})
    ingest.run("toy", root=root)
    assert result(root, "portuguese") == from_folder
    assert [path.suffix for path in (tmp_path / "state" / "archives").iterdir()] == [".lock"]


def test_shards_made_from_an_archive_are_kept_after_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recordings: dict[str, Any] = {**{f"{number}.wav": (tone(300 + 10 * number), 16_000) for number in range(3)}, "words.wav": b"no sound"}
    root = corpus(checkout(tmp_path / "checkout", toy={**PLAIN, "source": "toy.zip"}), recordings)
    shutil.make_archive(str(root / "toy"), "zip", root / "corpus")
    with pytest.raises(DataError, match="1 of 4 utterances rejected"):
        ingest.run("toy", root=root)
    checkout(root, toy={**PLAIN, "source": "toy.zip", "max_reject_share": 0.5})
    ingest.run("toy", root=root)
    assert "1 of 1 shards kept from an interrupted run" in capsys.readouterr().out


def test_a_malicious_archive_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    root = checkout(tmp_path / "checkout", toy={**PLAIN, "source": "toy.tar.gz"})
    with tarfile.open(root / "toy.tar.gz", "w:gz") as writer:
        member = tarfile.TarInfo("../../../escaped")
        member.size = 4
        writer.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(DataError, match="'../../../escaped' is outside of the archive; expected files and folders only"):
        ingest.run("toy", root=root)
    assert not list(tmp_path.rglob("escaped"))
    assert not (root / "data").exists()


def test_fewer_hours_of_a_release_are_a_subset_of_more_hours(tmp_path: Path) -> None:
    recordings = {f"{number}.wav": (tone(300 + 10 * number), 16_000) for number in range(30)}
    root = corpus(checkout(tmp_path, toy=PLAIN), recordings)
    taken: dict[tuple[float, int], list[str]] = {}
    for limit_s, seed in ((5, 1), (12, 1), (12, 2), (100, 1)):
        checkout(root, toy={**PLAIN, "limit_hours": limit_s / 3600, "limit_seed": seed, "utterances_per_shard": 4})
        ingest.run("toy", root=root)
        taken[limit_s, seed] = shards(root)["utterance_id"].tolist()
    assert {key: len(names) for key, names in taken.items()} == {(5, 1): 5, (12, 1): 12, (12, 2): 12, (100, 1): 30}
    assert set(taken[5, 1]) < set(taken[12, 1]) != set(taken[12, 2])
    assert taken[12, 1] == [name for name in taken[100, 1] if name in taken[12, 1]], "in the release's order"


@pytest.mark.slow
def test_ten_times_the_data_takes_no_more_memory(tmp_path: Path) -> None:
    peaks_mb = []
    for utterances in (200, 2_000):
        (tmp_path / f"{utterances}").mkdir()
        memory.corpus(tmp_path / f"{utterances}", utterances, seconds=1.0)
        peaks_mb.append(memory.peaks_mb(tmp_path / f"{utterances}", workers=2))
    (stage, worker), (stage_of_more, worker_of_more) = peaks_mb
    assert worker > 50 and stage > 50, "both were measured"
    assert stage_of_more < stage * memory.GROWTH
    assert worker_of_more < worker * memory.GROWTH


def test_the_synthetic_speaker_has_no_limit_by_hours(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="limit_hours is for releases; set utterances instead"):
        ingest.run("toy", root=checkout(tmp_path, toy={**SPEAK, "limit_hours": 1}))


def test_silence_at_the_ends_is_trimmed_by_params(tmp_path: Path) -> None:
    noise = 0.0003 * np.random.default_rng(1).standard_normal(16_000)  # 60 dB under the tone
    spoken = np.concatenate([noise, tone(), noise[::-1], tone(660), noise[5:]])
    root = corpus(checkout(tmp_path, toy={}), {"a.wav": (spoken, 16_000), "b.wav": (np.concatenate([noise, tone(duration_s=0.1), noise]), 16_000)})
    for keep_s, expected in ((None, [5.0, 2.1]), (0.25, [3.5, 0.6]), (0.0, [3.0])):
        checkout(root, toy={**PLAIN, "trim_silence_s": keep_s, "max_reject_share": 0.5})
        ingest.run("toy", root=root)
        assert shards(root)["duration_s"].tolist() == pytest.approx(expected, abs=0.041), keep_s
    assert rejects(root)["detail"].tolist() == ["0.10 s without the silence at its ends"]


def test_params_select_the_channel_and_declare_the_coding_of_a_file_without_header(tmp_path: Path) -> None:
    both = np.stack([tone(1_000), tone(500)], axis=1)
    bare = np.rint(tone(1_000, amplitude=0.2) * 32_768).astype("<i2").tobytes()
    root = corpus(checkout(tmp_path, toy={}), {"both.wav": (both, 16_000), "bare.raw": bare})
    checkout(root, toy={**PLAIN, "channel": 2, "max_reject_share": 0.9})
    ingest.run("toy", root=root)
    assert rejects(root)["detail"].tolist() == ["it has no header: declare how it is coded (ingest.CORPUS.headerless)"]
    samples, _ = soundfile.read(io.BytesIO(shards(root)["audio"].iloc[0]["bytes"]))
    assert np.argmax(np.abs(np.fft.rfft(samples))) == 500
    checkout(root, toy={**PLAIN, "channel": 1, "headerless": {"rate_hz": 16_000}, "max_reject_share": 0.9})
    ingest.run("toy", root=root)
    for row in shards(root).to_dict("records"):
        assert np.argmax(np.abs(np.fft.rfft(soundfile.read(io.BytesIO(row["audio"]["bytes"]))[0]))) == 1_000, row["source"]
    with pytest.raises(ParamsError, match="(?s)ingest.toy.channel.*expected 'mix'.*ingest.toy.headerless.coding: found 'mp3'"):
        ingest.run("toy", root=checkout(root, toy={**PLAIN, "channel": 0, "headerless": {"rate_hz": 1, "coding": "mp3"}}))


@pytest.mark.skipif(not SHARED.exists(), reason="needs the recorded speech")
def test_each_odd_input_is_ingested_or_rejected_with_a_reason(tmp_path: Path) -> None:
    names = [line.partition("\t")[0] for line in (SHARED / "odd_inputs" / "INDEX.tsv").read_text().splitlines()[1:]]
    root = checkout(tmp_path, toy={**PLAIN, "max_reject_share": 0.9, "headerless": {"rate_hz": 16_000, "endings": [".wav"]}})
    shutil.copytree(SHARED / "odd_inputs", root / "corpus", copy_function=shutil.copyfile)
    (root / "corpus").chmod(0o755)
    (root / "corpus" / "manifest.tsv").write_text("path\ttext\n" + "".join(f"{name}\tuma frase\n" for name in names))
    ingest.run("toy", root=root)
    found = {row["source"]: f"{row['duration_s']:.2f} s" for row in shards(root).to_dict("records")}
    found |= {row["source"]: f"{row['reason']}: {row['detail']}" for row in rejects(root).to_dict("records")}
    m4a = "unreadable: MPEG-4 (m4a, mp4, 3gp) is decoded by FFmpeg, which is not on the path: install it (Debian: apt install ffmpeg)"
    decoded = shutil.which("ffmpeg") is not None
    assert found == {
        "whatstheweatherlike-mulaw.wav": "2.03 s",
        "missing_wav_header.wav": "1.26 s",
        "test_audio_stereo.wav": "1.72 s",
        "8_Channel_ID.m4a": "8.05 s" if decoded else m4a,
        "jfk_441khz.m4a": "11.00 s" if decoded else m4a,
        "empty.wav": "8.21 s",
    }


@pytest.mark.skipif(not SHARED.exists(), reason="needs the recorded speech")
def test_real_recordings_are_ingested(tmp_path: Path) -> None:
    root = checkout(tmp_path, toy={**PLAIN, "source": "speech", "where": {"subset": "cv61", "language": "pt"},
                                   "columns": {"licence": "license"}})
    (root / "speech").symlink_to(SHARED)
    ingest.run("toy", root=root)
    table = shards(root)
    assert len(table) == 63
    assert table["speaker"].nunique() == 11
    assert table["duration_s"].sum() / 60 == pytest.approx(4.4, abs=0.1)
    assert (table["clipped"] < 0.01).all()
    assert table["snr_db"].between(10, 100).all()

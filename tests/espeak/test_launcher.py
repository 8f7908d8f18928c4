"""The launcher: the same bytes after each fresh start, words in IPA, and a message for every error."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import espeakng_loader
import pytest

from pipeline.core.errors import DataError
from pipeline.core.files import ROOT
from pipeline.espeak import launcher
from pipeline.espeak.launcher import Espeak, phonemise

UTTERANCES = [
    # voice, variant, rate_wpm, pitch, pitch_range, word_gap_ms, text
    ("pt-br", "f2", 172, 44, 52, 30, "o menino comprou pão e queijo para a avó"), ("pt", "m3", 140, 60, 40, 0, "uma casa amarela"),
    ("es", "Alicia", 165, 50, 75, 60, "el niño compró pan y queso"), ("es-419", "grandpa", 181, 55, 35, 20, "hace mucho frío hoy"),
    ("pt-br", "m8", 150, 41, 60, 50, "são duas horas da tarde"),
]
SHA256 = "1fc4d8a43b6125873977a5a206aacbfedd1930274a9a7273d845e45b44de647a"
"""Of the samples of UTTERANCES in order, with seed 7,000,021, by eSpeak NG of espeakng-loader 0.2.4 in any process."""
OPEN = "from pipeline.espeak import launcher\ntry: launcher.Espeak()\nexcept launcher.DataError as error: print(error)"
KNOWN = version("espeakng-loader") == "0.2.4" and platform.machine() == "x86_64"


def spoken(espeak: Espeak) -> list[bytes]:
    return [bytes(espeak.synthesise(text, voice, variant, rate_wpm=rate_wpm, volume=60, pitch=pitch, pitch_range=pitch_range,
                                    word_gap_ms=word_gap_ms))
            for voice, variant, rate_wpm, pitch, pitch_range, word_gap_ms, text in UTTERANCES]


def one(espeak: Espeak, voice: str = "pt-br", variant: str = "m3") -> bytes:
    return bytes(espeak.synthesise("uma casa", voice, variant, rate_wpm=160, volume=60, pitch=50, pitch_range=50, word_gap_ms=0))


def broken_package(folder: Path, code: str) -> Path:
    """Make an espeakng_loader that is found before the installed one when the folder is first on the path."""
    (folder / "espeakng_loader").mkdir(parents=True)
    (folder / "espeakng_loader" / "__init__.py").write_text(code)
    return folder


def run(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT]))}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


@pytest.mark.skipif(not KNOWN, reason="the hash is of espeakng-loader 0.2.4 on x86_64")
def test_the_samples_equal_those_of_every_earlier_release() -> None:
    with Espeak(seed=7_000_021) as espeak:
        assert hashlib.sha256(b"".join(spoken(espeak))).hexdigest() == SHA256


def test_a_fresh_start_gives_the_same_bytes_and_a_second_pass_does_not() -> None:
    with Espeak(seed=3) as first, Espeak(seed=3) as second:
        fresh = spoken(first)
        assert spoken(second) == fresh
        assert spoken(second) != fresh, "eSpeak carries state from one utterance to the next"


def test_words_are_written_in_ipa_by_each_voice() -> None:
    assert phonemise("pt-BR", ["noite", "verde", "água"]) == ["nˈo͡ɪt͡ʃy", "vˈeɾəd͡ʒy", "ˈaɡwæ"]
    assert phonemise("es", ["noche"]) == ["nˈot͡ʃe"]
    assert phonemise("es", []) == []


def test_an_unknown_variant_is_an_error_not_the_default_voice() -> None:
    with Espeak(seed=1) as espeak:
        with pytest.raises(DataError, match="eSpeak NG: no variant 'nobody'; expected a file in .*!v"):
            one(espeak, variant="nobody")
        assert one(espeak), "the child goes on after an error"


def test_an_unknown_voice_is_named() -> None:
    with Espeak(seed=1) as espeak, pytest.raises(DataError, match=r"eSpeak NG: voice xx-none\+m3 gave error"):
        one(espeak, voice="xx-none")
    with pytest.raises(DataError, match="eSpeak NG: no voice 'xx-none'"):
        phonemise("xx-none", ["sol"])


def test_a_child_that_was_killed_is_an_error_with_its_exit_status() -> None:
    with Espeak(seed=1) as espeak:
        espeak._process.send_signal(signal.SIGKILL)
        espeak._process.wait()
        with pytest.raises(DataError, match=r"its process died \(exit -9\); check whether memory or disk is full, and run the stage again"):
            one(espeak)


def test_a_child_that_does_not_reply_in_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with Espeak(seed=1) as espeak:
        espeak._process.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(launcher, "TIMEOUT_S", 0.05)
        with pytest.raises(DataError, match="no reply within 0.05 s; run the stage again"):
            one(espeak)


def test_the_child_ends_with_the_process_that_started_it() -> None:
    code = "import os; from pipeline.espeak.launcher import Espeak; espeak = Espeak(); print(espeak._process.pid, flush=True); os._exit(9)"
    child = int(run(code).stdout)
    for _ in range(500):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        signal.sigtimedwait([], 0.01)
    pytest.fail("it is still running")


@pytest.mark.slow
def test_without_the_package_the_stage_prints_what_to_install_and_fails_with_exit_code_1(tmp_path: Path) -> None:
    """A Python without the package: `find_spec` finds none, and the metadata none."""
    code = ("import importlib.util, importlib.metadata as metadata, sys\n"
            "found, versions = importlib.util.find_spec, metadata.version\n"
            "def absent(name):\n    raise metadata.PackageNotFoundError(name)\n"
            "importlib.util.find_spec = lambda name, *rest: None if name == 'espeakng_loader' else found(name, *rest)\n"
            "metadata.version = lambda name: absent(name) if name == 'espeakng-loader' else versions(name)\n"
            "from pathlib import Path\n"
            "from pipeline.core.stage import exit_with_code\n"
            "from pipeline import ingest, rank\n"
            "with exit_with_code():\n    {}\n")
    expected = ("error: eSpeak NG: the package espeakng-loader is not installed; expected espeakng-loader; "
                "install it: pip install -r requirements/speak.txt\n")
    for call in ("ingest.run('speak-es', workers=1)", "rank.run(Path('none'))"):
        done = run(code.format(call))
        assert (done.returncode, done.stderr) == (1, expected), call


def test_data_that_cannot_be_opened_are_an_error_not_an_exit(tmp_path: Path) -> None:
    real = Path(espeakng_loader.get_library_path())
    folder = broken_package(tmp_path / "broken", f"def get_data_path(): return {str(tmp_path)!r}\ndef get_library_path(): return {str(real)!r}\n")
    done = run(OPEN, folder)
    assert f"eSpeak NG: could not open its data in {tmp_path} (result 0)" in done.stdout, done.stderr
    assert "install espeakng-loader again" in done.stdout


def test_a_library_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "library.so").write_text("no library")
    code = f"def get_data_path(): return '/x'\ndef get_library_path(): return {str(tmp_path / 'library.so')!r}\n"
    done = run(OPEN, broken_package(tmp_path / "broken", code))
    assert "eSpeak NG: its library cannot be loaded (" in done.stdout, done.stderr


def test_a_package_that_raises_on_import_is_reported_by_its_last_line(tmp_path: Path) -> None:
    folder = broken_package(tmp_path / "broken", "raise ImportError('half installed')\n")
    done = run(OPEN, folder)
    assert "eSpeak NG: its process died (exit 1): ImportError: half installed" in done.stdout, done.stderr


def test_a_package_at_a_long_path_speaks_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    shutil.copytree(Path(espeakng_loader.__file__).parent, deep / "espeakng_loader", symlinks=True)
    done = run("from pipeline.espeak.launcher import phonemise; print(*phonemise('pt-BR', ['noite']))", deep)
    assert done.stdout == "nˈo͡ɪt͡ʃy\n", done.stderr

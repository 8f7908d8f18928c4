"""Archives as sources: unpacked once, resumed after a kill; malicious and damaged archives are refused."""

from __future__ import annotations

import io
import multiprocessing
import os
import random
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core.errors import DataError
from pipeline.core.files import ROOT
from pipeline.sources import archives

NOISE = random.Random(1)
FILES = {"release/a.tsv": b"path\ttext\n", "release/clips/1.mp3": NOISE.randbytes(5_000), "release/clips/2.mp3": NOISE.randbytes(7_000),
         "release/empty": b""}


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


def make_tar(path: Path, files: dict[str, bytes] = FILES, members: list[tarfile.TarInfo] = [], mode: str = "w:gz") -> Path:  # noqa: B006
    with tarfile.open(path, mode) as writer:
        for name, content in files.items():
            writer.addfile(entry(name, size=len(content)), io.BytesIO(content))
        for member in members:
            writer.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def make_zip(path: Path, files: dict[str, bytes] = FILES, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


MAKERS: dict[str, Callable[[Path], Path]] = {
    "a.tar.gz": make_tar, "a.tgz": make_tar, "a.zip": make_zip, "A.ZIP": make_zip,
    "a.tar": lambda path: make_tar(path, mode="w"), "a.tar.bz2": lambda path: make_tar(path, mode="w:bz2"),
    "a.tar.xz": lambda path: make_tar(path, mode="w:xz"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_an_archive_is_unpacked_completely_and_removed_at_the_end(tmp_path: Path, name: str) -> None:
    with archives.unpacked(MAKERS[name](tmp_path / name), tmp_path / "state") as folder:
        assert content_of(folder) == FILES
        assert folder.is_relative_to(tmp_path / "state")
    assert not folder.exists()


def test_a_folder_and_any_other_file_are_passed_through(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("x")
    for source in (tmp_path, tmp_path / "words.txt", tmp_path / "absent.zip"):
        with archives.unpacked(source, tmp_path / "state") as found:
            assert found == source
    assert not (tmp_path / "state").exists()


def test_modes_of_the_archive_are_not_restored(tmp_path: Path) -> None:
    member = entry("run.sh", size=3)
    member.mode = 0o6777
    archives.unpack(make_tar(tmp_path / "a.tar.gz", {}, [entry("inner", tarfile.DIRTYPE), member]), tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out/run.sh").stat().st_mode) & 0o6111 == 0
    assert (tmp_path / "out/inner").is_dir()


@pytest.mark.parametrize(("member", "found"), [
    (entry("../evil", size=4), "'../evil' is outside of the archive"),
    (entry("a/../../evil", size=4), "'a/../../evil' is outside of the archive"),
    (entry("/tmp/evil", size=4), "'/tmp/evil' is outside of the archive"),
    (entry("evil", tarfile.SYMTYPE, "/etc"), "'evil' is a link"),
    (entry("evil", tarfile.SYMTYPE, "release/a.tsv"), "'evil' is a link"),
    (entry("evil", tarfile.LNKTYPE, "../../evil"), "'evil' is a link"),
    (entry("evil", tarfile.CHRTYPE), "'evil' is a device"),
    (entry("evil", tarfile.FIFOTYPE), "'evil' is a device"),
    (entry("release/a.tsv", size=4), "'release/a.tsv' is in it twice"),
    (entry("./release//a.tsv", size=4), "'./release//a.tsv' is in it twice"),
    (entry("release/a.tsv/b", size=4), "'a.tsv' is both a file and a folder in it"),
    (entry("release", size=4), "'release' is both a file and a folder in it"),
])
def test_a_malicious_tar_is_refused_and_writes_nothing(tmp_path: Path, member: tarfile.TarInfo, found: str) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", members=[member])
    with pytest.raises(DataError) as caught, archives.unpacked(archive, tmp_path / "state" / "x"):
        pass
    assert f"a.tar.gz: {found}; expected files and folders only, once each and inside the archive; do not use this archive" in str(caught.value)
    assert [path.name for path in (tmp_path / "state" / "x").iterdir() if not path.name.endswith(".lock")] == []
    assert {path.name for path in tmp_path.rglob("*evil*")} == set()


def test_a_link_cannot_be_written_through(tmp_path: Path) -> None:
    """A link to a folder outside, then a file in it."""
    archive = make_tar(tmp_path / "a.tar.gz", {}, [entry("door", tarfile.SYMTYPE, str(tmp_path / "outside")), entry("door/evil", size=4)])
    (tmp_path / "outside").mkdir()
    with pytest.raises(DataError, match="'door' is a link"):
        archives.unpack(archive, tmp_path / "out")
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize(("name", "mode", "found"), [
    ("../evil", 0, "'../evil' is outside of the archive"),
    ("/evil", 0, "'/evil' is outside of the archive"),
    ("evil", stat.S_IFLNK | 0o777, "'evil' is a link"),
    ("evil", stat.S_IFIFO, "'evil' is a device"),
])
def test_a_malicious_zip_is_refused(tmp_path: Path, name: str, mode: int, found: str) -> None:
    with zipfile.ZipFile(make_zip(tmp_path / "a.zip"), "a") as writer:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        writer.writestr(member, "/etc")
    with pytest.raises(DataError) as caught:
        archives.unpack(tmp_path / "a.zip", tmp_path / "out")
    assert f"a.zip: {found}; expected files and folders only" in str(caught.value)
    assert not (tmp_path / "out").exists() and not (tmp_path / "evil").exists()


def test_a_name_twice_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(make_zip(tmp_path / "a.zip"), "a") as writer, pytest.warns(UserWarning, match="Duplicate name"):
        writer.writestr("release/a.tsv", "x")
    with pytest.raises(DataError, match="'release/a.tsv' is in it twice"):
        archives.unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("name", ["bomb.tar.gz", "bomb.zip"])
def test_a_decompression_bomb_is_stopped_at_the_limit(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MINIMUM_BYTES", 1_000_000)
    zeros = {f"{number}": bytes(2_000_000) for number in range(10)}
    archive = make_tar(tmp_path / name, zeros) if name.endswith("gz") else make_zip(tmp_path / name, zeros)
    with pytest.raises(DataError, match=r"it holds more than \d MB, 20 times its own size"):
        archives.unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_many_empty_members_count_towards_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MINIMUM_BYTES", 100_000)
    with pytest.raises(DataError, match="it holds more than"):
        archives.unpack(make_tar(tmp_path / "a.tar.gz", {f"{number}": b"" for number in range(3_000)}), tmp_path / "out")


def test_a_zip_with_false_sizes_is_stopped(tmp_path: Path) -> None:
    """The directory at the end has 10 bytes, the content a million."""
    archive = make_zip(tmp_path / "a.zip", {"a": bytes(1_000_000)})
    data = archive.read_bytes()
    archive.write_bytes(data.replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(DataError, match="damaged, or of an unsupported kind"):
        archives.unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", [
    lambda data: data[: len(data) // 2], lambda data: data[:2_000] + b"\0" * 500 + data[2_500:], lambda _: b"no archive",
], ids=["cut", "overwritten", "another file"])
@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.xz", "a.tar.bz2", "a.zip"])
def test_a_damaged_archive_is_reported(tmp_path: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    archive = MAKERS[name](tmp_path / name)
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(DataError, match="damaged, or of an unsupported kind .*download it again"):
        archives.unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unpacking_is_resumed_after_a_kill(tmp_path: Path) -> None:
    archive, out = make_tar(tmp_path / "a.tar.gz"), tmp_path / "out"
    archives.unpack(archive, out)
    whole, cut = out / "release/clips/1.mp3", out / "release/clips/2.mp3"
    os.utime(whole, ns=(1, 1))
    cut.write_bytes(b"half")
    (out / "release/empty").unlink()
    archives.unpack(archive, out)
    assert content_of(out) == FILES
    assert whole.stat().st_mtime_ns == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_a_kill_during_unpacking_loses_only_the_member_in_progress(tmp_path: Path, name: str) -> None:
    files = {f"{number:03d}.mp3": NOISE.randbytes(1_000_000) for number in range(60)}
    archive = (make_tar if name.endswith("gz") else make_zip)(tmp_path / name, files)
    code = "import sys; from pathlib import Path; from pipeline.sources import archives\nwith archives.unpacked(*map(Path, sys.argv[1:])): pass"
    process = subprocess.Popen([sys.executable, "-c", code, str(archive), str(tmp_path / "state")], cwd=ROOT)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("state/*.part/*.mp3"))) < 10 and time.monotonic() < deadline:
        time.sleep(0.001)
    process.kill()
    process.wait()
    partial, = (tmp_path / "state").glob("*.part")
    made = {path.name: path.stat().st_mtime_ns for path in sorted(partial.iterdir())[:-1]}
    assert 9 <= len(made) < 60
    with archives.unpacked(archive, tmp_path / "state") as folder:
        assert content_of(folder) == files
        assert {name: (folder / name).stat().st_mtime_ns for name in made} == made
    assert not folder.exists() and not partial.exists()


def test_a_failure_keeps_the_unpacked_folder_for_the_next_run(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz")
    with pytest.raises(ZeroDivisionError), archives.unpacked(archive, tmp_path / "state") as folder:
        raise ZeroDivisionError
    made = (folder / "release/a.tsv").stat().st_mtime_ns
    with archives.unpacked(archive, tmp_path / "state") as again:
        assert again == folder
        assert (folder / "release/a.tsv").stat().st_mtime_ns == made


def _hold(archive: Path, state: Path, seconds: float) -> None:
    with archives.unpacked(archive, state) as folder:
        assert content_of(folder) == FILES
        time.sleep(seconds)
        assert content_of(folder) == FILES


def test_concurrent_processes_share_an_unpacked_archive(tmp_path: Path) -> None:
    archive, state = make_tar(tmp_path / "a.tar.gz"), tmp_path / "state"
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=_hold, args=(archive, state, seconds)) for seconds in (0.0, 0.1, 0.4, 0.0)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert not [path for path in state.iterdir() if not path.name.endswith(".lock")]

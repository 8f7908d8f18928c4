"""`vizinho registry` in a checkout: what it prints, and its exit codes."""

from __future__ import annotations

import json

import pytest

from pipeline.cli.main import main
from pipeline.registry.record import records
from tests.toy_registry import ARTEFACT, Toy


@pytest.fixture
def vizinho(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # noqa: ANN201
    """Return a function that runs `vizinho registry ARGUMENTS` in a checkout: exit code, standard output, standard error."""
    def run(toy: Toy, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(toy.path)
        monkeypatch.setattr("sys.argv", ["vizinho", "registry", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err
    return run


def test_list_marks_the_version_in_use(twice: Toy, vizinho) -> None:  # noqa: ANN001
    code, out, _ = vizinho(twice, "list")
    newest, oldest = out.splitlines()
    assert code == 0
    assert newest.startswith("* v0.2.0 ")
    assert "WER  25.00 %" in newest
    assert oldest.startswith("  v0.1.0 ")
    assert json.loads(vizinho(twice, "list", "--json")[1])["champion"] == {"path": "data/champion", "version": "v0.2.0"}


def test_list_and_show_report_day_one(toy: Toy, vizinho) -> None:  # noqa: ANN001
    for arguments in (["list"], ["show"]):
        assert vizinho(toy, *arguments)[:2] == (0, "day one: the champion is data/donor; nothing has been promoted\n")


def test_show_prints_one_record(twice: Toy, vizinho) -> None:  # noqa: ANN001
    code, out, _ = vizinho(twice, "show")
    assert code == 0
    assert out.startswith(f"artefact     {ARTEFACT} v0.2.0, ")
    assert "replaces     v0.1.0" in out
    assert json.loads(vizinho(twice, "show", "v0.1.0", "--json")[1]) == records(twice.path)[0].as_json()
    code, _, err = vizinho(twice, "show", "v0.7.0")
    assert (code, err) == (1, "error: registry v0.7.0: no such record; expected one of v0.1.0, v0.2.0; vizinho registry list\n")


@pytest.mark.slow
def test_ask_prints_the_command_that_approves_and_that_command_promotes(toy: Toy, vizinho) -> None:  # noqa: ANN001
    code, out, _ = vizinho(toy, "promote", "--ask")
    assert code == 0
    assert "WER          90.00 % -> 50.00 %" in out
    arguments = out.splitlines()[-1].removeprefix("approve      vizinho registry ").split()
    code, out, err = vizinho(toy, *arguments)
    assert (code, err) == (0, "")
    assert toy.in_use() == "v0.1.0"
    assert records(toy.path)[0].approval.by == "Ana Reis <ana@example.org>"


def test_a_refusal_is_one_line_and_exit_1_a_wrong_override_exit_2(twice: Toy, vizinho) -> None:  # noqa: ANN001
    code, _, err = vizinho(twice, "promote", records(twice.path)[0].commit, "--champion", f"{ARTEFACT}#champion#2")
    assert code == 1
    assert err.count("\n") == 1
    assert "it compares with data/donor" in err
    code, _, err = vizinho(twice, "rollback", "v0.1.0", "--reason", "")
    assert (code, "reason: empty" in err) == (2, True)


def test_gates_prints_the_gate_of_a_run_and_writes_its_index_into_the_params(toy: Toy, vizinho) -> None:  # noqa: ANN001
    first = "gate 1 since the last promotion: one-sided error level 0.025\n"
    assert vizinho(toy, "gates")[:2] == (0, first)
    toy.run(2, gates=0)
    code, out, _ = vizinho(toy, "gates")
    assert code == 0
    assert out.splitlines() == [
        "gate 2 since the last promotion: one-sided error level 0.0083",
        "params.yaml has gate.gates_since_promotion: 0 (`vizinho registry gates --write`, then `dvc repro gate`)"]
    assert json.loads(vizinho(toy, "gates", "--write", "--json")[1]) == {
        "gates_before": 1, "one_sided_level": pytest.approx(0.05 / 6), "params": 1}
    assert "gates_since_promotion: 1" in (toy.path / "params.yaml").read_text()


def test_verify_exits_1_if_a_record_does_not_match(twice: Toy, vizinho) -> None:  # noqa: ANN001
    read = "pass (cache and remote read)"
    assert vizinho(twice, "verify")[:2] == (0, f"v0.1.0: {read}\nv0.2.0: {read}\nchampion: pass (checkout read)\n")
    twice.git("tag", "--delete", f"{ARTEFACT}@v0.1.0")
    code, out, _ = vizinho(twice, "verify")
    assert code == 1
    assert out.splitlines()[0] == "v0.1.0: fail"
    assert json.loads(vizinho(twice, "verify", "--json")[1])[0]["problems"]


def test_outside_of_a_checkout_the_command_fails(toy: Toy, vizinho, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN001
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(toy.folder.parent))
    outside = Toy(toy.folder.parent, "toy")
    code, _, err = vizinho(outside, "list")
    assert code == 1
    assert "not a git repository" in err

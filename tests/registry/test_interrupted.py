"""Two promotions at once, and killed promotions: there is one complete champion, the old or the new."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.files import ROOT
from pipeline.registry.promotion import promote, read_candidate
from pipeline.registry.record import champion, records
from pipeline.registry.verify import verify
from tests.toy_registry import Toy

KILLED = """
    import os, signal
    from pathlib import Path
    from pipeline.registry import private_clone, promotion

    module = private_clone if "{step}" == "fetch" else promotion  # the module that calls it
    step = getattr(module, "{step}")
    def last(*given, **named):
        step(*given, **named)
        os.killpg(0, signal.SIGKILL)
    module.{step} = last
    promotion.promote(Path.cwd(), promotion.read_candidate(Path.cwd()).request, "Ana Reis")
"""

AT_ONCE = """
    import os, sys, time
    from pathlib import Path
    from pipeline.cli.main import main
    from pipeline.registry import promotion

    publish = promotion.publish
    def together(*given):
        Path("../" + Path.cwd().name + ".ready").touch()
        while not (Path("../clone.ready").exists() and Path("../other.ready").exists()):
            time.sleep(0.01)
        return publish(*given)
    promotion.publish = together
    sys.argv = ["vizinho", "registry", "promote"]
    main()
"""


def start(path: Path, code: str) -> subprocess.Popen[str]:
    """Start Python code in a checkout, in a process group of its own."""
    lines = "\n".join(line.removeprefix("    ") for line in code.splitlines())
    return subprocess.Popen([sys.executable, "-c", lines], cwd=path, start_new_session=True, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})


def after_the_kill(toy: Toy, expected: str | None) -> None:
    """Check that the champion is complete and the expected one, and that the same promotion succeeds when it is repeated."""
    assert toy.in_use() == expected
    run = toy.git("log", "--format=%H", "--grep=^Run generation", "-1")
    promote(toy.path, replace(read_candidate(toy.path, run).request, champion=None), "Ana Reis")
    assert toy.in_use() == "v0.1.0"
    assert champion(toy.path)[1] == records(toy.path)[-1]
    assert toy.git("status", "--porcelain") == ""
    assert [proof.problems for proof in verify(toy.path)] == [(), ()]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fetch", "check", "take", "add_model", "push_model", "merge", "commit", "publish", "follow"])
def test_a_kill_after_a_step_leaves_the_old_champion_or_the_new_one(toy: Toy, step: str) -> None:
    killed = start(toy.path, KILLED.format(step=step))
    killed.communicate(timeout=200)
    assert killed.returncode == -9
    after_the_kill(toy, "v0.1.0" if step in ("publish", "follow") else None)


@pytest.mark.slow
@pytest.mark.parametrize(("hook", "expected"), [("pre-receive", None), ("post-receive", "v0.1.0")])
def test_a_kill_within_the_push_leaves_the_old_champion_or_the_new_one(toy: Toy, hook: str, expected: str | None) -> None:
    script = toy.origin / "hooks" / hook
    script.write_text(f"#!{sys.executable}\nimport os\nos.killpg(0, 9)\n")
    script.chmod(0o755)
    killed = start(toy.path, "    from pipeline.cli.main import main\n    import sys\n"
                             "    sys.argv = ['vizinho', 'registry', 'promote']\n    main()")
    killed.communicate(timeout=200)
    assert killed.returncode == -9
    script.unlink()
    after_the_kill(toy, expected)


@pytest.mark.slow
def test_kills_at_any_moment_leave_a_complete_champion(toy: Toy) -> None:
    began = time.monotonic()
    undisturbed = start(toy.path, KILLED.format(step="commit"))
    undisturbed.communicate(timeout=200)
    lasts_s, moments, killed = time.monotonic() - began, random.Random(1), 0
    for _ in range(20):
        attempt = start(toy.path, KILLED.format(step="follow"))
        try:
            attempt.wait(moments.uniform(0, 1.3 * lasts_s))
        except subprocess.TimeoutExpired:
            os.killpg(attempt.pid, 9)
            killed += 1
        attempt.communicate()
        if toy.in_use():
            break
    assert killed
    after_the_kill(toy, toy.in_use())


@pytest.mark.slow
def test_of_two_promotions_at_once_one_succeeds_and_the_other_fails_with_a_message(toy: Toy) -> None:
    other = toy.clone("other")
    (other.path / ".dvc/config.local").write_text(f"[cache]\n    dir = {toy.path}/.dvc/cache\n")
    other.commit("Use another checkout")
    racers = {one.name: start(one.path, AT_ONCE) for one in (toy, other)}
    outputs = {name: racer.communicate(timeout=200) for name, racer in racers.items()}
    assert sorted(racer.returncode for racer in racers.values()) == [0, 1], outputs
    loser = next(name for name, racer in racers.items() if racer.returncode)
    assert "another push came first" in outputs[loser][1]
    assert "start again" in outputs[loser][1]
    assert "Traceback" not in outputs[loser][1]
    assert toy.in_use() == "v0.1.0"

"""Words that we avoid, with the field's term for each: counted over code, params and docs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from pipeline.core.files import ROOT

AVOIDED = {
    # pattern: what to write instead
    r"\bin place of\b": "instead of",
    r"\b(audio-seconds|seconds|steps|hours|words|lines|sentences|batches|labels|frames|samples|errors|utterances|rows|clips) an? "
    r"(second|minute|hour|step|epoch|frame|batch|utterance|core|thread|line|word)\b": "per",
    r"_a_second\b|_an_epoch\b|_a_frame\b": "_per_",
    r"\bway (there|back)\b": "forward pass, backward pass",
    r"\bmoving weights\b|\bweights (that )?move\b": "trainable weights",
    r"\b(is|are|was|were) passed over\b|\bpass(es)? over (a|the) (step|row|loss|batch)\b": "skip",
    r"\bis no number\b|\bare no numbers\b|\bno finite number\b": "non-finite",
    r"\bhopeless\b": "infeasible",
    r"\bshared_out\b": "launch_distributed",
    r"\bside_by_side\b": "max_parallel",
    r"\bby-hand\b": "manual",
    r"\bhears?_\w+|\bhear_\w+": "transcribe, expect",
    r"\bdrop_layers\b": "reinit_top_layers",
    r"\bstart_top_anew\b": "reinitialise_top_layers",
    r"\b(gives?|given|waits? for|awaits?) leave\b|\brecord\.leave\b|\"leave\"": "approval, reject",
    r"\b(is|are|was|were) told (that|of|to|apart)\b": "report, log; distinguish",
    r"\bwhat is left is\b|\btold are\b": "subject, verb, object",
    r"\b(learned|learns?) ears?\b|\bclass Ear\b": "emission map",
    r"\bclass Judge\b|\bplants\(": "classifier, synthetic negatives",
    r"\bhouse rules?\b": "architecture rules",
    r"\bend of dead runs\b": "zombie-run detection",
    r"(?-i:\bDOES NOT HOLD\b)": "pass, fail, undecided, disabled",
    r"\b(train|donor)\.recipe\b|\bclass Recipe\b": "training config",
    r"\becho_s\b|\bdirect_db\b": "rt60_s, drr_db",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bfrom nothing\b": "from scratch",
    r"\bhears\b|\b(is|was|were) heard\b|\b(has|have|had) (not |never )?heard\b|\b(step|model|network|donor|aligner) heard\b":
    "transcribe; process, in training",
    r"\b(message|error|log|report|certificate|command|stage|doctor|gate|verdict|reject)s? (says?|tells?|told)\b": "state, report, print, name",
    r"\b(goes|go|went) on where (it|they) (was|were|stopped)\b": "resume",
    r"\bwhat stands (in|on|here|there|beside)\b": "what is",
    r"\blooks? (at|on) the dev(elopment)? set\b": "evaluation",
    r"(?<![\w.])(ms|µs|kB|MB|GB|characters|letters|numbers) an? (clip|utterance|step|run|shard|hour|second|minute|worker|batch|label)\b": "per",
}
"""Found without regard to case."""
TREES = ("pipeline", "flows", "tests", "benchmarks", "studies", "docs", "profiles", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "NOTICE",
         "params.yaml", "dvc.yaml", "prefect.yaml", "Makefile")
EXEMPT = ("tests/test_words.py", "docs/ui_", "pipeline/corpora/lexicon/", "pipeline/reporting/assets/vendor/", "tests/text/")


def tracked_text() -> Iterator[tuple[str, str]]:
    """Yield the name and content of every text file to check."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *TREES],
                            cwd=ROOT, capture_output=True, check=True)
    for name in sorted(filter(None, listed.stdout.decode().split("\0"))):
        if not name.startswith(EXEMPT) and (ROOT / name).is_file():
            try:
                yield name, (ROOT / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def offences(text: str) -> list[tuple[int, str, str]]:
    """Return line, phrase and term to use, for every avoided phrase in a text."""
    found = []
    for pattern, term in AVOIDED.items():
        for match in re.finditer(pattern.replace(" ", r"\s+"), text, re.IGNORECASE):
            found.append((text.count("\n", 0, match.start()) + 1, match[0], term))
    return sorted(found)


def test_no_file_has_a_word_that_we_avoid() -> None:
    found = [f"{name}:{line}: {phrase!r} → {term}" for name, text in tracked_text() for line, phrase, term in offences(text)]
    assert not found, f"{len(found)} phrases:\n" + "\n".join(found)


@pytest.mark.parametrize(("text", "phrases"), [
    ("It runs\nin place of the donor.", ["in place of"]),
    ("240 audio-seconds a second", ["audio-seconds a second"]),
    ("A loss that is no number is passed over.", ["is no number", "is passed over"]),
    ("The gate gives leave.", ["gives leave"]),
    ("It waits for a second run, and one batch in a step.", []),
    ("Leave it out; a recommendation.", []),
    ("A step heard 9.6 s; the donor hears Portuguese that it has never heard.", ["has never heard", "hears", "step heard"]),
    ("The report says so, in 4 ms a clip; a killed run goes on where it was.", ["goes on where it was", "ms a clip", "report says"]),
    ("Numbers are misheard; an overheard remark; 20 ms, a frame.", []),
    ("It reports what it says, and looks at the device.", []),
])
def test_avoided_words_are_found_and_others_are_not(text: str, phrases: list[str]) -> None:
    assert [phrase for _, phrase, _ in offences(text)] == phrases

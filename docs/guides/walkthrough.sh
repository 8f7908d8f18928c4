#!/usr/bin/env bash
# The life of a champion on one machine: docs/guides/walkthrough.md is the output of this script.
#
#     docs/guides/walkthrough.sh EMPTY_FOLDER > docs/guides/walkthrough.md
#
# Needs the environment of `make repro` on the path. Runs the small pipeline of the tests twice: about ten minutes on two cores.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
place=$(mkdir -p "$1" && cd "$1" && pwd)
port=${PREFECT_SERVER_API_PORT:-4200}
export COLUMNS=150 PYTHONWARNINGS=ignore

text() { printf '%s\n\n' "$*"; }
clean() { sed -u -e "s#$place#~/walk#g; s#$here#~/vizinho#g; s/\x1b\[[0-9;?]*[A-Za-z]//g; s/[[:space:]]*$//" | cat -s; }
# Prints a command, runs it and prints its output; exits if it fails.
run() {
    printf '```\n$ %s\n' "$*" | clean
    if ! eval "$*" >"$place/output" 2>"$place/errors"; then cat "$place/output" "$place/errors" >&2; exit 1; fi
    clean <"$place/output"
    printf '```\n\n'
}
service=
stop() { if [ -n "$service" ]; then kill -INT "$service" 2>/dev/null || true; wait "$service" || true; service=; fi; }
trap stop EXIT

api() { curl --silent --show-error --fail --header 'content-type: application/json' "$PREFECT_API_URL/$1" --data "${2:-{\}}"; }
# Waits until a flow run has a state: wait_for ID NAME. Exits at any other final state.
wait_for() {
    for _ in $(seq 1200); do
        now=$(curl --silent "$PREFECT_API_URL/flow_runs/$1" | python -c 'import json, sys; print(json.load(sys.stdin)["state"]["name"])' || true)
        [ "$now" = "$2" ] && return
        case "$now" in Completed | Failed | Crashed | Cancelled | Rejected) echo "$1 is $now, not $2" >&2; tail -40 "$place/service.log" >&2; exit 1 ;; esac
        sleep 1
    done
    echo "$1 did not become $2" >&2
    exit 1
}
outcome() { curl --silent "$PREFECT_API_URL/flow_runs/$1" | python -c 'import json, sys; run = json.load(sys.stdin); print(run["name"] + ":", run["state"]["name"] + ",", run["state"]["message"])'; }

text "# Walkthrough: from a schedule to a champion, and a rollback"
text "This is the output of \`docs/guides/walkthrough.sh\` on $(date +%F), with the small pipeline of the tests (few voices, a small network).
\`~/vizinho\` is a checkout and \`~/walk\` an empty folder. \`wait_for\` and \`outcome\` read a run's state from the API."

text "## Remotes"
text "A bare Git repository replaces the Git host, and a folder replaces the bucket."
run "git init --quiet --bare -b main $place/remote.git"
run "git clone --quiet $here $place/project"
others=${PYTHONPATH:-}
use() { cd "$1" && export PYTHONPATH="$1${others:+:$others}"; }  # imports the code of that clone
use "$place/project"
export VIZINHO_STATE="$place/state" PREFECT_SERVER_API_PORT=$port
run "git checkout --quiet -B main && git remote set-url origin $place/remote.git"
git config user.name "Ana Reis" && git config user.email ana@example.org
python -c "
import yaml; from pathlib import Path; from tests.small_run import small_params
file = Path('params.yaml'); params = small_params(yaml.safe_load(file.read_text()))
params['gate']['max_wer']['limit'], params['gate']['max_cer']['limit'] = 0.9, 0.4  # what a network of this size reaches
params['gate']['non_inferiority']['margin'] = 0.1  # what ten utterances per slice can show
file.write_text(yaml.safe_dump(params, sort_keys=False, allow_unicode=True))"
git rm -q --ignore-unmatch dvc.lock && git rm -qr --ignore-unmatch data/score data/gate data/timing registry data/champion.dvc
printf 'champion: {path: data/donor, version: null}\n' >champion.yaml
run "dvc remote add --quiet --default storage $place/storage"
run "git commit --quiet -a -m 'Day one, small' && git push --quiet --set-upstream origin main && git log --oneline -1"

text "## The service"
printf '```\n$ make ui\n'
python -m flows.serve >"$place/service.log" 2>&1 &
service=$!
for _ in $(seq 300); do
    grep -q 'ready after' "$place/service.log" && break
    kill -0 $service 2>/dev/null || { cat "$place/service.log" >&2; exit 1; }
    sleep 1
done
clean <"$place/service.log"
printf '```\n\nIn another shell:\n\n'
export PREFECT_API_URL=http://127.0.0.1:$port/api PREFECT_HOME="$place/client"
run "export PREFECT_API_URL=$PREFECT_API_URL"

text "## A scheduled run"
text "The nightly schedule is off at first. This one is due in a minute. The hourly watch is switched off, so that it starts no run meanwhile."
run "prefect deployment schedule clear watch/hourly --accept-yes"
run "prefect deployment schedule create retrain/nightly --interval 86400 --anchor-date $(date -u -d '+60 seconds' +%FT%TZ) --timezone Europe/Lisbon --accept-yes"
for _ in $(seq 240); do
    first=$(api flow_runs/filter '{"flows": {"name": {"any_": ["retrain"]}}, "flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED"]}}}}' | python -c 'import json, sys; print(*[run["id"] for run in json.load(sys.stdin)])')
    [ -n "$first" ] && break
    sleep 1
done
printf '```\n$ wait_for %s Suspended\n' "$first"
wait_for "$first" Suspended
printf '```\n\n'
text "All stages from ingest to report have run, the results are pushed, and the run awaits approval. Its results are one commit, the run commit, on a branch (data/timing is left out here):"
branch=$(git ls-remote --heads origin 'retrain/*' | sed 's#.*refs/heads/##')
run "git fetch --quiet origin && git log --oneline --stat -1 origin/$branch | grep -v data/timing/"
run "vizinho registry promote --ask origin/$branch"

text "## Approval"
text "The UI shows a form with the verdict. The same through the API:"
run "curl --silent $PREFECT_API_URL/flow_runs/$first/resume --header 'content-type: application/json' --data '{\"run_input\": {\"decision\": \"approve\", \"by\": \"Ana Reis\", \"reason\": \"first Portuguese model\"}}'; echo"
run "wait_for $first Completed; outcome $first"

text "## The promotion on the Git remote"
run "git ls-remote --tags origin"
run "git pull --quiet --tags && git log --oneline -3 && cat champion.yaml && tail -3 CHANGELOG.md"
run "vizinho registry verify"

text "## A fresh clone"
text "Another machine has its own DVC cache. It pulls the champion from the bucket."
run "git clone --quiet $place/remote.git $place/fresh && cd $place/fresh && dvc cache dir --local .dvc/cache && dvc pull data/champion data/split/portuguese data/ingest/portuguese/speak-pt | tail -1"
use "$place/fresh"
cat >"$place/clip.py" <<'P'
import sys
from pathlib import Path
import pandas as pd
test = pd.read_parquet("data/split/portuguese/test.parquet").iloc[0]
rows = pd.concat([pd.read_parquet(shard) for shard in sorted(Path("data/ingest/portuguese").glob("*/shard-*.parquet"))])
Path(sys.argv[1]).write_bytes(rows.loc[rows["utterance_id"] == test["utterance_id"], "audio"].iloc[0]["bytes"])
print("reference:", test["text"])
P
text "An utterance of the test split: neither it nor its speaker is in the training set."
run "python $place/clip.py $place/clip.flac"
run "vizinho transcribe $place/clip.flac"
first_weights=$(sha256sum "$place/fresh/data/champion/model.safetensors" | cut -d' ' -f1)

use "$place/project"
text "## A better challenger"
text "Three times as many steps, committed to main. This run is started manually and promotes without approval."
sed -i 's/^  steps: 80$/  steps: 240/' params.yaml
run "git diff --stat && git commit --quiet -a -m 'Train three times as long' && git push --quiet origin main"
run "prefect deployment run retrain/nightly -p promote=auto 2>&1 | grep UUID"
second=$(grep -o '[0-9a-f-]\{36\}' "$place/output")
run "wait_for $second Completed; outcome $second"
text "Only the stages that depend on the steps ran again. The verdict compares the challenger with the champion of the first run."
run "git pull --quiet --tags && vizinho registry list"
use "$place/fresh"
run "cd $place/fresh && git pull --quiet --tags && dvc pull data/champion | tail -1"
run "vizinho transcribe $place/clip.flac"
[ "$(sha256sum data/champion/model.safetensors | cut -d' ' -f1)" != "$first_weights" ] || { echo "the champion has not changed" >&2; exit 1; }

use "$place/project"
text "## Rollback"
run "prefect deployment run rollback/manual -p version=v0.1.0 -p by='Ana Reis' -p reason='to show a rollback' 2>&1 | grep UUID"
third=$(grep -o '[0-9a-f-]\{36\}' "$place/output")
run "wait_for $third Completed; outcome $third"
run "git ls-remote --tags origin | grep -v '{}'"
run "cd $place/fresh && git pull --quiet --tags && dvc pull data/champion | tail -1 && vizinho registry list"
use "$place/fresh"
run "vizinho transcribe $place/clip.flac"
now=$(sha256sum "$place/fresh/data/champion/model.safetensors" | cut -d' ' -f1)
[ "$now" = "$first_weights" ] || { echo "the rollback restored another model" >&2; exit 1; }
text "These are the weights of v0.1.0: SHA-256 \`${now:0:16}\`."

text "## Stop"
printf '```\n^C\n'
stop
sed -n '/^stopping/,$p' "$place/service.log" | grep -v Received | clean
printf '```\n'

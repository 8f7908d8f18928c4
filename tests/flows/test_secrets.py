"""Secrets in the worker's environment are in no log, state, artifact or row of the server's database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.flows.service import Service, free_port, next_generation, toy_service, until
from tests.toy_registry import Toy

SECRETS = {"environment": "hunter2-of-the-bucket", "key": "MIIEvAIBADANBgkqhkiG9w0", "remote": "battery-staple-9", "url": "s3cret-of-the-host",
           "mail": "s3cret-of-the-mail", "password": "s3cret-of-the-server"}
PRINT = """import os, pathlib, sys, time
from tqdm import tqdm
if sys.argv[1] == "score":
    found = [os.environ["BUCKET_SECRET_ACCESS_KEY"], os.environ["DEPLOY_PRIVATE_KEY"], pathlib.Path("remote.txt").read_text()]
    print("found:", *found, flush=True)
    for _ in tqdm(range(4), desc=found[0], postfix=found[2]):
        time.sleep(0.8)
    if pathlib.Path("PLACE/break").exists():
        sys.exit("error: broken: " + " ".join(found))
"""


def planted(toy: Toy) -> None:
    (toy.path / ".dvc/config.local").write_text(f"['remote \"other\"']\n    url = ssh://ana@example.org/x\n    password = {SECRETS['remote']}\n")
    (toy.path / "remote.txt").write_text(SECRETS["remote"])


def dump(service: Service) -> str:
    with sqlite3.connect(Path(service.environment["PREFECT_HOME"]) / "prefect.db") as connection:
        return "\n".join(connection.iterdump())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_planted_secrets_are_in_no_log_and_in_no_row_of_the_database(tmp_path: Path) -> None:
    known = {"BUCKET_SECRET_ACCESS_KEY": SECRETS["environment"], "PREFECT_SERVER_API_AUTH_STRING": f"operator:{SECRETS['password']}",
             "PREFECT_API_AUTH_STRING": f"operator:{SECRETS['password']}",
             "DEPLOY_PRIVATE_KEY": f"-----BEGIN KEY-----\n{SECRETS['key']}\n-----END KEY-----"}
    with toy_service(tmp_path, PRINT.replace("PLACE", str(tmp_path)), planted, **known) as (service, toy):
        service.register(VIZINHO_NOTIFY=f"mailtos://ana:{SECRETS['mail']}@127.0.0.1:{free_port()}?from=vizinho@example.org&to=ana@example.org")
        next_generation(toy)
        good = service.run("retrain/nightly", promote="approve")
        service.wait(good, "Suspended")
        service.answer(good, {"decision": "approve", "by": "Ana Reis", "reason": "twenty clips checked"})
        service.wait(good)

        (tmp_path / "break").touch()
        next_generation(toy)
        bad = service.run("retrain/nightly", promote="never")
        service.wait(bad, "Failed")

        service.worker.stop()
        service.worker.environment = {**service.environment, "VIZINHO_REPOSITORY": f"http://ana:{SECRETS['url']}@127.0.0.1:{free_port()}/x.git"}
        service.worker.start()
        away = service.run("retrain/nightly", promote="never")
        service.wait(away, "Failed")

        assert "found: ***" in service.log(good) and "error: broken: ***" in service.state(bad)["message"]
        assert "http://127.0.0.1" in service.state(away)["message"], "git itself leaves the user out"
        assert "progress-score" in service.artifacts(good) and "failure-score" in service.artifacts(bad)
        until(lambda: dump(service).count("found: ***") >= 2, 60)
        logs = "\n".join(service.log(run) for run in (good, bad, away))
        service.worker.stop()
        service.server.stop()
        shown = {"logs": logs, "database": dump(service), **{file.name: file.read_text() for file in service.folder.glob("*.log")},
                 **{str(file): file.read_text(errors="replace") for file in (service.folder / "state/reports").rglob("*") if file.is_file()}}
        assert {"server.log", "worker.log"} <= shown.keys() and "embedded 20" in shown["database"]
        found = [(where, name) for where, text in shown.items() for name, secret in SECRETS.items() if secret in text]
        assert found == []

"""Size of the report's pages, and the time to write and to use them, with as many test utterances as wanted.

    python benchmarks/report.py [--utterances 20000]

The run in data/ is enlarged: its test utterances are repeated under other ids, and so are the rows of its manifests. Where playwright and Chromium
are installed, a browser opens the page, sorts and filters.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline import report
from pipeline.core.files import ROOT


def enlarge(data: Path, utterances: int) -> None:
    """Repeat the test utterances, their hypotheses and the manifests in a copy of data/."""
    test = data / "split/portuguese/test.parquet"
    times = -(-utterances // len(pd.read_parquet(test, columns=["utterance_id"])))
    for file in (test, *data.glob("transcribe/*.parquet"), *data.glob("normalise/*/*/manifest.parquet")):
        table = pd.read_parquet(file)
        parts = [table.assign(utterance_id=table["utterance_id"] + f"-{copy:02d}") for copy in range(times)]
        large = pd.concat(parts, ignore_index=True)
        (large if "manifest" in file.name else large.head(utterances)).to_parquet(file, index=False)


def timed(label: str, work: Callable[[], object]) -> None:
    began, used = time.perf_counter(), time.process_time()
    work()
    print(f"{label:<52} {time.perf_counter() - began:8.2f} s, {time.process_time() - used:.2f} s of this process")


def browse(page: Path) -> None:
    """Print how long a browser takes to open, sort and filter the page."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("no Chromium or no playwright: the page is not opened")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        tab = browser.new_page()
        timed("open the page, until the tables are filled", lambda: tab.goto(page.as_uri()))
        timed("sort by speaker", lambda: tab.click("#utterance-table thead button:has-text('Speaker')"))
        for query in ("wer>0.5 locale=pt-PT", "wrong=de", "casa"):
            timed(f"filter {query}", lambda query=query: tab.evaluate(
                "query => { document.getElementById('filter').value = query; document.getElementById('explore').requestSubmit(); }", query))
        timed("select another system", lambda: tab.select_option("#system-a", index=1))
        browser.close()


def main() -> None:
    """Print seconds, sizes and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=20_000)
    parser.add_argument("--root", type=Path, default=ROOT, help="a checkout with a finished run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copy(arguments.root / "params.yaml", root)
        for name in ("score", "gate", "rank", "donor", "train", "split", "transcribe", "normalise"):
            shutil.copytree(arguments.root / "data" / name, root / "data" / name, ignore=shutil.ignore_patterns("*.safetensors"))
        (root / "data/ingest").symlink_to((arguments.root / "data/ingest").resolve())
        enlarge(root / "data", arguments.utterances)
        timed(f"write the report on {arguments.utterances} utterances", lambda: report.run(root))
        for name in ("index.html", "data.html"):
            print(f"{name:<52} {(root / 'data/report' / name).stat().st_size / 1e6:8.2f} MB")
        print(f"{'peak memory':<52} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB")
        browse(root / "data/report/index.html")


if __name__ == "__main__":
    main()

"""Compare the locked packages with the index of known vulnerabilities, where one can be reached."""

from __future__ import annotations

import json
import subprocess
import sys

ACCEPTED = {
    "CVE-2025-69872": "diskcache, through dvc-data: unpickles what another user could write into DVC's folders; keep those private (0700)",
}


def main() -> int:
    """Return 0 where nothing was found beyond ACCEPTED, or where no index can be reached; 1 otherwise."""
    command = ["pip-audit", "--requirement", "requirements/main.txt", "--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        print("audit: skipped, no index of vulnerabilities can be reached")
        return 0
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        print("audit: skipped, no index of vulnerabilities can be reached")
        return 0
    found = [(package["name"], package["version"], vulnerability) for package in audited for vulnerability in package["vulns"]]
    refused = [(name, version, entry["id"]) for name, version, entry in found if not {entry["id"], *entry["aliases"]} & ACCEPTED.keys()]
    for name, version, vulnerability in refused:
        print(f"audit: {name} {version}: {vulnerability}; upgrade it (`make lock`), or accept it in .ci/audit.py with the reason")
    print(f"audit: {len(audited)} of {len(packages)} packages compared, {len(found) - len(refused)} known and accepted, {len(refused)} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())

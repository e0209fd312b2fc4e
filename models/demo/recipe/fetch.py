"""Fetch the recordings from their public git repositories: only the folders that are needed.

    python fetch.py --out raw

Run it again after an interruption: sources that are complete are left alone. git names every
object by its checksum, so a fetched file cannot differ from the one in the repository.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).with_name("sources.toml")
REVISIONS = "revisions.json"


def main() -> None:
    """Fetch every source and note the commits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("raw"))
    parser.add_argument("--sources", type=Path, default=SOURCES)
    options = parser.parse_args()
    sources = tomllib.loads(options.sources.read_text(encoding="utf-8"))["source"]
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / REVISIONS
    done: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    failed = []
    for source in sources:
        name = source["id"]
        if name in done:
            print(f"{name}: complete at {done[name]}")
            continue
        try:
            done[name] = fetch(source, options.out / name)
        except subprocess.CalledProcessError as error:
            failed.append(f"{name}: {(error.stderr or '').strip().splitlines()[-1:]}")
            continue
        path.write_text(json.dumps(done, indent=1), encoding="utf-8")
        print(f"{name}: fetched {done[name]}")
    if failed:
        raise SystemExit("not fetched; run again:\n" + "\n".join(failed))


def fetch(source: dict[str, Any], folder: Path) -> str:
    """Check out a source's folders and return its commit."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
        git(folder, "remote", "add", "origin", source["url"])
    patterns = [f"/{name}/" for name in source["folders"]]
    git(folder, "sparse-checkout", "set", "--no-cone", *patterns)
    git(folder, "fetch", "--depth=1", "--filter=blob:none", "origin", source["revision"])
    git(folder, "checkout", "--quiet", "--force", "FETCH_HEAD")
    git(folder, "fsck", "--no-dangling")
    return git(folder, "rev-parse", "HEAD")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it prints."""
    command = ["git", "-C", str(folder), *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return result.stdout.strip()


if __name__ == "__main__":
    main()

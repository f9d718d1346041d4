#!/usr/bin/env bash
# Writes the lock files anew: hashes of every file, no registry's host in them.
# The development set is resolved first; the smaller ones are held to it, so that one version serves all.
set -euo pipefail
cd "$(dirname "$0")/.."
uv="${UV:-.venv/bin/uv}"

compile() {
  "$uv" pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 \
    --no-build --no-header --no-annotate --no-emit-index-url --quiet "$@"
}

compile --all-extras --group dev --output-file requirements-dev.lock
compile --constraint requirements-dev.lock --output-file requirements.lock
compile --extra client --group demo --constraint requirements-dev.lock --output-file requirements-demo.lock
"$uv" pip compile --universal --generate-hashes --python-version 3.11 --no-build --no-header --no-annotate \
  --no-emit-index-url --quiet --group pyproject.toml:build --constraint requirements-dev.lock \
  --output-file requirements-build.lock

if grep -n '://' requirements*.lock; then
  echo "a lock file names a host" >&2
  exit 1
fi

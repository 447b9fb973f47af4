#!/usr/bin/env bash
# Make the tables of assets/results/ (about half an hour on two cores): bash tools/make_results.sh
# The same 150 questions for every mode, then all questions for the shipped mode.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
out=assets/results
mkdir -p "$out"
for mode in kblam rag-plain rag no-copy dense zero-shot; do
  "$python" -m kblam_core evaluate --suite assets/evaluation --mode "$mode" --limit 150 --seed 0 --json "$out/unseen-150-$mode.json"
done
"$python" -m kblam_core evaluate --suite assets/evaluation --mode kblam --json "$out/unseen-kblam.json"
"$python" -m kblam_core evaluate --suite assets/evaluation --pool --mode kblam --json "$out/unseen-pooled-kblam.json"
"$python" -m kblam_core evaluate --suite assets/evaluation_held_out --mode kblam --json "$out/held-out-kblam.json"
for mode in no-prior no-shortlist paper in-context; do
  "$python" -m kblam_core evaluate --suite assets/evaluation --mode "$mode" --limit 40 --seed 0 --json "$out/unseen-40-$mode.json"
done
"$python" -m kblam_core report "$out"/unseen-150-*.json --out "$out/unseen-150.md"
"$python" -m kblam_core report "$out"/unseen-40-*.json --out "$out/unseen-40.md"
"$python" -m kblam_core report "$out"/unseen-kblam.json "$out"/unseen-pooled-kblam.json "$out"/held-out-kblam.json --out "$out/kblam.md"
"$python" -m kblam_core bench --json "$out/bench.json"

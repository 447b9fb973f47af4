#!/usr/bin/env bash
# Make the tables of assets/results/ (about 20 minutes on two cores): bash tools/make_results.sh
# All questions for the shipped mode; the same questions, fewer of them, for every mode side by side.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
out=assets/results
mkdir -p "$out"
evaluate() { "$python" -m kblam_core evaluate "$@"; }
evaluate --suite assets/evaluation --mode kblam --json "$out/unseen-kblam.json"
evaluate --suite assets/evaluation_held_out --mode kblam --json "$out/held-out-kblam.json"
for mode in kblam rag-plain rag no-copy dense zero-shot; do
  evaluate --suite assets/evaluation --mode "$mode" --limit 100 --json "$out/unseen-100-$mode.json"
done
"$python" -m kblam_core bench --json "$out/bench.json"
evaluate --suite assets/evaluation --pool --mode kblam --json "$out/unseen-pooled-kblam.json"
for mode in kblam no-prior paper in-context; do
  evaluate --suite assets/evaluation --mode "$mode" --limit 30 --json "$out/unseen-30-$mode.json"
done
for set in unseen-100 unseen-30; do "$python" -m kblam_core report "$out/$set"-*.json --out "$out/$set.md"; done
"$python" -m kblam_core report "$out"/unseen-kblam.json "$out"/unseen-pooled-kblam.json "$out"/held-out-kblam.json --out "$out/kblam.md"

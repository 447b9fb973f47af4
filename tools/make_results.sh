#!/usr/bin/env bash
# Make the tables of assets/results/ (about two hours on two cores): bash tools/make_results.sh
# All questions of the suites for the shipped mode; some of the same questions for every mode side by side; sizes; speed.
# Two lines of the table of modes need adapters of their own: python -m tools.train_for_modes (half an hour).
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
out=assets/results
mkdir -p "$out"
evaluate() { "$python" -m kblam_core evaluate "$@"; }
evaluate --suite assets/evaluation_sealed --mode kblam --json "$out/sealed-kblam.json"
evaluate --suite assets/evaluation_fresh --mode kblam --json "$out/fresh-kblam.json"
evaluate --suite assets/evaluation_blind --mode kblam --json "$out/blind-kblam.json"
evaluate --suite assets/evaluation_everyday --mode kblam --json "$out/everyday-kblam.json"
evaluate --suite assets/evaluation --mode kblam --json "$out/unseen-kblam.json"
evaluate --suite assets/evaluation_held_out --mode kblam --json "$out/held-out-kblam.json"
evaluate --suite assets/evaluation --set extra --mode kblam --limit 260 --json "$out/extra-kblam.json"
for mode in kblam dense rag rag-plain in-context no-copy no-prior no-reader no-shortlist paper zero-shot; do
  evaluate --suite assets/evaluation_fresh --mode "$mode" --limit 60 --json "$out/fresh-60-$mode.json"
done
for pair in no_attention_loss:no-attention-loss:kblam plain:paper-trained:paper; do
  IFS=: read -r folder name mode <<<"$pair"
  if [ -f "runs/$folder/adapter.safetensors" ]; then
    evaluate --suite assets/evaluation_fresh --adapter "runs/$folder" --mode "$mode" --limit 60 --json "$out/fresh-60-$name.json"
  fi
done
for size in 10 100 1000 10000; do
  for mode in kblam dense rag; do
    limit=500
    if [ "$mode" = rag ]; then limit=60; fi # 2 to 4 seconds a question
    evaluate --suite assets/evaluation --set main --set extra --size "$size" --mode "$mode" --limit "$limit" --json "$out/size-$size-$mode.json"
  done
done
"$python" -m kblam_core bench --json "$out/bench.json"
"$python" -m kblam_core report "$out"/sealed-kblam.json "$out"/fresh-kblam.json "$out"/blind-kblam.json "$out"/everyday-kblam.json "$out"/unseen-kblam.json "$out"/held-out-kblam.json --threshold-sweep --out "$out/kblam.md"
"$python" -m kblam_core report "$out"/fresh-60-*.json --out "$out/fresh-60.md"
"$python" -m kblam_core report "$out"/size-*.json --out "$out/sizes.md" --chart "$out/sizes.svg"
"$python" -m tools.time_start --json "$out/start.json"
"$python" tools/readme_results.py

#!/usr/bin/env bash
# Quality and speed against table size, with every mode on the same questions: bash tools/make_size_results.sh
# Writes size-SIZE-MODE.json, sizes.md, sizes.svg and thresholds.md to assets/results. Hours on two cores with all modes; for a part:
#   SIZES="10 1000" MODES="kblam rag-plain dense" LIMIT=500 bash tools/make_size_results.sh
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
out=${OUT:-assets/results}
suite=(--suite assets/evaluation --set main --set extra)
drawn_modes="kblam no-prior paper dense rag rag-plain in-context zero-shot" # the lines of the chart
mkdir -p "$out"
for size in ${SIZES:-10 100 1000 10000}; do
  for mode in ${MODES:-kblam dense rag-plain rag no-copy no-prior no-reader no-shortlist paper in-context zero-shot}; do
    if [[ $mode == in-context && $size -gt 100 ]]; then continue; fi # longer than the context window
    "$python" -m kblam_core evaluate "${suite[@]}" --size "$size" --mode "$mode" --limit "${LIMIT:-970}" --json "$out/size-$size-$mode.json"
  done
done
all=() drawn=() kblam=()
for size in 10 100 1000 10000; do
  for file in "$out/size-$size"-*.json; do
    [[ -e $file ]] || continue
    mode=${file#"$out/size-$size-"}
    mode=${mode%.json}
    all+=("$file")
    if [[ " $drawn_modes " == *" $mode "* ]]; then drawn+=("$file"); fi
    if [[ $mode == kblam ]]; then kblam+=("$file"); fi
  done
done
"$python" -m kblam_core report "${all[@]}" --out "$out/sizes.md"
"$python" -m kblam_core report "${drawn[@]}" --chart "$out/sizes.svg" >/dev/null
"$python" -m kblam_core report "${kblam[@]}" --threshold-sweep --out "$out/thresholds.md"

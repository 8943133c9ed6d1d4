#!/bin/bash
# The GPU runs, each below ten minutes: ./measure_on_gpu.sh STAGE FOLDER
#   pair         trains code-small and code-draft (FOLDER/models.zip), then tries every measurement at small size
#   generation   homework 3, questions 1 and 3, homework 4, questions 1 and 2 (FOLDER/recordings)
#   speculative  homework 4, question 3 (FOLDER/recordings)
# Needs Python with torch, transformers and tokenizers, and no network. Results lie in FOLDER as soon as they are made.
set -u -o pipefail
cd "$(dirname "$0")"
stage=$1 out=$2
python=${PYTHON:-python3} device=${DEVICE:-cuda}
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=true
mkdir -p "$out" build

say() { echo "$(date +%T) == $*"; }
train() { $python -m generators.measuring.training "$@" --device "$device" ${TRAIN_OPTIONS:-}; }
measure() { $python -m generators.measuring.measure_all --device "$device" "$@"; }

pair() {
    rm -rf build/trained build/small
    train pair --out build/trained --max-seconds 150 45 || say "training failed"
    $python -m zipfile -c "$out/models.zip" build/trained/* || say "no models"
    timeout 160 $python -m generators.measuring.measure_all --device "$device" --small --out build/small \
        --models build/trained/code-small build/trained/code-draft || say "some small runs failed"
    $python -m zipfile -c "$out/small.zip" build/small
}

generation() {
    measure --out "$out/recordings" ${MEASURE_OPTIONS:-} --only hw3_q1_products hw4_q1_allocation hw4_q2_tree_batch \
        || say "some failed"
    measure --out "$out/recordings" ${MEASURE_OPTIONS:-} \
        --only hw3_q3_output_len hw3_q3_beam_width hw3_q3_top_k hw3_q3_top_p || say "some failed"
}

speculative() {
    train pythia-160m pythia-14m --out build/models --max-seconds 60 30 || say "training failed"
    measure --out "$out/recordings" ${MEASURE_OPTIONS:-} --only hw4_q3_speculative || say "failed"
}

case $stage in pair | generation | speculative) ;; *) echo "error: unknown stage $stage" >&2; exit 2 ;; esac
nvidia-smi --query-gpu=name,driver_version,memory.used --format=csv,noheader || true
say "$stage begins"
$stage 2>&1 | tee "$out/$stage.log"
say "$stage ends"
find "$out" -type f | xargs ls -l

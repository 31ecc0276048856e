#!/usr/bin/env bash
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
# Serves what the quick start has trained, on a page and over HTTP: the student in int8 and in float32, and its teacher,
# side by side; without MindSpore, from a small environment of its own, .venv-serving.
#   bash scripts/serve.sh                      then open http://127.0.0.1:8080/
#   bash scripts/serve.sh --port 9000          any option of python -m serving
# The first call makes .venv-serving (200 MB) and output/quickstart/serving/: the bundles, and the texts of the test split
# on which they differ. PYTHON=/path/to/python3.12 chooses the interpreter of .venv-serving. Stop it with Ctrl-C.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

run=output/quickstart bundles=output/quickstart/serving venv=.venv-serving
for model in int8 task_distill finetune; do
    if [ ! -d "$run/$model/model" ]; then
        echo "error: there is no $run/$model/model; run bash scripts/quickstart.sh first, or serve other bundles with" \
            "python -m serving BUNDLE ..." >&2
        exit 2
    fi
done

# The stamp says from what the environment was made; there is none while it is being made.
made="$PWD $(sha256sum < requirements-serving.txt)"
if [ "$(cat "$venv/.installed" 2> /dev/null)" != "$made" ]; then
    echo "serve: making $venv" >&2
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
    if ! "$venv/bin/python" -m pip --disable-pip-version-check --no-input install -r requirements-serving.txt \
        > "$venv/pip.log" 2>&1; then
        grep '^ERROR' "$venv/pip.log" >&2 || tail -n 5 "$venv/pip.log" >&2
        echo "error: pip could not install requirements-serving.txt; the whole of its log is in $PWD/$venv/pip.log" >&2
        exit 1
    fi
    echo "$made" > "$venv/.installed"
fi

# bundle NAME MODEL OPTIONS...: exports a model, also when it has been trained again.
renewed=no served=()
bundle() {
    served+=("$bundles/$1")
    [ ! -f "$bundles/$1/bundle.json" ] || [ "$2" -nt "$bundles/$1/bundle.json" ] || return 0
    choose_python
    rm -rf "${bundles:?}/$1"
    "$python" export.py --checkpoint "$2" --file_format BUNDLE --output "$bundles/$1" --language en "${@:3}"
    renewed=yes
}
bundle student_int8 "$run/int8/model" --config_path configs/quickstart.yaml --quantize int8 \
    --eval_data_dir "$run/data/task" --max_drop 0.02
bundle student "$run/task_distill/model"
bundle teacher "$run/finetune/model"
if [ "$renewed" = yes ] || [ ! -f "$bundles/examples.json" ]; then
    "$venv/bin/python" -m serving.examples "${served[@]}" --file "$run/data/task/test.tsv" \
        --output "$bundles/examples.json"
fi
exec "$venv/bin/python" -m serving "${served[@]}" --examples "$bundles/examples.json" "$@"

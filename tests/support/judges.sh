# shellcheck shell=bash
# Independent programs that run exported models (judge.py, judge_onnx.js). Sourced behind lib.sh; each may be missing on a
# machine, and is then named.
# shellcheck disable=SC2154  # python, build and source are lib.sh's

# can_check: Python's onnx is there
can_check() { "$python" -c 'import onnx' 2>/dev/null; }
can_torch() { "$python" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))' 2>/dev/null; }

# from_npm PACKAGE…: installs into the folder of judges, once per build
judges=${DTRAIN_JUDGES:-$build/judges}
from_npm() {
    [[ ! -d $judges/node_modules/$1 ]] || return 0
    command -v node >/dev/null && command -v npm >/dev/null && mkdir -p "$judges" || return
    if ! timeout 120 npm install --prefix "$judges" --ignore-scripts --no-audit --no-fund --silent "$@" >npm.log 2>&1 </dev/null; then
        rm -rf "${judges:?}/node_modules/$1"
        return 1
    fi
}
# Of ONNX Runtime 45 MB are kept: the others are other systems'.
need_runtime() {
    runtime=$judges/node_modules/onnxruntime-node
    from_npm onnxruntime-node && find "$runtime/bin" -mindepth 2 -maxdepth 3 -type d \( -name win32 -o -name darwin \) -exec rm -rf {} +
}
need_tfjs() { from_npm @tensorflow/tfjs-layers @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu; }

judge() { "$python" "$source/tests/support/judge.py" "$@"; }

# judge_all NAME…: runs what was exported as NAME.onnx and NAME.pt on NAME.in
judge_all() {
    if can_check; then
        if judge check "$@" >said 2>&1; then pass "onnx.checker takes $*"; else fail "onnx.checker" && show said; fi
    else
        lacks "onnx.checker: Python's onnx is not installed"
    fi
    if need_runtime; then
        if node "$source/tests/support/judge_onnx.js" "$runtime" . "$@" >said 2>&1 && judge compare onnx "$@" >>said 2>&1; then
            pass "ONNX Runtime gives what dtrain predict gives" && show said
        else
            fail "ONNX Runtime" && show said
        fi
    else
        lacks "ONNX Runtime: there is no node, or npm does not get onnxruntime-node"
    fi
    if can_torch; then
        if OMP_NUM_THREADS=1 judge torch "$@" >said 2>&1 && judge compare torch "$@" >>said 2>&1; then
            pass "PyTorch gives what dtrain predict gives" && show said
        else
            fail "PyTorch" && show said
        fi
    else
        lacks "PyTorch: it is not installed"
    fi
}

# judge_keras KIND NAME…: the same of NAME.keras.h5 (keras), or of NAME.keras (keras3)
judge_keras() {
    local kind=$1
    shift
    if ! need_tfjs; then
        lacks "TensorFlow.js: there is no node, or npm does not get it"
    elif judge "$kind" "$@" >said 2>&1 && node "$source/tests/support/judge_keras.js" "$judges/node_modules" . "$@" >>said 2>&1 &&
        judge compare keras "$@" >said 2>&1; then
        pass "TensorFlow.js gives, of the layers of a $kind file, what dtrain predict gives" && show said
    else
        fail "TensorFlow.js" && show said
    fi
}

#!/usr/bin/env bash
# libdtrain as its users have it: installed, found by pkg-config and by CMake, called from C and Fortran. It gives the
# same bits in every layout and from every thread (library_bits.sh: those of the program), and leaves the caller's program
# as it was.
. "$(dirname "$0")/../support/lib.sh"

[[ -e $build/src/api/libdtrain.a ]] || skip "the library was not built (it needs a serial HDF5)"
sanitized=$(meson introspect --buildoptions "$build" | grep -oE '"b_sanitize"[^}]*"value": "[a-z,]*"|"value": "[a-z,]*"[^}]*"b_sanitize"' | grep -c address)
need() { command -v "$1" >/dev/null || { lacks "$2: $1 is not installed" && return 1; }; }

# ---- models of every kind ----

/usr/bin/python3 "$source/tests/api/models.py" text bits || give_up "no data"
run 1 import text text.txt text.h5 --tokens char
models=(values pictures series named text)
for model in "${models[@]}"; do
    run 1 train "$model.yaml"
    expect_code 0 "$model is trained"
done

# ---- installed ----

DESTDIR=$work/root meson install -C "$build" --no-rebuild >"$out" 2>&1 || give_up "meson install failed"
header=$(find root -path '*/include/dtrain/dtrain.h')
prefix=$work/${header%/include/dtrain/dtrain.h}
libdir=$(dirname "$(find "$prefix" -name libdtrain.so)")
export PKG_CONFIG_PATH=$libdir/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work/root LD_LIBRARY_PATH=$libdir
compiler=${CC:-cc}
flags=(-O1 -g -Wall -Wextra -Werror)
((sanitized)) && flags+=('-fsanitize=address,undefined')
read -ra cflags < <(PKG_CONFIG_SYSROOT_DIR='' pkg-config --cflags-only-other dtrain)
cflags+=("-I$prefix/include")
read -ra libs <<<"-L$libdir -ldtrain"

try() { # try WHAT COMMAND…: that it succeeds in silence
    local what=$1
    shift
    timeout -k 2 120 "$@" >"$out" 2>"$err" </dev/null
    code=$?
    if ((code == 0)) && [[ ! -s $out && ! -s $err ]]; then pass "$what"; else fail "$what: exit code $code" && show "$out" "$err"; fi
}
try "a program that knows the header alone compiles without a warning" \
    "$compiler" -std=c11 -D_GNU_SOURCE "${flags[@]}" "${cflags[@]}" "$source/tests/api/test_api.c" "${libs[@]}" -lm -lpthread -o test_api
expect_same_text() { if diff "$1" "$2" >"$err"; then pass "$3"; else fail "$3" && show "$err"; fi; }

newest() { find "$1/checkpoints" -name '*.h5' | sort | tail -n 1; }

# ---- what it promises ----

for model in "${models[@]}"; do
    for check in layouts refusals environment threads; do
        try "$model: $check" ./test_api "$check" "$model"
    done
done
try "the state of a series is the caller's" ./test_api states series
try "derivatives from a state, and through it" ./test_api state_derivatives series 0.005
for model in smooth wide single; do
    run 1 train "$model.yaml"
    expect_code 0 "$model is trained"
done
for case in "values 0.005" "pictures 0.005" "series 0.005" "named 0.005" "wide 0.005" "single 0.005" "smooth 0.005"; do
    read -ra how <<<"$case"
    try "derivatives of ${how[0]}" ./test_api derivatives "${how[@]}"
done
for model in values pictures series; do
    try "the range of training, $model" ./test_api ranges "$model"
done
try "an array for each input that has a name" ./test_api parts named 2
try "one that has none is one input" ./test_api parts values 1
./test_api description named >told
expect_in told '^part image 0 48 2$' "an input has name, place and shape"
expect_in told '^part meta 48 4 1$' "so has the next"
try "token ids have none" ./test_api unknown text
./test_api description pictures >told
expect_in told '^inputs /train/x uint8 \[8, 8\] outputs /train/y \[3\] kind 1 step 16 states 0 ids 0$' "a model says what it is"
expect_in told '^class 2 3 -$' "classes have the labels of the data"
DTRAIN_TEST_OPEN=1 try "a child process may read the file" ./test_api layouts values

cp -r values damaged
cp "$(newest values)" damaged/checkpoints/step-000000099.h5
printf '\x55' | dd of=damaged/checkpoints/step-000000099.h5 bs=1 seek="$(($(stat -c %s "$(newest values)") * 3 / 4))" conv=notrunc status=none
./test_api description damaged >told 2>"$err"
expect_in told 'step-000000099.h5.*trying the one before' "a damaged newer checkpoint is passed over, and told of"
for flag in 0 1; do
    DTRAIN_TEST_OPEN=$flag ./test_api description damaged/checkpoints/step-000000099.h5 >told 2>"$err" && fail "a damaged checkpoint is opened"
    expect_in told 'FAIL .*step-000000099.h5.* hash' "a damaged checkpoint is refused by name (flags $flag)"
done

# ---- names ----

nm -D --defined-only "$libdir/libdtrain.so" | awk '$2 ~ /[TDBRW]/ { print $3 }' | sed 's/@.*//' | sort >shared
nm -g --defined-only "$libdir/libdtrain.a" | awk 'NF == 3 { print $3 }' | sort >static
grep -oE 'DTRAIN_API [^;(]*\bdtrain_\w+\(' "$source/include/dtrain/dtrain.h" | grep -oE 'dtrain_\w+\($' | tr -d '(' | sort >declared
expect_same_text declared shared "the shared library shows what the header declares, and nothing else"
expect_same_text declared static "so does the static one"
readelf -d "$libdir/libdtrain.so" >dynamic
expect_in dynamic 'SONAME.*libdtrain\.so\.0' "it has a soname"
if grep -E 'NEEDED.*(mpi|gomp|pmix|open-rte)' dynamic; then fail "it needs MPI or OpenMP (above)"; else pass "it needs neither MPI nor OpenMP"; fi
nm -D --undefined-only "$libdir/libdtrain.so" | awk '{ print $2 }' | sed 's/@.*//' >asked_for
if grep -xE 'exit|quick_exit|v?printf|__v?printf_chk|puts|putchar|perror|syslog|sigaction' asked_for; then
    fail "it can print, or end the program (above)"
else
    pass "it asks the C library for nothing that prints or ends a process"
fi

# ---- examples, built as a user builds them ----

sample=(1 -5 20 101300 2 -40 60 -90 150 10 -300 100 900 -1500 60 2000)
try "the C example builds against the shared library by pkg-config" \
    "$compiler" -std=c11 -Wall -Wextra -Werror "${cflags[@]}" "$source/tests/api/example.c" "${libs[@]}" -o example
./example values "${sample[@]}" >said 2>"$err" || fail "the example failed"
"$source/tests/api/jacobian.py" "$(newest values)" "${sample[@]}" >wanted || give_up "no numbers to compare with"
awk 'NR == FNR { wanted[$1] = $3; unit[$1] = $4; next }
     { e = ($3 - wanted[$1]) / unit[$1]; if (e * e > 1e-10) { print $0, wanted[$1]; bad = 1 } n++ }
     END { exit bad || n != 24 }' wanted said >"$err"
code=$?
expect_code 0 "outputs and derivatives are those of a computation in double"

read -ra needs < <(PKG_CONFIG_SYSROOT_DIR='' pkg-config --static --libs-only-l dtrain | sed 's/-ldtrain\b//'; )
read -ra where < <(PKG_CONFIG_SYSROOT_DIR='' pkg-config --static --libs-only-L dtrain)
try "it builds against the static library" \
    "$compiler" -std=c11 "${cflags[@]}" "$source/tests/api/example.c" "$libdir/libdtrain.a" "${where[@]}" "${needs[@]}" -o example_static
./example_static values "${sample[@]}" >again 2>"$err"
expect_same_text said again "and gives the same numbers"

fortran=0
if need gfortran "Fortran"; then
    fortran=1
    try "the Fortran example builds, and the module as Fortran 2008" gfortran -std=f2008 -Wall -Wextra -Werror \
        "$prefix/include/dtrain/dtrain.f90" "$source/tests/api/example.f90" "${libs[@]}" -o example_fortran
    ./example_fortran values "${sample[@]}" >spoken 2>"$err" || { fail "the Fortran example failed" && show "$err"; }
    awk '{ print $1, $2, $3 + 0 }' spoken | sed 's/(\([0-9]*\))/[\1]/g' | awk '{ print $3 }' >numbers_f
    awk '{ print $3 + 0 }' said >numbers_c
    expect_same_text numbers_c numbers_f "Fortran gives the numbers of C"
    try "calls from Fortran of every rank and type" gfortran -std=f2008 -Wall -Wno-compare-reals \
        "$prefix/include/dtrain/dtrain.f90" "$source/tests/api/test_fortran.f90" "${libs[@]}" -o test_fortran
    try "they give the same bits" ./test_fortran values pictures series named
fi

if need cmake "CMake"; then
    mkdir project
    cp "$source"/tests/api/example.c "$source"/tests/api/example.f90 project
    {
        echo 'cmake_minimum_required(VERSION 3.16)'
        echo 'project(caller C)'
        echo 'find_package(dtrain 0.1 REQUIRED)'
        echo 'add_executable(shared example.c)'
        echo 'target_link_libraries(shared dtrain::dtrain)'
        ((fortran)) && echo 'enable_language(Fortran)
            add_executable(fortran example.f90)
            target_link_libraries(fortran dtrain::fortran)'
    } >project/CMakeLists.txt
    cmake -S project -B made -DCMAKE_PREFIX_PATH="$prefix" >"$out" 2>"$err" && cmake --build made >>"$out" 2>"$err"
    code=$?
    expect_code 0 "CMake builds"
    made/shared values "${sample[@]}" >again 2>"$err"
    expect_same_text said again "a CMake project finds the library"
    if ((fortran)); then
        made/fortran values "${sample[@]}" >again 2>"$err"
        expect_same_text spoken again "and the Fortran module"
    fi
fi

# ---- in other tools' eyes ----

# valgrind knows no AVX-512: other kernels run here.
if ((!sanitized)) && need valgrind "memory errors"; then
    for check in layouts derivatives; do
        valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite ./test_api "$check" series 0.01 \
            >"$out" 2>"$err"
        code=$?
        expect_code 0 "valgrind has nothing to say of $check"
    done
fi

# Built alone, without MPI, and watched for races.
if ((!sanitized)); then
    if env -u PKG_CONFIG_PATH -u PKG_CONFIG_SYSROOT_DIR meson setup alone "$source" -Dprogram=false -Dtests=false -Db_sanitize=thread -Db_lundef=false -Dbuildtype=plain \
        -Doptimization=1 >"$out" 2>&1 && ninja -C alone src/api/libdtrain.so.0.1.0 >>"$out" 2>&1; then
        pass "the library is built alone"
        "$compiler" -std=c11 -D_GNU_SOURCE -g -fsanitize=thread "${cflags[@]}" "$source/tests/api/test_api.c" -Lalone/src/api \
            -ldtrain -lm -lpthread -Wl,-rpath,"$work/alone/src/api" -o raced
        for model in values series; do
            LD_LIBRARY_PATH=$work/alone/src/api TSAN_OPTIONS=halt_on_error=1 try "threads do not race: $model" ./raced threads "$model"
        done
    else
        fail "the library alone" && show "$out"
    fi
fi

# ---- what it weighs ----

bytes=$(stat -Lc %s "$libdir/libdtrain.so")
for library in yaml xxhash; do
    file=$(ldd "$libdir/libdtrain.so" | awk -v n="lib$library" 'index($1, n) == 1 { print $3 }')
    [[ -n $file ]] && bytes=$((bytes + $(stat -Lc %s "$file")))
done
echo "libdtrain.so is $(($(stat -Lc %s "$libdir/libdtrain.so") / 1000)) kB; with libyaml and xxHash $((bytes / 1000)) kB"
finish

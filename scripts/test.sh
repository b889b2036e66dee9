#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test; ends with ctest's summary of the release build.
#
#     scripts/test.sh            formatting and clang-tidy (Debian 12), then the presets asan, tsan and release
#     scripts/test.sh PRESET...  only these presets, and nothing else: scripts/test.sh dev
#
# asan runs all but the tests with a real Postfix: rooms, dialogues, fuzzers' corpora, the binary between clients and
# relays. tsan runs what has threads: that binary, and the rooms telemetry and admin. release runs the binary as it is
# shipped: between clients and relays, with real Postfixes, and the story. Those need root, and are skipped without.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/sbin:/sbin

began=$SECONDS
say() {
    printf '\n== %3d s: %s\n' $((SECONDS - began)) "$*"
}

# Runs a step of the build; what it says is shown only if it fails.
quietly() {
    local output
    if ! output=$("$@" 2>&1); then
        printf '%s\n' "$output" | tail -n 200 >&2
        echo "scripts/test.sh: failed: $*" >&2
        exit 1
    fi
}

# Threads and sanitizers make a busy machine slow; tests wait for events, so a second core is safely shared.
jobs=$(nproc)

# build PRESET [TARGET...]
build() {
    local preset=$1
    shift
    say "building $preset"
    quietly cmake --preset "$preset"
    quietly cmake --build "build/$preset" --parallel "$jobs" ${1:+--target "$@"}
}

# run PRESET [CTEST ARGUMENT...]
run() {
    local preset=$1
    shift
    say "testing $preset"
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --progress --parallel "$jobs" "$@" |
        { grep -v '^\s*$' || true; }
}

test_asan() {
    build asan
    run asan --label-exclude '^(story|postfix|tools|bench)$'
}

test_tsan() {
    build tsan integration_tests telemetry_tests admin_tests
    run tsan --tests-regex '^(integration|telemetry|admin)\.'
}

test_release() {
    build release weir weir-sim integration_tests decision_bench
    run release --label-regex '^(integration|postfix|story|tools|bench)$'
}

test_any() {
    build "$1"
    run "$1"
}

check() {
    # The formatter and the linter are pinned to Debian 12's; elsewhere the compiler's warnings have to do.
    command -v clang-tidy-14 >/dev/null || return 0
    say "formatting and clang-tidy"
    quietly cmake --preset dev  # for its compile_commands.json: clang does not know all of g++'s warnings
    quietly tools/check build/dev
}

scripts/dependencies.sh --test
if [[ $# -gt 0 ]]; then
    for preset in "$@"; do
        case $preset in
            asan | tsan | release) "test_$preset" ;;
            *) test_any "$preset" ;;
        esac
    done
else
    check
    test_asan
    test_tsan
    test_release
fi

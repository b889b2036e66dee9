#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test; ends with ctest's summary of the release build.
#
#     scripts/test.sh            all of it
#     scripts/test.sh PRESET...  build and test these presets, each by itself: scripts/test.sh dev
#
# Formatting and the linter come first (on Debian 12, whose versions they are pinned to). Then everything is built:
# release, the tests that have the binary talk to clients and relays, and with the presets asan and tsan the binary once
# more and the tests of its rooms. The tests with real Postfixes, and the story, need root and are skipped without.
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

cores=$(nproc)

# build PRESET [TARGET...]
build() {
    local preset=$1
    shift
    say "building $preset"
    quietly cmake --preset "$preset"
    quietly cmake --build "build/$preset" --parallel "$cores" ${1:+--target "$@"}
}

# run PRESET [CTEST ARGUMENT...]. Tests mostly wait for each other's processes: two to a core.
run() {
    local preset=$1
    shift
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --progress --parallel $((2 * cores)) "$@" |
        { grep --text -v '^\s*$' || true; }
}

# watched PRESET [CTEST ARGUMENT...]: the integration tests, on the weir that was built with a sanitizer.
watched() {
    local preset=$1
    shift
    say "the binary under $preset"
    WEIR_BINARY=$PWD/build/$preset/weir WEIR_IS_SANITIZED=1 run release --label-regex '^integration$' "$@"
}

test_release() {
    build release weir weir-sim integration_tests decision_bench
    say "testing release"
    run release --label-regex '^(integration|postfix|story|tools|bench)$'
}

test_asan() {
    build asan weir unit_tests
    say "rooms, dialogues and fuzzers' corpora under asan"
    run asan --label-regex '^(unit|script|fuzz)$'
    watched asan
}

# What concerns one session at a time has been seen under asan; threads meet in the rest.
test_tsan() {
    build tsan weir telemetry_tests admin_tests
    say "rooms with threads under tsan"
    run tsan --tests-regex '^(telemetry|admin)\.'
    watched tsan --exclude-regex 'RelayFault|Fault/|AtReset|AtQuit|AtEnvelope|WhileIdle|Smuggling|Injection|EachParameter|classify'
}

test_preset() {
    build "$1"
    say "testing $1"
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
    for preset in "$@"; do test_preset "$preset"; done
else
    check
    build release integration_tests
    test_asan
    test_tsan
    test_release
fi

#!/usr/bin/env bash
# Builds Weir, and then shows what it does, or runs it.
#
#     scripts/run.sh                        the story: a flood through Postfix, with Weir and without, on this machine
#     scripts/run.sh --messages 20000 ...   a larger one; --help has the rest: --seconds, --json, --keep
#     scripts/run.sh FILE                   weir run --config FILE
#
# Installs what is missing first. The story needs root for its two Postfixes, which have configurations and queues of
# their own: the host's Postfix is not touched, and nothing leaves the loopback interface.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH=$PATH:/usr/sbin:/sbin

usage() {
    sed -n '2,/^set/{s/^# \{0,1\}//;/^set/!p}' "$0"
    exit "$1"
}

# Runs a step of the build; what it says is shown only if it fails.
quietly() {
    local output
    if ! output=$("$@" 2>&1); then
        printf '%s\n' "$output" >&2
        echo "scripts/run.sh: failed: $*" >&2
        exit 1
    fi
}

build() {
    cd "$root"
    echo "Building weir and weir-sim (release)."
    quietly cmake --preset release
    quietly cmake --build build/release --target weir weir-sim
}

tell_the_story() {
    local as_root=()
    [[ $(id -u) -eq 0 ]] || as_root=(sudo)
    exec "${as_root[@]}" env PYTHONPATH="$root/scripts" python3 -B -m story "$@"
}

case ${1-} in
    -h) usage 0 ;;
    --help) exec env PYTHONPATH="$root/scripts" python3 -B -m story --help ;;
    '' | --*)
        "$root/scripts/dependencies.sh" --story
        (build)
        tell_the_story "$@"
        ;;
    *)
        [[ $# -eq 1 ]] || usage 64 >&2
        "$root/scripts/dependencies.sh" --build
        (build)
        exec "$root/build/release/weir" run --config "$1"
        ;;
esac

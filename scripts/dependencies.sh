#!/usr/bin/env bash
# Installs what is missing of what Weir needs, from Debian's own packages (Debian 12 and 13).
#
#     scripts/dependencies.sh --build     to build and run weir and weir-sim
#     scripts/dependencies.sh --story     that, and what scripts/run.sh tells the story with
#     scripts/dependencies.sh --test      that, and what scripts/test.sh uses
#     scripts/dependencies.sh --bench     that, and what the load rig compares Weir with
#
# Asks nothing and starts no daemon. When nothing is missing it needs neither root nor the network.
set -euo pipefail

usage() {
    echo "usage: scripts/dependencies.sh --build | --story | --test | --bench" >&2
    exit 64
}

[[ $# -eq 1 ]] || usage

debian=$(. /etc/os-release && echo "${VERSION_ID:-unknown}")

# Debian 12's default Boost is 1.74, which has neither the coroutine support nor the JSON parser we use.
boost=(libboost-dev libboost-json-dev)
# The pinned formatter and linter, and the fuzzers' compiler, are those of Debian 12.
clang=()
if [[ $debian == 12 ]]; then
    boost=(libboost1.81-dev libboost-json1.81-dev)
    clang=(clang-format-14 clang-tidy-14 clang-14 libclang-rt-14-dev)
fi

packages=(
    ccache cmake g++ ninja-build pkg-config python3-minimal
    "${boost[@]}"
    libbenchmark-dev libc-ares-dev libcli11-dev libfmt-dev libgmock-dev libgsasl-dev libgtest-dev libhiredis-dev libidn2-dev
    libpsl-dev
    libre2-dev libspdlog-dev libsqlite3-dev libssl-dev libyaml-cpp-dev prometheus-cpp-dev
)
testing=("${clang[@]}" curl gcovr libsasl2-modules openssl postfix prometheus python3 sasl2-bin swaks)

case $1 in
    --build) ;;
    --story) packages+=(postfix python3) ;;
    --test) packages+=("${testing[@]}") ;;
    --bench) packages+=("${testing[@]}" haproxy) ;;
    *) usage ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "scripts/dependencies.sh knows Debian only. Install the equivalents of: ${packages[*]}" >&2
    exit 69
fi

installed=$(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
    grep -qx "$package installed" <<<"$installed" || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
        echo "These packages are missing, and installing them needs root: ${missing[*]}" >&2
        exit 77
    fi
    as_root=(sudo)
fi

apt_get() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes --option Dpkg::Use-Pty=0 "$@"
}

install_missing() {
    apt_get install --no-install-recommends "${missing[@]}"
}

# Postfix and Prometheus are installed for their commands. While they are, no package may start a daemon
# (invoke-rc.d and deb-systemd-invoke ask this file), and afterwards none may start with the next boot.
policy=/usr/sbin/policy-rc.d
forbid_daemons() {
    [[ ! -e $policy ]] || return 0
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
}

disable_daemons() {
    command -v systemctl >/dev/null || return 0
    local package
    for package in "${missing[@]}"; do
        case $package in
            postfix | prometheus | haproxy) "${as_root[@]}" systemctl --quiet disable "$package" 2>/dev/null || true ;;
        esac
    done
}

echo "scripts/dependencies.sh: installing ${missing[*]}"
forbid_daemons
if [[ " ${missing[*]} " == *" postfix "* ]]; then
    echo 'postfix postfix/main_mailer_type select No configuration' | "${as_root[@]}" debconf-set-selections
fi
# Package lists that are absent do not know the packages; lists that are old name files that are gone.
if ! apt-get --simulate install "${missing[@]}" >/dev/null 2>&1 || ! install_missing; then
    apt_get update
    install_missing
fi
disable_daemons

#!/bin/sh
# Tests P2C2R: installs the build dependencies if they are missing, builds below build/, runs
# `make check`, and ends with the line "N passed, N failed". Arguments go to ./configure.
set -eu
cd "$(dirname "$0")"
sh tests/lib/install-build-deps
[ -x configure ] || autoreconf -fi >/dev/null
mkdir -p build
cd build
if [ ! -e config.status ] || [ $# -gt 0 ]; then
    ../configure "$@" >configure.out || {
        tail -n 5 configure.out
        exit 1
    }
fi
jobs=$(nproc)
make -s -j"$jobs" all >make.out 2>&1 || {
    tail -n 30 make.out
    echo "0 passed, 1 failed"
    exit 1
}
find . -name '*.trs' -delete
make -s -j"$jobs" check >check.out 2>&1 || true # the tally below has the verdict
[ -e test-suite.log ] || tail -n 30 check.out
sh ../tests/lib/tally

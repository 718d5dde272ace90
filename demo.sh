#!/usr/bin/env bash
# Shows P2C2R at work on this machine: installs what is missing, builds, then runs an authority with
# a session of 60 frames a second, four helpers, and one helper that lies. Ends with a summary; the exit status is 0
# only if all frames were shipped, helpers did the work and the liar was caught.
#
#   ./demo.sh [--seconds N]      default 20
set -u
cd "$(dirname "$0")" || exit 1
seconds=20
while [ $# -gt 0 ]; do
    case "$1" in
    --seconds)
        seconds=${2:-}
        shift
        ;;
    --seconds=*) seconds=${1#*=} ;;
    *) seconds= ;;
    esac
    shift
done
case "$seconds" in '' | *[!0-9]* | 0)
    echo "usage: ./demo.sh [--seconds N]" >&2
    exit 64
    ;;
esac

build=${P2_DEMO_BUILD:-}
if [ -z "$build" ]; then
    build=build-demo
    sh tests/lib/install-build-deps || exit 1
    [ -x configure ] || autoreconf -fi >/dev/null 2>&1 || exit 1
    mkdir -p $build
    echo "building in $build (a minute or two)"
    (cd $build && { [ -e config.status ] || ../configure >configure.out 2>&1; } &&
        make -s -j"$(nproc)" p2c2rd p2c2r-authority p2c2rctl src/games/steady.so \
            tests/tools/test-helper >make.out 2>&1) || {
        tail -n 20 $build/configure.out $build/make.out
        exit 1
    }
fi

folder=$(mktemp -d) || exit 1
pids=()
cleanup() {
    trap - EXIT INT TERM
    [ ${#pids[@]} -eq 0 ] || kill -TERM "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'cleanup; exit 130' INT TERM
install -m 600 /dev/null "$folder/empty.conf"
install -m 755 "$build/src/games/steady.so" "$folder/steady.so"

"$build/p2c2r-authority" -c "$folder/empty.conf" --state-dir "$folder/authority" \
    --control-socket "$folder/authority.socket" --listen 127.0.0.1 --port 0 --allow-any-helper \
    --local-peers allow --seconds "$seconds" --wait-helpers 5 --robots 1 \
    --game-options "tasks=4 views=2 slack=15 depth=15" host "$folder/steady.so" \
    >"$folder/summary" 2>"$folder/authority.log" &
authority=$!
pids+=($authority)
address=
for _ in $(seq 100); do
    address=$(sed -n 's/^listening on //p' "$folder/authority.log")
    [ -n "$address" ] && break
    kill -0 $authority 2>/dev/null || break
    sleep 0.1
done
[ -n "$address" ] || {
    cat "$folder/authority.log"
    exit 1
}
echo "authority  $address"
start() { # start NAME PROGRAM ARGUMENT...
    local name=$1 program=$2
    shift 2
    "$build/$program" -c "$folder/empty.conf" --state-dir "$folder/$name" \
        --control-socket "$folder/$name.socket" --enabled -a "$address" "$@" \
        2>"$folder/$name.log" &
    pids+=($!)
}
names="anna ben cleo dan liar"
for name in anna ben cleo dan; do start $name p2c2rd; done
start liar tests/tools/test-helper --fault wrong=30
declare -A who
for name in $names; do
    for _ in $(seq 100); do
        [ -S "$folder/$name.socket" ] && break
        sleep 0.1
    done
    key=$("$build/p2c2rctl" -s "$folder/$name.socket" key 2>/dev/null) || continue
    who[$key]=$name
    printf 'helper     %-5s %s\n' "$name" "$key"
done

# number NAME FILE: a number of a line of JSON
number() { sed -n "s/.*\"$1\":\([0-9]*\)[0-9.]*[,}].*/\1/p" "$2" | head -n 1; }
while kill -0 $authority 2>/dev/null; do
    if "$build/p2c2rctl" -s "$folder/authority.socket" --json status >"$folder/status" 2>/dev/null &&
        grep -q '"session":{' "$folder/status"; then
        printf 'frame %5s  on time %5s  by helpers %6s  own cores %5s  degraded %4s  lies %s\n' \
            "$(number shipped "$folder/status")" "$(number on_time "$folder/status")" \
            "$(($(number PEER "$folder/status") + $(number SECOND "$folder/status")))" \
            "$(number LOCAL "$folder/status")" "$(number DEGRADED "$folder/status")" \
            "$(($(number lies_by_check "$folder/status") + \
                $(number lies_by_recomputation "$folder/status")))"
    fi
    sleep 1
done
wait $authority
status=$?
summary=$folder/summary
[ $status -eq 0 ] && [ -s "$summary" ] || {
    tail -n 20 "$folder/authority.log"
    exit 1
}
frames=$(number shipped "$summary")
tasks=$(number tasks "$summary")
peers=$(($(number PEER "$summary") + $(number SECOND "$summary")))
percent=$(sed -n 's/.*"on_time_percent":\([0-9.]*\).*/\1/p' "$summary")
echo
echo "frames     $frames shipped, $(number on_time "$summary") on time (${percent%%.*} %)"
echo "tasks      $tasks: $peers by helpers, $(number LOCAL "$summary") by own cores," \
    "$(number DEGRADED "$summary") degraded"
echo "verified   every result checked, $(number audits "$summary") recomputed"
caught=0
while read -r key how kernel; do
    [ -n "$key" ] || continue
    echo "lie        by ${who[$key]:-$key}: $kernel, found by $how; banned"
    [ "${who[$key]:-}" = liar ] && caught=1
done < <(grep -o '{"helper":"[^}]*}' "$summary" |
    sed 's/.*"helper":"\([^"]*\)","by":"\([^"]*\)","kernel":"\([^"]*\)".*/\1 \2 \3/')
if [ "$frames" -ge $((seconds * 60)) ] && [ $((peers * 2)) -gt "$tasks" ] && [ $caught -eq 1 ]; then
    echo "it went well"
    exit 0
fi
echo "something went wrong: see the figures above"
exit 1

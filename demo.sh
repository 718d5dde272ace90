#!/usr/bin/env bash
# Shows P2C2R at work on this machine: installs what is missing, builds, then runs a bootstrap node of the
# DHT, an authority with Lantern Siege, four helpers and a fifth that lies, and a gamer who joins by
# session ID. Nobody is told an address: all of them find each other through the DHT.
#
#   ./demo.sh [--window | --tty | --headless] [--seconds N]
#
# Without a choice: a window where there is a display, else this terminal, else headless for 30 s. Ends
# with a summary; the exit status is 0 only if at least 99 % of the frames were on time, helpers did at
# least 60 % of the work, and the liar was caught. Ctrl-C ends and cleans up.
set -u
cd "$(dirname "$0")" || exit 1
usage() {
    echo "usage: ./demo.sh [--window | --tty | --headless] [--seconds N]" >&2
    exit 64
}
show=
seconds=
while [ $# -gt 0 ]; do
    case "$1" in
    --window | --tty | --headless) show=${1#--} ;;
    --seconds)
        seconds=${2:-}
        shift
        [[ $seconds =~ ^[1-9][0-9]{0,4}$ ]] || usage
        ;;
    --seconds=*)
        seconds=${1#*=}
        [[ $seconds =~ ^[1-9][0-9]{0,4}$ ]] || usage
        ;;
    *) usage ;;
    esac
    [ $# -gt 0 ] && shift
done
if [ -z "$show" ]; then
    if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then show=window
    elif [ -t 0 ] && [ -t 1 ]; then show=tty
    else show=headless; fi
fi
[ -n "$seconds" ] || { [ $show = headless ] && seconds=30; } || seconds=0

build=${P2_DEMO_BUILD:-}
if [ -z "$build" ]; then
    build=build-demo
    sh tests/lib/install-build-deps || exit 1
    [ -x configure ] || autoreconf -fi >/dev/null 2>&1 || exit 1
    mkdir -p $build
    echo "building in $build (a few minutes)"
    (cd $build && { [ -e config.status ] || ../configure >configure.out 2>&1; } &&
        make -s -j"$(nproc)" p2c2rd p2c2r-authority p2c2r p2c2r-dht p2c2rctl tests/tools/test-helper \
            src/games/lantern/lantern.so >make.out 2>&1) || {
        tail -n 20 $build/configure.out $build/make.out
        exit 1
    }
fi
build=$(cd "$build" && pwd)

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
install -m 700 -d "$folder/games"
install -m 755 "$build/src/games/lantern/lantern.so" "$folder/games/"

# A network of its own, with an easy puzzle. dhtnode takes its number: the first 32 bits of its id.
network=demo-$$-$RANDOM
number=$((16#$(printf 'p2c2r network\0%s' "$network" | b2sum -l 256 | cut -c1-8)))
overlay=(--network "$network" --puzzle-bits 6 --dht-program "$build/p2c2r-dht")

start_bootstrap() {
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 20000))
        (cd "$folder" && exec dhtnode -s -n "$number" -p $port </dev/null >dhtnode.log 2>&1) &
        pids+=($!)
        for _ in $(seq 50); do
            grep -q ":$(printf %04X $port) " /proc/net/udp /proc/net/udp6 2>/dev/null && return 0
            kill -0 "${pids[-1]}" 2>/dev/null || break
            sleep 0.1
        done
    done
    return 1
}
start_bootstrap || {
    cat "$folder/dhtnode.log"
    exit 1
}
echo "bootstrap  dhtnode on port $port"

"$build/p2c2r-authority" -c "$folder/empty.conf" --state-dir "$folder/authority" \
    --control-socket "$folder/authority.socket" --listen 127.0.0.1 --port 0 --local-peers allow \
    "${overlay[@]}" --bootstrap "127.0.0.1:$port" --region demo --want-helpers 5 \
    --wait-helpers 5 --audit-share 10% host "$folder/games/lantern.so" \
    >"$folder/summary" 2>"$folder/authority.log" &
authority=$!
pids+=($authority)
link=
for _ in $(seq 300); do
    link=$(sed -n "s/^join .*'\(.*\)'$/\1/p" "$folder/authority.log")
    [ -n "$link" ] && break
    kill -0 $authority 2>/dev/null || break
    sleep 0.1
done
[ -n "$link" ] || {
    cat "$folder/authority.log"
    exit 1
}
id=${link#p2c2r://join/}
id=${id%%\?*}
echo "session    $id"

declare -A who
start() { # start NAME PROGRAM ARGUMENT...
    local name=$1 program=$2
    shift 2
    "$build/$program" -c "$folder/empty.conf" --state-dir "$folder/$name" \
        --control-socket "$folder/$name.socket" --enabled --local-peers allow --region demo \
        "${overlay[@]}" --bootstrap "127.0.0.1:$port" "$@" 2>"$folder/$name.log" &
    pids+=($!)
}
for name in anna ben cleo dan; do start $name p2c2rd; done
start liar tests/tools/test-helper --fault wrong=20
for name in anna ben cleo dan liar; do
    for _ in $(seq 200); do
        [ -S "$folder/$name.socket" ] && break
        sleep 0.1
    done
    key=$("$build/p2c2rctl" -s "$folder/$name.socket" key 2>/dev/null) || continue
    who[$key]=$name
    printf 'helper     %-5s %s\n' "$name" "$key"
done
echo "waiting until the helpers are found and invited"
for _ in $(seq 600); do
    grep -q event=session_started "$folder/authority.log" && break
    sleep 0.1
done

# A player who walks about and looks around, when nobody is there to play.
cat >"$folder/script" <<'SCRIPT'
60 walk=100 turn=60
90 turn=180
60 walk=127
30 hold=first
60 strafe=90 turn=-120
30 hold=third
120 walk=60 turn=90
repeat
SCRIPT
player=(join "$id" --name "$(id -un | tr -cd 'a-zA-Z0-9_-' | cut -c1-32)" "${overlay[@]}"
    --bootstrap "127.0.0.1:$port" --key-file "$folder/gamer.key" --seconds "$seconds" --patience 60
    --figures)
case $show in
headless) player+=(--headless --input "$folder/script") ;;
tty) player+=(--tty) ;;
esac
"$build/p2c2r" "${player[@]}" >"$folder/gamer" 2>"$folder/gamer.log"
played=$?
kill -TERM $authority
wait $authority
status=$?
summary=$folder/summary
[ $played -eq 0 ] && [ $status -eq 0 ] && [ -s "$summary" ] || {
    tail -n 20 "$folder/authority.log" "$folder/gamer.log"
    exit 1
}

# number NAME FILE: a number of a line of JSON; share: its first three digits before the point
number() { sed -n "s/.*\"$1\":\([0-9]*\)[0-9.]*[,}].*/\1/p" "$2" | head -n 1; }
share() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$summary" | cut -c1-5; }
frames=$(number shipped "$summary")
on_time=$(share on_time_percent)
helped=$(share peer_units_percent)
echo
echo "session    $id, $frames frames, $(number frames "$folder/gamer") seen by the gamer"
echo "on time    $on_time % ($(number on_time "$summary") frames), quality $(number quality "$summary") of 255"
echo "tasks      $(number tasks "$summary"): $(number PEER "$summary") by the first helper asked," \
    "$(number SECOND "$summary") by another, $(number LOCAL "$summary") by own cores," \
    "$(number DEGRADED "$summary") degraded"
echo "work       $helped % of the cost units by helpers"
echo "verified   every result checked, $(number audits "$summary") recomputed, $(number corrected "$summary") corrected"
caught=0
while read -r key how kernel; do
    [ -n "$key" ] || continue
    echo "lie        by ${who[$key]:-$key}: $kernel, found by $how; banned"
    [ "${who[$key]:-}" = liar ] && caught=1
done < <(grep -o '{"helper":"[^}]*}' "$summary" |
    sed 's/.*"helper":"\([^"]*\)","by":"\([^"]*\)","kernel":"\([^"]*\)".*/\1 \2 \3/')
wrong=0
awk "BEGIN{exit !($on_time >= 99)}" || { echo "below      99 % of the frames were on time"; wrong=1; }
awk "BEGIN{exit !($helped >= 60)}" || { echo "below      60 % of the work was done by helpers"; wrong=1; }
[ $caught -eq 1 ] || { echo "missing    the liar was not caught"; wrong=1; }
[ $wrong -eq 0 ] && echo "it went well"
exit $wrong

# What integration tests with real daemons share; sourced by bash. Needs $build. Every process and
# file is gone when the script ends.
folder=$(mktemp -d) || exit 99
ctl=$build/p2c2rctl
passed=0
failed=0
pids=()
address=
expect() { # expect WHAT CONDITION...
    local what=$1
    shift
    if "$@"; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $what"
    fi
}
cleanup() {
    local pid
    for pid in "${pids[@]}"; do
        kill -CONT "$pid" 2>/dev/null
        kill -KILL "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$folder"
}
trap cleanup EXIT
has() { [[ $1 == *"$2"* ]]; }
lacks() { [[ $1 != *"$2"* ]]; }
ended() { ! kill -0 "$1" 2>/dev/null; }
# number NAME: a number of the summary
number() { sed -n "s/.*\"$1\":\([0-9]*\)[,.}].*/\1/p" "$folder/summary"; }
wait_for() { # wait_for FILE PATTERN: up to two minutes; a busy machine takes its time
    local end=$((SECONDS + 120))
    while ((SECONDS < end)); do
        grep -q -- "$2" "$1" 2>/dev/null && return 0
        read -rt 0.05 <> <(:) || :
    done
    return 1
}
# wait_shipped N: until the session has shipped so many frames, up to two minutes
wait_shipped() {
    local i shipped
    for ((i = 0; i < 1200; i++)); do
        shipped=$("$ctl" -s "$folder/authority.socket" --json status |
            sed -n 's/.*"shipped":\([0-9]*\),.*/\1/p')
        [ "${shipped:-0}" -ge "$1" ] && return 0
        read -rt 0.1 <> <(:) || :
    done
    return 1
}
# The installed folder of modules is not there yet, and a build tree may be writable for others.
install_steady() { # sets $steady
    steady=$folder/steady.so
    install -m 755 "$build/src/games/steady.so" "$steady"
}
# start_authority ARGUMENT...: sets $authority and $address; the summary goes to $folder/summary
start_authority() {
    install -m 600 /dev/null "$folder/empty.conf"
    "$build/p2c2r-authority" -c "$folder/empty.conf" --state-dir "$folder/authority" \
        --control-socket "$folder/authority.socket" --listen 127.0.0.1 --port 0 \
        --local-peers allow "$@" >"$folder/summary" 2>"$folder/authority.log" &
    authority=$!
    pids+=($authority)
    wait_for "$folder/authority.log" '^listening on ' || {
        cat "$folder/authority.log"
        echo "FAILED: the authority does not listen"
        echo "0 passed, 1 failed"
        exit 1
    }
    address=$(sed -n 's/^listening on //p' "$folder/authority.log")
}
# start_helper NAME PROGRAM ARGUMENT...; whatever the state of the machine the tests run on
start_helper() {
    local name=$1 program=$2
    shift 2
    "$build/$program" -c "${config:-$folder/empty.conf}" --state-dir "$folder/$name" \
        --control-socket "$folder/$name.socket" --on-battery --max-temperature 0 "$@" \
        2>"$folder/$name.log" &
    pids+=($!)
}
key_of() { "$ctl" -s "$folder/$1.socket" key; }
# finish: the verdict, with logs when something failed
finish() {
    [ $failed -eq 0 ] || {
        cat "$folder/summary"
        tail -n 20 "$folder"/*.log
    }
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ]
    exit
}

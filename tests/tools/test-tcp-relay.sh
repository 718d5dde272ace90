#!/bin/sh
# tcp-relay as a program: command line, commands on its input, end with its input. What it does to
# bytes is shown by tests/unit/link/test-relay.
set -u
tool=$top_builddir/tests/tools/tcp-relay
passed=0
failed=0

# check NAME ACTUAL EXPECTED
check() {
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1: got '$2', expected '$3'"
	fi
}

output=$(printf 'delay 20\njitter 5\nbandwidth 1000\nstall\nresume\nreset\nfly 7\n' |
	"$tool" --to 127.0.0.1:9 --delay-ms 5 --jitter-ms 1 --bandwidth 1000000 \
		--stall-after-bytes 10 --stall-ms 10 --reset-after-bytes 99 --seed 3)
check 'ends with its input' $? 0
check 'prints its port and answers each line' \
	"$(echo "$output" | sed 's/^port [1-9][0-9]*$/port N/' | tr '\n' ' ')" \
	'port N ok ok ok ok ok ok error '

for arguments in '' '--to' '--to host:80' '--to 127.0.0.1' '--to 127.0.0.1:0' '--to [::1]:80' \
	'--to 127.0.0.1:80 --delay-ms x' '--to 127.0.0.1:80 --delay-ms -1' \
	'--to 127.0.0.1:80 --delay-ms 4294967296' '--to 127.0.0.1:80 extra' '--fly 1'; do
	# shellcheck disable=SC2086 # the words are arguments
	"$tool" $arguments </dev/null >/dev/null 2>&1
	check "refuses '$arguments'" $? 2
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

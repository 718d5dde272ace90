#!/bin/sh
# A million random events with crashes leave a sum of zero, and an independent reader of the journal
# comes to the same balances. A damaged journal must be noticed.
set -u
here=${top_srcdir:-.}/tests/tools
life=${top_builddir:-.}/ledger-life
command -v python3 >/dev/null 2>&1 || {
    echo "no python3: skipped"
    exit 77
}
folder=$(mktemp -d) || exit 99
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0
verdict() {
    if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else
        echo "failed: $2"
        failed=$((failed + 1))
    fi
}
"$life" "${LEDGER_EVENTS:-1000000}" 1 "$folder/journal" "$folder/balances"
verdict $? "money appeared or vanished"
python3 "$here/ledger-replay.py" "$folder/journal" "$folder/balances"
verdict $? "the replay differs"
"$life" 3000 2 "$folder/journal" "$folder/balances" >/dev/null
sed '1000s/,\([0-9]*\),\([0-9]*\),\([0-9]*\),\([0-9]*\),\([0-9]*\),\([^,]*\)$/,9\1,\2,\3,\4,\5,\6/' \
    "$folder/journal" >"$folder/forged"
cmp -s "$folder/journal" "$folder/forged" && verdict 1 "nothing was forged"
python3 "$here/ledger-replay.py" "$folder/forged" "$folder/balances" >/dev/null 2>&1
[ $? -ne 0 ]
verdict $? "a forged journal is believed"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

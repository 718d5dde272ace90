#!/bin/sh
# noise-vectors passes the published vectors and refuses every corruption of them: one digit of
# each field that matters, damaged JSON, missing fields.
set -u
data=$top_srcdir/tests/data/noise/xk-vectors.json
tool=$top_builddir/tests/tools/noise-vectors
folder=$(mktemp -d "${TMPDIR:-/tmp}/p2c2r-vectors-XXXXXX") || exit 99
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

# check STATUS OUTPUT-PATTERN FILE NAME: the tool's exit status and its last line.
check() {
	output=$("$tool" "$3" 2>"$folder/errors")
	status=$?
	if [ "$status" -eq "$1" ] && echo "$output" | grep -q "$2"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $4: status $status, expected $1; printed '$output'"
		cat "$folder/errors"
	fi
}

# On a machine without AES instructions one of the two is skipped.
check 0 '^\(2 passed, 0 failed, 0\|1 passed, 0 failed, 1\) skipped$' "$data" 'published vectors pass'

# change LINE: copies the file with one digit of the value on that line changed.
change() {
	awk -v line="$1" '
		NR == line {
			at = index($0, ": \"") + 7
			digit = substr($0, at, 1)
			$0 = substr($0, 1, at - 1) (digit == "5" ? "6" : "5") substr($0, at + 1)
		}
		{ print }' "$data" >"$folder/changed.json"
}

# Each field of the second vector (ChaChaPoly, which every machine can check).
first=$(grep -n 'XK_25519_ChaChaPoly' "$data" | cut -d: -f1)
last=$(wc -l <"$data")
line=$first
while [ "$line" -lt "$last" ]; do
	line=$((line + 1))
	if sed -n "${line}p" "$data" | grep -q '": "[0-9a-f]'; then
		change "$line"
		check 1 ' 1 failed' "$folder/changed.json" "changed line $line fails"
	fi
done

# The format: other patterns are skipped, optional fields may be missing, unknown ones may appear.
sed 's/Noise_XK_25519_AESGCM_BLAKE2b/Noise_NN_25519_AESGCM_SHA256/' "$data" >"$folder/other.json"
check 0 '^1 passed, 0 failed, 1 skipped$' "$folder/other.json" 'other patterns are skipped'
sed '/handshake_hash/d; /init_remote_static/d' "$data" >"$folder/fewer.json"
check 0 ' 0 failed' "$folder/fewer.json" 'optional fields may be missing'
sed 's/"init_prologue"/"init_psks": [], "resp_psks": [], "init_prologue"/' "$data" >"$folder/psks.json"
check 0 ' 0 failed' "$folder/psks.json" 'psk fields are no obstacle'
sed 's/"protocol_name"/"name"/' "$data" >"$folder/name.json"
check 0 ' 0 failed' "$folder/name.json" 'the older field name is understood'

# What is not a vector file ends with status 2 and a message.
sed '/"resp_static"/d' "$data" >"$folder/missing.json"
check 2 ' failed' "$folder/missing.json" 'a missing key is an error'
sed 's/"init_static": "../"init_static": "zz/' "$data" >"$folder/hex.json"
check 2 ' failed' "$folder/hex.json" 'bad hexadecimal is an error'
sed 's/"ciphertext": "/&0/' "$data" >"$folder/odd.json"
check 2 ' failed' "$folder/odd.json" 'half a byte is an error'
head -c 500 "$data" >"$folder/cut.json"
check 2 '' "$folder/cut.json" 'cut JSON is an error'
echo '{"vectors": []}' >"$folder/empty.json"
check 2 '' "$folder/empty.json" 'no vectors is an error'
echo '[]' >"$folder/array.json"
check 2 '' "$folder/array.json" 'another document is an error'
echo '{"vectors": [7]}' >"$folder/number.json"
check 2 ' 1 failed' "$folder/number.json" 'a number is no vector'
check 2 '' "$folder/nowhere.json" 'a missing file is an error'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 20 ]

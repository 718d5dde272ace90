#!/bin/sh
# The directory settles: no walk finds nothing, no shard holds much more than 16 live ads.
set -u
tool=${top_builddir:-.}/tests/tools/directory-sim
line=$("$tool" 1000 1 | tail -n 1) || exit 99
echo "$line"
if [ "$line" = "$("$tool" 1000 1 | tail -n 1)" ] && echo "$line" | awk -F'|' \
    '{ exit !($2 == 1000 && $5 <= 24 && $7 <= 100 && $10 ~ /^ 0.0 %/) }'; then
    echo "1 passed, 0 failed"
    exit 0
fi
echo "0 passed, 1 failed"
exit 1

#!/bin/sh
# Cost of running a task in a worker, against a bare process; see exec-bench.c.
set -eu
exec "${top_builddir:-.}/tests/bench/exec-bench"

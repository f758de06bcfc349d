#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every test script is in Makefile.am: automake has no wildcards, and one that is not listed is
# one that never runs.
. "${srcdir:-.}/tests/lib.sh" || exit 99

(cd "$srcdir" && ls tests/*.sh) | grep -v '^tests/lib[-.]' >"$tmp/there"
grep -o 'tests/[a-z0-9-]*\.sh' "$srcdir/Makefile.am" | grep -v '^tests/lib[-.]' | sort -u >"$tmp/listed"
sort "$tmp/there" | comm -3 - "$tmp/listed" >"$tmp/only"
[ ! -s "$tmp/only" ] || fail "not in both Makefile.am and tests/: $(tr -s '\n\t' '  ' <"$tmp/only")"

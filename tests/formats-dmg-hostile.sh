#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmg images cut at every length and damaged in many places hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3

fill disk 200192 3
for options in "codec=mixed tables=1,34 chunk=32" "codec=mixed fork=yes front=yes chunk=100" \
	"codec=lzfse chunk=200" "codec=zlib sectors=0 base=700"; do
	# shellcheck disable=SC2086
	python3 "$srcdir/tests/udif.py" disk hostile.dmg $options || fail "udif.py"
	hostile dmg hostile.dmg 1000
done

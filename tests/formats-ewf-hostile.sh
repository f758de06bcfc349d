#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# EWF images of both versions that are cut at any length, or damaged anywhere, hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-forensic.sh" || exit 99
requires ewfacquire python3

fill disk.raw 102400
ewfacquire -u -q -f encase6 -c deflate:fast -d sha1 -b 16 -t e disk.raw >log 2>&1 || fail "$(cat log)"
ewfacquire -u -q -f smart -c deflate:fast -b 16 -t s disk.raw >log 2>&1 || fail "$(cat log)"
make_ex01 x.Ex01 disk.raw 16 zlib
for image in e.E01 s.s01 x.Ex01; do
	hostile ewf "$image" 2000
done
if [ -d "$srcdir/tests/corpus/ewf" ]; then
	expect 0 "$builddir/tests/hostile-format" replay ewf "$srcdir"/tests/corpus/ewf/*
fi

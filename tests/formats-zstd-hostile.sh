#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zstd, cut at every length and damaged in many places.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires zstd
zstd -q -c <"$srcdir/COPYING" >library && requires_library library

zstd -q -c "$srcdir/Makefile.am" >sized.zst
zstd -q -c <"$srcdir/Makefile.am" >unsized.zst
cat sized.zst sized.zst >two.zst
hostile zstd sized.zst
hostile zstd unsized.zst 1500
hostile zstd two.zst 1500
# What a fuzzer found.
expect 0 "$builddir/tests/hostile-format" replay zstd "$srcdir"/tests/corpus/zstd/*

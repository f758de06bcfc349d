#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xz, cut at every length and damaged in many places.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires xz
xz -q -c <"$srcdir/COPYING" >library && requires_library library

xz --lzma2=preset=0,dict=64KiB --block-size=9000 -c "$srcdir/Makefile.am" >text.xz
hostile xz text.xz

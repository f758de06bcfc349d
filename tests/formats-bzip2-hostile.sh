#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bzip2, cut at every length and damaged in many places.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires bzip2
bzip2 -q -c <"$srcdir/COPYING" >library && requires_library library

head -c 9000 "$srcdir/Makefile.am" | bzip2 -c >text.bz2
hostile bzip2 text.bz2 1000

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lz4, cut at every length and damaged in many places.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires lz4
lz4 -q -c <"$srcdir/COPYING" >library && requires_library library

lz4 -q -c -BD "$srcdir/Makefile.am" >text.lz4
lz4 -q -c --content-size -BX "$srcdir/Makefile.am" >sized.lz4
hostile lz4 text.lz4 1500
hostile lz4 sized.lz4 1500

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# gzip, cut at every length and damaged in many places.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires gzip

head -c 90000 /dev/zero | cat - "$srcdir/Makefile.am" | gzip -c >text.gz
hostile gzip text.gz

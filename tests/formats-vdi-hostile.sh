#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# VDIs cut at any length and damaged in any place hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vdi.sh"
requires python3

fill raw 200000
make_vdi dynamic.vdi raw block=4096 zero=1
make_vdi extra.vdi raw block=65536 extra=512
hostile vdi dynamic.vdi
hostile vdi extra.vdi

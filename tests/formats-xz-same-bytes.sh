#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xz: what is served is what was packed: one block and many, each kind of check, several streams with
# padding between them, filters, and pixz's files.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires xz pixz
xz -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 4000001
xz -1 -c raw >one.xz
xz -1 --block-size=100000 --check=sha256 -c raw >many.xz
xz -1 -T2 --block-size=1MiB --check=crc32 -c raw >threads.xz
xz --x86 --lzma2=preset=1 --check=none -c raw >filter.xz
{ head -c 1000000 raw | xz -1 -c; head -c 8 /dev/zero; tail -c +1000001 raw | xz -1 --block-size=300000 -c; head -c 16 /dev/zero; } >streams.xz
pixz -1 -t <raw >pixz.xz
for image in one.xz many.xz threads.xz filter.xz streams.xz pixz.xz; do
	xzcat "$image" | cmp - raw || fail "$image: not what was packed"
	same_disk "$image" raw
	same_backwards "$image" raw
done
[ ! -e "$XDG_CACHE_HOME" ] || fail "an index was kept of what has one itself"

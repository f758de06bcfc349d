#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ntfsclone's images: what is served is what ntfsclone --restore-image writes, for several sizes of
# clusters, and again with the index that the first time left.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires mkntfs ntfscp ntfsclone

head -c 3000000 /dev/urandom >file
head -c 5000 /dev/urandom >small
for size in 512 4096 65536; do
	truncate -s 25168384 ntfs # not a whole number of clusters
	mkntfs -q -F -f -c $size ntfs >/dev/null 2>&1 || fail "mkntfs"
	ntfscp -q ntfs file one && ntfscp -q ntfs small two || fail "ntfscp"
	ntfsclone -f --save-image -O image ntfs >log 2>&1 || fail "ntfsclone: $(tail -3 log)"
	ntfsclone --restore-image -O back image >log 2>&1 || fail "ntfsclone: $(tail -3 log)"
	for _ in 1 2; do
		same_disk image back
	done
	rm ntfs image back
done
[ -n "$(find cache -name '*.index')" ] || fail "no index was kept"

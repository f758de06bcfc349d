#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# list and umount ask every mount what it is; that somebody else does so at the same moment is no
# reason for a umount to be refused as busy.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

truncate -s 1M disk.img
(while :; do "$PLATTER" list; done >/dev/null 2>&1) &
for _ in $(seq 30); do
	attach disk.img mnt
	detach mnt
done

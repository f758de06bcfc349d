#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# umount takes nothing away that is not platter's: something mounted on top of its mount stays, and
# is the reason that it gives.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_root

truncate -s 1M disk.img
mkdir mnt
attach disk.img mnt
mount -t tmpfs none mnt || skip "needs to mount a tmpfs"
echo precious >mnt/file
expect 2 "$PLATTER" umount mnt
grep -q 'mounted on top' err || fail "the reason"
same "what is on top" "$(cat mnt/file)" precious
umount mnt
detach mnt

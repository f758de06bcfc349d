#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# On a filesystem with blocks of 1 KiB a hole may begin inside a block of the overlay: flatten and
# commit keep what is shown all the same.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse
requires_loop
requires mkfs.ext4

truncate -s 64M host
mkfs.ext4 -q -b 1024 host
mkdir fs
mount -o loop host fs || skip "needs to mount a filesystem of small blocks"
truncate -s 4M fs/disk.img
head -c 3M /dev/urandom | poke fs/disk.img 0
change fs/changes fs/disk.img 'put(0, random(200000)); zero(5120, 1024); zero(9216, 5120); zero(70000, 30000)'
expect 0 "$PLATTER" snapshot fs/changes s1
change fs/changes fs/disk.img 'put(1 << 20, random(8192)); zero((1 << 20) + 3072, 2048)'
look fs/changes fs/disk.img wanted
cp --sparse=always fs/disk.img old
expect 0 "$PLATTER" flatten fs/changes
shows "after flatten" fs/changes fs/disk.img wanted
expect 0 "$PLATTER" commit --yes --undo=fs/undo fs/changes
same_bytes fs/disk.img wanted
shows "the undo" fs/undo fs/disk.img old
umount fs

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A limit on the size of files that may be written (ulimit -f) is none on the size of images that
# may be looked at: cat and a read-only attach write
# nothing. (libblkid needs a file of the disk's size to look at: info says that it has none.)
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk mkfs.ext4 prlimit

make_ext4_disk disk.img
"$PLATTER" cat -p 1 disk.img >want || fail "cat"
prlimit --fsize=1048576 "$PLATTER" cat -p 1 disk.img 2>err | cat >got
same "what cat says" "$(cat err)" ""
same_bytes want got
expect 0 prlimit --fsize=1048576 "$PLATTER" attach disk.img mnt
expect 0 cmp disk.img mnt/disk
detach mnt

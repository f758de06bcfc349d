#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fio, with 32 requests in flight on an ext4 on a node, reads back what it wrote, also at the next
# attach, where e2fsck finds nothing. FIO_SECONDS=N.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_loop
requires_filesystem ext4
requires sfdisk mkfs.ext4 e2fsck fio

truncate -s 160M disk.img
echo '2048,,83' | sfdisk -q disk.img >/dev/null || fail sfdisk
mkfs.ext4 -q -F -E offset=1048576 disk.img 159M >log 2>&1 || fail "$(cat log)"
mkdir ext4

mount_node() {
	attach disk.img mnt --overlay=changes
	loop=$(losetup -f --show --direct-io=on mnt/parts/1) || fail losetup
	expect 0 mount -t ext4 "$loop" ext4
}
unmount_node() {
	expect 0 umount ext4
	expect 0 losetup -d "$loop"
	detach mnt
}
job() { # NAME SIZE OPTION...
	fio --name="$1" --filename="ext4/$1" --size="$2" --bs=4k --ioengine=libaio --direct=1 \
		--iodepth=32 --verify=crc32c --verify_fatal=1 --randseed="${SEED:-1}" --output=fio.log "${@:3}" \
		>err 2>&1 || fail "$1: $(cat fio.log)"
	grep -E '^ *(read|write):' fio.log
}

mount_node
job mixed 48M --rw=randrw --fsync=200 --verify_backlog=512 --time_based \
	--runtime="${FIO_SECONDS:-16}"
job kept 32M --rw=randwrite --fsync=1000 --do_verify=0
unmount_node

mount_node
job kept 32M --rw=randwrite --fsync=1000 --verify_only
unmount_node
attach disk.img mnt --overlay=changes
expect 0 e2fsck -fn mnt/parts/1
detach mnt

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A qcow2 export is faultless to QEMU and reads as the raw one does, whatever the disk's size and
# wherever changes are; clusters of zeros are not in it.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires fallocate qemu-img

M=1048576
# change OFFSET LENGTH [FILE]: of the disk that is attached, at most up to its end
change() {
	head -c "$2" "${3:-/dev/urandom}" | poke mnt/disk "$1" || fail "changing $1"
}

# both NAME CLUSTERS: raw and qcow2 are one disk, the latter with so many clusters of data. The image
# is NAME.img, the overlay NAME.
both() {
	local size

	expect 0 "$PLATTER" export "$1" "$1.raw"
	expect 0 "$PLATTER" export --format qcow2 "$1" "$1.qcow2"
	same "stdout" "$(cat out)" ""
	[ $(($(stat -c %s "$1.raw") % 512)) = 0 ] || grep -q " zeros follow the .* bytes of the disk" err ||
		fail "$1: what is not in the disk is not spoken of"
	[ $(($(stat -c %s "$1.raw") % 512)) != 0 ] || same "stderr" "$(cat err)" ""
	expect 0 qemu-img check -f qcow2 "$1.qcow2"
	grep -q '^No errors were found' out || fail "check: $(cat out)"
	[ "$2" = 0 ] || grep -q "^$2/" out || fail "$1: not $2 clusters: $(cat out)"
	[ "$2" != 0 ] || not grep -q allocated out || fail "$1: not empty: $(cat out)"
	expect 0 qemu-img compare -f raw -F qcow2 "$1.raw" "$1.qcow2"
	expect 0 qemu-img info -f qcow2 --output=json "$1.qcow2"
	size=$((($(stat -c %s "$1.raw") + 511) / 512 * 512))
	same "info of $1" "$(json out '(j["virtual-size"], j["cluster-size"],
		"backing-filename" in j, j["format-specific"]["data"]["compat"])')" \
		"($size, 65536, False, '1.1')"
	[ $size -lt $((100 * M)) ] || return 0
	# The tail that the disk does not have reads as zeros too.
	expect 0 qemu-img convert -f qcow2 -O raw "$1.qcow2" back
	truncate -s $size "$1.raw"
	same_bytes "$1.raw" back
}

for size in 1 512 513 65536 65537 $((M + 4097)); do
	head -c $size /dev/urandom >s$size.img
	attach s$size.img mnt --overlay=s$size
	poke mnt/disk $((size - 1)) x || fail "changing the last byte" # at random it may be a zero
	detach mnt
	both s$size $(((size + 65535) / 65536))
done

# Nothing but zeros, some of them written.
truncate -s 5M none.img
attach none.img mnt --overlay=none
change 65536 200000 /dev/zero
detach mnt
both none 0

# Data, changes and punched ranges, whole clusters and parts of them.
head -c 20M /dev/urandom >mixed.img
truncate -s 60M mixed.img
attach mixed.img mnt --overlay=mixed
expect 0 fallocate -p -o $((2 * M)) -l $M mnt/disk          # 16 clusters that go
expect 0 fallocate -p -o $((4 * M + 4096)) -l 65536 mnt/disk # parts of 2, that stay
expect 0 fallocate -z -o $((6 * M - 1)) -l 65537 mnt/disk    # one whole, one byte of another
change $((30 * M + 65535)) 2                                 # 2 that come
change $((40 * M)) $M                                        # 16
change $((40 * M + 65536)) 65536 /dev/zero                   # without 1 again
detach mnt
both mixed $((320 - 16 - 1 + 2 + 16 - 1))

# Several L2 tables: changes to both sides of their border at 512 MiB, nothing in the third, and in
# the last.
truncate -s $((2048 * M + 1000)) large.img
attach large.img mnt --overlay=large
change $((512 * M - 100000)) 200000
change $((2048 * M + 990)) 10
change $((1600 * M)) 300
detach mnt
both large 6
[ "$(stat -c %s large.qcow2)" -lt $M ] || fail "$(stat -c %s large.qcow2) bytes"

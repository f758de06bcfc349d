#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qcow (version 1) images read as what they were made of: plain, compressed, of odd sizes, over raw
# backing files that are shorter and longer; 64 GiB as well.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires qemu-img qemu-io

made() {
	local raw=$1

	shift
	rm -f made.qcow
	# QEMU 7.2 writes compressed ones well and then fails without a word.
	qemu-img convert -f raw -O qcow "$@" "$raw" made.qcow 2>err || [ "$*" = -c ] || fail "convert"
	same_disk made.qcow "$raw"
}

fill mixed.raw 1500160 1
truncate -s 3M empty.raw
head -c 1024 /dev/urandom >small.raw
for raw in mixed empty small; do
	made $raw.raw
	made $raw.raw -c
done
fill large.raw $((64 << 30)) 3
made large.raw

# Clusters of 512 bytes and L2 tables of 32 KiB are what QEMU makes with a backing file, else they
# have 4 KiB. What is written here begins and ends amid clusters.
for size in 700000 3145728; do
	fill base.raw $size 4
	truncate -s $(($(stat -c %s base.raw) / 512 * 512)) base.raw
	rm -f over.qcow
	expect 0 qemu-img create -q -f qcow -b base.raw -F raw over.qcow 1500160
	expect 0 qemu-io -f qcow -c 'write -P 7 300000 5000' -c 'write -P 8 1400000 100160' \
		-c 'write -P 9 699904 1024' over.qcow
	expect 0 qemu-img convert -f qcow -O raw over.qcow over.raw
	same_disk over.qcow over.raw
done
expect 0 "$PLATTER" info --json over.qcow
same "format" "$(json out 'j["image"]["format"], j["image"]["virtual_size"]')" "('qcow', 1500160)"

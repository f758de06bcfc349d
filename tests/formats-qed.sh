#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# QED images read as what they were made of: cluster and table sizes, zero clusters, backing files
# that are shorter and longer, images that were not closed; 8 TiB as well.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires qemu-img qemu-io

made() {
	rm -f made.qed
	expect 0 qemu-img convert -f raw -O qed -o "$2" "$1" made.qed
	same_disk made.qed "$1"
}

fill mixed.raw 1500160 1
truncate -s 3M empty.raw
fill large.raw $((8 << 40)) 3
# QEMU 7.2 does not open what it makes with tables of 1 cluster.
for sizes in 4k,table_size=2 4k,table_size=16 64k,table_size=4 1M,table_size=16; do
	made mixed.raw cluster_size=$sizes
done
made empty.raw cluster_size=64k
made mixed.raw cluster_size=4M,table_size=2
made large.raw cluster_size=64k

for size in 700000 3145728; do
	fill base.raw $size 4
	truncate -s $(($(stat -c %s base.raw) / 512 * 512)) base.raw
	rm -f over.qed
	expect 0 qemu-img create -q -f qed -o cluster_size=4k -b base.raw -F raw over.qed 1500160
	expect 0 qemu-io -f qed -c 'write -P 7 300000 5000' -c 'write -P 8 1400000 100160' \
		-c 'write -z 409600 65536' -c 'write -P 9 699904 1024' over.qed
	expect 0 qemu-img convert -f qed -O raw over.qed over.raw
	same_disk over.qed over.raw
done

# Killed amid its work, it has the "needs check" bit.
expect 0 qemu-img create -q -f qed open.qed 1M
(qemu-io -f qed -c 'write -P 5 0 4096' -c 'sigraise 9' open.qed) >log 2>&1
expect 0 "$PLATTER" info --json open.qed
same "note" "$(json out '[n.split(":")[0] for n in j["image"]["notes"]]')" "['needs a check']"
same "byte" "$("$PLATTER" cat -p 0 open.qed | head -c 1 | od -An -tu1)" "   5"

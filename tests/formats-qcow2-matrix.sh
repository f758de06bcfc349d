#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A qcow2 image reads as what it was made of, whatever qemu-img makes: every cluster size with every
# compression, version, kind of L2 entries, preallocation, pattern of data and odd size.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires qemu-img

# made RAW OPTIONS [CONVERT-OPTION...]: a qcow2 image of it is the same disk.
made() {
	local raw=$1 options=$2

	shift 2
	rm -f made.qcow2
	expect 0 qemu-img convert -f raw -O qcow2 -o "$options" "$@" "$raw" made.qcow2
	same_disk made.qcow2 "$raw"
}

fill mixed.raw 1500160 1           # no multiple of any cluster but 512
fill dense.raw 700416 2            # smaller than the largest cluster
truncate -s 3M empty.raw           # nothing
truncate -s 5M ends.raw            # something at the ends, and where an L2 table begins to count
poke ends.raw 0 "the first bytes"
poke ends.raw $((2 * 1024 * 1024)) "amid nothing"
poke ends.raw $((5 * 1024 * 1024 - 5)) "last."
head -c 512 /dev/urandom >sector.raw # no larger than the smallest cluster

zstd=
expect 0 qemu-img create -q -f qcow2 -o compression_type=zstd probe.qcow2 1M
"$PLATTER" info probe.qcow2 >out 2>&1 && zstd=zstd
[ "$zstd" ] || grep -q 'libzstd' out || fail "zstd: $(cat out)"

raws=(ends mixed dense)
codecs=(zlib "${zstd:-zlib}")
i=0
for cluster in 512 1k 2k 4k 8k 16k 32k 64k 128k 256k 512k 1M 2M; do
	raw=${raws[i % 3]}.raw
	made "$raw" cluster_size=$cluster
	made "$raw" cluster_size=$cluster,compression_type="${codecs[i++ % 2]}" -c
done

made mixed.raw compat=0.10
made mixed.raw compat=0.10 -c
made ends.raw compat=0.10,cluster_size=512
made sector.raw compat=0.10,cluster_size=2M

for cluster in 16k 64k 2M; do
	made mixed.raw extended_l2=on,cluster_size=$cluster
	made dense.raw extended_l2=on,cluster_size=$cluster -c
done
[ ! "$zstd" ] || made mixed.raw extended_l2=on,compression_type=zstd -c

for preallocation in metadata falloc full; do
	made mixed.raw preallocation=$preallocation
	made ends.raw preallocation=$preallocation,extended_l2=on
done

made mixed.raw lazy_refcounts=on,refcount_bits=1
made mixed.raw refcount_bits=64 -S 0 # zeros are written out
for raw in empty sector; do
	made $raw.raw cluster_size=64k
	made $raw.raw cluster_size=512 -c
done

# 8 TiB, that is L1 tables of 128 KiB, 32 MiB and 16 bytes.
fill large.raw $((8 << 40)) 3
made large.raw cluster_size=64k
made large.raw cluster_size=4k
made large.raw cluster_size=2M,extended_l2=on
made large.raw cluster_size=64k -c

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Parallels images as qemu-img writes them, of clusters that fit the disk and that do not, and of the
# older version with clusters of 63 sectors anywhere in the file: the same bytes as qemu-img reads.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires qemu-img python3
requires_fuse

for size in 1000448 20000256; do
	fill "$tmp/raw" $size
	for cluster in 64k 1M 4M; do
		qemu-img convert -f raw -O parallels -o cluster_size=$cluster "$tmp/raw" \
			"$tmp/disk.hds" || fail "qemu-img: $cluster"
		same_disk "$tmp/disk.hds" "$tmp/raw"
	done
done
expect 0 "$PLATTER" info --json "$tmp/disk.hds"
same "format" "$(json "$tmp/out" 'j["image"]["format"]')" parallels

python3 - <<'E' || fail "writing the images"
import random, struct
rng = random.Random(8)
count, tracks = 50, 63
sectors = count * tracks - 5
def write(name, magic, unit, upper):
    table, out, disk = [0] * count, bytearray(32768), bytearray(count * tracks * 512)
    for n in rng.sample(range(count), 20) + [count - 1]:
        if table[n]:
            continue
        while len(out) % unit:
            out += b"\xee" * 512
        if unit == 512 and rng.random() < .5:
            out += b"\xee" * 512 * rng.randrange(9)
        table[n] = len(out) // unit
        disk[n * tracks * 512:(n + 1) * tracks * 512] = data = rng.randbytes(tracks * 512)
        out += data
    struct.pack_into("<16sIIIIIQIIIQ", out, 0, magic, 2, 16, 10, tracks, count,
                     sectors | upper << 32, 0x746f6e59, 64, 0, 0)
    struct.pack_into(f"<{count}I", out, 64, *table)
    open(name + ".hds", "wb").write(out)
    open(name + ".raw", "wb").write(disk[:sectors * 512])
# The older version has no more than 32 bits for the sectors; what is beside them is anything.
write("old", b"WithoutFreeSpace", 512, 0x1234)
write("new", b"WithouFreSpacExt", 512 * tracks, 0)
E
for image in old new; do
	same_disk $image.hds $image.raw
done
qemu-img convert -f parallels -O raw old.hds want
same_bytes old.raw want

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Apple's sparse images: bands in any order, behind the header and behind index nodes, of sizes that
# fit the disk and that do not, read as the disk; what is damaged, is refused with its reason; cut and
# damaged images hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires python3

cat >make.py <<'END'
import random, struct, sys

def header(sectors, band, bands, next_node=0, total=None, version=3):
    return (b"sprs" + struct.pack(">IIIIQQ", version, band, 1, sectors & 0xffffffff, next_node,
                                  sectors if total is None else total) + bytes(28)
            + struct.pack(">1008I", *bands, *[0] * (1008 - len(bands))))

def index(number, bands, next_node):
    return (b"sprs" + struct.pack(">IIQ", number, 1, next_node) + bytes(36)
            + struct.pack(">1010I", *bands, *[0] * (1010 - len(bands))))

def build(disk, band, order, slots=1008, holes=0, cut_last=False, total=None, step=None):
    """order: bands in the order in which they stand; holes: unused slots before each tenth."""
    size, out = band * 512, b""
    listed = []
    for i, b in enumerate(order):
        if holes and i % 10 == 9:
            listed.append(None)
        listed.append(b)
    groups = [listed[:slots]]
    listed = listed[slots:]
    while listed:
        groups.append(listed[:slots + 2])
        listed = listed[slots + 2:]
    places, at = [], 0
    for g in groups:
        places.append(at)
        at += 4096 + len(g) * size
    for i, g in enumerate(groups):
        following = places[i + 1] if i + 1 < len(groups) else 0
        numbers = [0 if b is None else b + 1 for b in g]
        node = (header(len(disk) // 512, band, numbers, following, total) if i == 0
                else index(i - 1, numbers, following))
        # An unused slot's room may hold anything.
        out += node + b"".join(b"\xee" * size if b is None else
                               disk[b * size:(b + 1) * size].ljust(size, b"\0") for b in g)
    if cut_last:
        out = out[:len(out) - (-len(disk) % size)]
    return out

disk = open("disk", "rb").read()

def bands(band):
    size = band * 512
    return [b for b in range((len(disk) + size - 1) // size) if any(disk[b * size:(b + 1) * size])]

rng = random.Random(1)
def write(name, data):
    with open(name + ".sparseimage", "wb") as f:
        f.write(data)

write("in-order", build(disk, 64, bands(64)))
order = bands(16)
rng.shuffle(order)
write("shuffled", build(disk, 16, order, total=0))
order = bands(16)
rng.shuffle(order)
write("one-sector", build(disk[:512 * 40], 1, rng.sample(range(40), 40)))
# The last band is not whole.
order = bands(63)
write("odd", build(disk, 63, order, holes=1))
write("odd-cut", build(disk, 63, [b for b in order if b != order[-1]] + [order[-1]], cut_last=True))
with open("first-40", "wb") as f:
    f.write(disk[:512 * 40])
# Nodes: 1008 slots in the header, 1010 in each of the others.
rng.shuffle(order := list(range(2500)))
long = b"".join(b"%511d\n" % i for i in range(2500))
with open("long", "wb") as f:
    f.write(long)
write("nodes", build(long, 1, order))

good = build(disk[:512 * 64], 16, [2, 0, 1])
def damaged(name, at, fmt, v, of=good):
    data = bytearray(of)
    struct.pack_into(fmt, data, at, v)
    write(name, data)
write("good", good)
with open("good", "wb") as f:
    f.write(disk[:512 * 48] + bytes(512 * 16))
damaged("version", 4, ">I", 2)
damaged("band-0", 8, ">I", 0)
damaged("no-sectors", 16, ">IQQ"[:2], 0, of=build(disk[:512 * 64], 16, [0], total=0))
damaged("halves", 16, ">I", 65)
damaged("bands", 0x1c, ">Q", (1 << 40) | 64)
damaged("number", 0x40, ">I", 5)
damaged("twice", 0x44, ">I", 3)
damaged("past", 0x40 + 4 * 3, ">I", 4)
damaged("node-past", 0x14, ">Q", 1 << 40)
damaged("node-none", 0x14, ">Q", 4096)
nodes = build(long, 1, order)
second = 4096 + 1008 * 512
damaged("node-back", second + 12, ">Q", second, of=nodes)
write("short", good[:4095])
END
fill disk 3000320 7
python3 make.py || fail "make.py"
for image in in-order shuffled odd odd-cut; do
	same_disk $image.sparseimage disk
done
same_disk one-sector.sparseimage first-40
same_disk nodes.sparseimage long
same_disk good.sparseimage good

refuses version.sparseimage "sparse image version 2, expected 3"
refuses band-0.sparseimage "bands of 0 sectors"
refuses no-sectors.sparseimage "0 sectors"
refuses halves.sparseimage "64 sectors, whose lower half is 65"
refuses bands.sparseimage "bands of 16 sectors, at most 2097152"
refuses number.sparseimage "band 5 of a disk of 4"
refuses twice.sparseimage "band 3 stands at 4096 and at 12288"
refuses past.sparseimage "band 4 at 28672 passes the end of the file, 28672"
refuses node-past.sparseimage "an index node at 1099511627776"
refuses node-none.sparseimage "no index node at 4096"
refuses node-back.sparseimage "an index node at 520192, behind one at 520192"
refuses short.sparseimage "4095 bytes, expected a header of 4096"

hostile sparseimage good.sparseimage 3000
hostile sparseimage one-sector.sparseimage 1000

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Differencing VHDXs: blocks that are the child's, the parent's, zeros, or a sector at a time the one
# or the other, over two generations and with sectors of 512 and 4096 bytes. The parent is found by a
# plain name only, and must be as it was when the child was made.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3
requires_fuse

PYTHONPATH=$srcdir/tests PYTHONDONTWRITEBYTECODE=1 python3 - <<'E' || fail "writing the images"
import random, vhdxwriter as x
rng = random.Random(6)
MIB = x.MIB
size = 6 * MIB + 65536

def save(name, data):
    open(name, "wb").write(data)

def linkage(n):
    return "{%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%s}" % ((n,) * 10 + ("%02x" % n * 6,))

def parent(n, *names):
    return x.locator([("parent_linkage", linkage(n)), *names])

def over(lower, blocks, sector=512):
    disk = bytearray(lower)
    for n, content in blocks.items():
        if isinstance(content, int):
            content = None if content == 0 else bytes(MIB)
        if isinstance(content, dict):
            for s, d in content.items():
                disk[n * MIB + s * sector:n * MIB + s * sector + len(d)] = d
        elif content is not None:
            disk[n * MIB:n * MIB + len(content)] = content
    return bytes(disk[:len(lower)])

def some(share, sector):
    count = MIB // sector
    return {s: rng.randbytes(sector) for s in range(count) if rng.random() < share}

def ident(n):
    return bytes([n]) * 16

base = b"".join(rng.randbytes(MIB) for _ in range(6)) + rng.randbytes(65536)
for sector in 512, 4096:
    last = MIB // sector - 1
    save(f"base-{sector}.vhdx",
         x.image(size, {n: base[n * MIB:(n + 1) * MIB] for n in (2, 0, 1, 6, 4, 3, 5)}, sector=sector,
                 data_id=ident(1)))
    blocks = {0: rng.randbytes(MIB), 1: {0: b"a" * sector, last: b"b" * sector}, 2: 2, 3: 3,
              4: some(.5, sector), 6: {s: b"c" * sector for s in range(3, 11)}}
    name = ("relative_path", f".\\base-{sector}.vhdx")
    win = ("absolute_win32_path", f"C:\\disks\\base-{sector}.vhdx")
    save(f"child-{sector}.vhdx", x.image(size, blocks, sector=sector, parent=parent(1, win, name),
                                         data_id=ident(2)))
    middle = over(base, blocks, sector)
    save(f"child-{sector}.raw", middle)
    more = {0: {7: b"d" * sector}, 2: {8: b"e" * sector}, 4: 1, 5: rng.randbytes(MIB)}
    save(f"grandchild-{sector}.vhdx",
         x.image(size, more, sector=sector,
                 parent=parent(2, ("relative_path", f"child-{sector}.vhdx"))))
    save(f"grandchild-{sector}.raw", over(middle, more, sector))

def child(name, locator):
    save(name, x.image(size, {}, parent=locator))

plain = ("relative_path", "base-512.vhdx")
child("second-link.vhdx", x.locator([("parent_linkage", linkage(9)),
                                     ("parent_linkage2", linkage(1).upper()), plain]))
save("second-link.raw", base)
child("changed.vhdx", parent(9, plain))
child("unlinked.vhdx", x.locator([plain]))
child("nameless.vhdx", parent(1))
child("absolute.vhdx", parent(1, win))
child("up.vhdx", parent(1, ("relative_path", "..\\base-512.vhdx")))
child("itself.vhdx", parent(1, ("relative_path", "itself.vhdx")))
child("away.vhdx", parent(1, ("relative_path", "away\\base.vhdx"), ("volume_path", "none.vhdx")))
child("other-type.vhdx", x.locator([plain], "b04aefb7-d19e-4a81-b789-25b8e9445914"))
child("no-pairs.vhdx", x.locator([])[:18] + b"\xff\xff")
image = x.image(size, {1: {0: b"a" * 512}}, parent=parent(1, plain))
ratio = (512 << 23) // MIB
image[x.BAT + 8 * ratio] = 0
save("no-bitmap.vhdx", image)
E

for sector in 512 4096; do
	same_disk child-$sector.vhdx child-$sector.raw
	same_disk grandchild-$sector.vhdx grandchild-$sector.raw
	expect 0 "$PLATTER" info --json child-$sector.vhdx
	same "sector size" "$(json "$tmp/out" 'j["image"]["sector_size"]')" $sector
done
# Over the ends of blocks that stand in no order, before the kernel has them.
attach base-512.vhdx "$tmp/same_disk"
for end in 6 5 4 3 2 1; do
	cmp <(peek "$tmp/same_disk/disk" $((end * 1048576 - 5000)) 10000) \
		<(peek second-link.raw $((end * 1048576 - 5000)) 10000) || fail "end of block $end"
done
detach "$tmp/same_disk"
same_disk second-link.vhdx second-link.raw
refuses changed.vhdx 'parent "base-512.vhdx": its data write GUID is {01010101-0101-0101-0101-010101010101}, expected {09090909'
refuses unlinked.vhdx 'the parent locator has no parent_linkage'
refuses nameless.vhdx 'does not name its parent'
refuses absolute.vhdx 'parent "C:\disks\base-4096.vhdx": a path'
refuses up.vhdx 'parent "..\base-512.vhdx": a path'
refuses itself.vhdx 'stands on itself'
refuses away.vhdx 'parent "none.vhdx": not in the image'
refuses other-type.vhdx 'a parent locator of type b04aefb7-d19e-4a81-b789-25b8e9445914'
refuses no-pairs.vhdx 'is said to have 65535 entries'
refuses no-bitmap.vhdx 'block 1 is partially present, but has no sector bitmap'
refuses child-512.vhdx 'because of --chain=no' --chain=no

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Differencing VHDs: each sector is the child's or its parent's, over two generations. The parent is
# found by a plain name only, and must be the one that the child was made of.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3
requires_fuse

PYTHONPATH=$srcdir/tests PYTHONDONTWRITEBYTECODE=1 python3 - <<'E' || fail "writing the images"
import os, random, vhdwriter as vhd
rng = random.Random(3)
size = 5 << 20  # the last block is half one
base = rng.randbytes(size)
ids = {n: bytes([n]) * 16 for n in range(1, 9)}

def save(name, data):
    open(name, "wb").write(data)

def some(share):
    return {s: rng.randbytes(512) for s in range(4096) if rng.random() < share}

def over(lower, blocks, block=vhd.BLOCK):
    disk = bytearray(lower)
    for n, sectors in blocks.items():
        for s, data in sectors.items():
            at = n * block + 512 * s
            disk[at:at + 512] = data
    return bytes(disk[:len(lower)])

def child(n, blocks, parent, name, names=(), size=size):
    return vhd.sparse(size, 4, ids[n], blocks, ids[parent], name, names)

save("base.vhd", vhd.fixed(base, ids[1]))
edges = {0: {0: b"a" * 512, 4095: b"b" * 512}, 2: {s: b"c" * 512 for s in range(8, 72)}}
absolute, relative = (b"W2ku", "C:\\machines\\base.vhd"), (b"W2ru", ".\\base.vhd")
save("child.vhd", child(2, edges, 1, "C:\\machines\\base.vhd", [absolute, relative]))
middle = over(base, edges)
save("child.raw", middle)
many = {0: some(.5), 1: some(.01), 2: {s: d for s, d in some(.9).items() if s < 2048}}
save("grandchild.vhd", child(3, many, 2, "child.vhd"))
save("grandchild.raw", over(middle, many))
# A child may be larger than its parent: there it is zeros.
larger = {3: {0: b"d" * 512}}
save("larger.vhd", child(4, larger, 1, "", [(b"W2ru", "base.vhd")], 7 << 20))
save("larger.raw", over(base + bytes(2 << 20), larger))
# Bitmaps of two sectors, and of a part of one.
for name, block in ("wide", 4 << 20), ("narrow", 1 << 16):
    blocks = {n: {s: rng.randbytes(512) for s in range(block // 512) if rng.random() < .3}
              for n in (0, 1)}
    save(name + ".vhd", vhd.sparse(size, 4, ids[6], blocks, ids[1], "base.vhd", block=block))
    save(name + ".raw", over(base, blocks, block))
save("stranger.vhd", child(5, {}, 7, "base.vhd"))
save("absolute.vhd", child(5, {}, 1, "", [absolute]))
# As VirtualBox on Linux names it.
save("posix.vhd", child(2, edges, 1, "", [(b"W2ku", os.getcwd() + "/base.vhd")]))
save("posix-away.vhd", child(5, {}, 1, "", [(b"W2ku", "/etc/base.vhd")]))
save("up.vhd", child(5, {}, 1, "", [(b"W2ru", "..\\base.vhd")]))
save("nameless.vhd", child(5, {}, 1, ""))
save("itself.vhd", child(5, {}, 5, "itself.vhd"))
save("two-lines.vhd", child(5, {}, 1, "base\n.vhd"))
save("of-raw.vhd", child(5, {}, 1, "child.raw"))
E

same_disk child.vhd child.raw
same_disk grandchild.vhd grandchild.raw
same_disk posix.vhd child.raw
same_disk larger.vhd larger.raw
same_disk wide.vhd wide.raw
same_disk narrow.vhd narrow.raw
refuses stranger.vhd 'parent "base.vhd": its unique id is 01010101-0101-0101-0101-010101010101, expected 07070707'
refuses absolute.vhd 'parent "C:\machines\base.vhd": a path'
refuses posix-away.vhd 'parent "/etc/base.vhd": another folder'
refuses up.vhd 'parent "..\base.vhd": a path'
refuses nameless.vhd 'does not name its parent'
refuses itself.vhd 'stands on itself'
refuses two-lines.vhd 'parent "base?.vhd": a path'
refuses of-raw.vhd 'parent "child.raw": is not in vhd format'
refuses child.vhd 'because of --chain=no' --chain=no

mkdir elsewhere
mv base.vhd elsewhere/
refuses grandchild.vhd 'parent "base.vhd": not in the image'
same_disk grandchild.vhd grandchild.raw --chain="$tmp/elsewhere"

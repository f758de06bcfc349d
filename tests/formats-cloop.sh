#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compressed loop images as create_compressed_fs writes them: what went in, and what qemu-img reads.
# Broken or cut ones are refused, each with its reason; cut anywhere and damaged anywhere they hurt
# nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires create_compressed_fs qemu-img python3
requires_fuse

fill raw 3000000
for block in 16384 65536 1048576; do
	create_compressed_fs -q -B $block raw disk.cloop >log 2>&1 || fail "create_compressed_fs"
	qemu-img convert -f cloop -O raw disk.cloop want || fail "qemu-img"
	cmp -n 3000000 raw want || fail "qemu-img" # zeros up to a whole block follow
	same_disk disk.cloop want
done
expect 0 "$PLATTER" info --json disk.cloop
same "format" "$(json "$tmp/out" 'j["image"]["format"]')" cloop

python3 - <<'E' || fail "writing the images"
import struct, zlib
def write(name, block=4096, count=8, change=None, cut=None, data=None):
    blocks = [zlib.compress(bytes([i]) * 4096) for i in range(8)]
    if data:
        blocks[3] = data
    offsets = [136 + 8 * 9]
    for b in blocks:
        offsets.append(offsets[-1] + len(b))
    if change:
        change(offsets)
    out = b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop\n".ljust(128, b"\0")
    out += struct.pack(">II9Q", block, count, *offsets) + b"".join(blocks)
    open(name, "wb").write(out[:cut])
write("good.cloop")
write("block-zero.cloop", block=0)
write("block-odd.cloop", block=4000)
write("block-large.cloop", block=2 ** 31)
write("empty.cloop", count=0)
write("count.cloop", count=2 ** 32 - 1)
write("backwards.cloop", change=lambda o: o.__setitem__(4, o[3] - 1))
write("nothing.cloop", change=lambda o: o.__setitem__(4, o[3]))
write("far.cloop", change=lambda o: o.__setitem__(8, 2 ** 64 - 1))
write("cut.cloop", cut=-1)
write("damaged.cloop", data=b"no zlib stream")
write("long.cloop", data=zlib.compress(bytes(4097)))
write("short.cloop", data=zlib.compress(bytes(4095)))
E
expect 0 "$PLATTER" info good.cloop
refuses block-zero.cloop 'blocks of 0 bytes'
refuses block-odd.cloop 'blocks of 4000 bytes'
refuses block-large.cloop 'blocks of 2147483648 bytes'
refuses empty.cloop 'a virtual disk of 0 bytes'
refuses count.cloop 'the offsets of 4294967295 blocks pass the end'
refuses backwards.cloop 'block 3 stands from'
refuses nothing.cloop 'block 3 stands from'
refuses far.cloop 'block 7 stands from'
refuses cut.cloop 'block 7 stands from'
mkdir mnt
for image in damaged long short; do
	attach $image.cloop mnt
	expect 0 peek mnt/disk 0 12288
	not dd if=mnt/disk bs=4096 skip=3 count=1 of=got status=none 2>"$tmp/err" || fail "$image"
	grep -q 'Input/output error' "$tmp/err" || fail "$image"
	expect 0 peek mnt/disk 16384 16384
	detach mnt
done
hostile cloop good.cloop

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compressed ISO images: CISO 1 and 2 and ZISO, blocks of several sizes, aligned or not, packed and
# as they are, give the same disk. What is broken is refused with the reason, cut off at any length,
# and damage in a block is a read error.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires_fuse
requires xorriso python3

small_iso disc.iso
py <<'PY'
import struct
import cdimage as cd
iso = cd.read("disc.iso")
# Zeros, text and noise in turn, of a length that is no multiple of a block.
mixed = b"".join(bytes(9000) + (b"%d " % i) * 3000 + cd.noise(20000, i) for i in range(6)) + b"end" * 171
cd.write("mixed", mixed)
for name, data in (("iso", iso), ("mixed", mixed)):
    cd.cso(name + "-1.cso", data, header=0)
    cd.cso(name + "-1a.cso", data, shift=4)
    cd.cso(name + "-1b.cso", data, block=16384, version=0, fill=True)
    cd.cso(name + "-2.cso", data, version=2, shift=1)
    cd.cso(name + "-2b.cso", data, version=2, block=65536, shift=2)
    cd.cso(name + "-z.zso", data, magic=b"ZISO")
    cd.cso(name + "-zb.zso", data, magic=b"ZISO", block=4096, shift=6)

image = cd.read("iso-1.cso")
def bad(name, off, data):
    cd.write(name + ".cso", image[:off], data, image[off + len(data):])
bad("version", 20, b"\3")
bad("header", 4, b"\x20")
bad("gamecube", 4, struct.pack("<I", 0x200000))
bad("block0", 16, struct.pack("<I", 0))
bad("block3", 16, struct.pack("<I", 3000))
bad("blockbig", 16, struct.pack("<I", 1 << 30))
bad("align", 21, b"\x11")
bad("size", 8, struct.pack("<Q", 1 << 40))
bad("size0", 8, struct.pack("<Q", 0))
bad("first", 24, struct.pack("<I", 20))
cd.write("short.cso", image[:-1])
word = struct.unpack_from("<I", image, 24 + 4 * 16)[0]
bad("damaged", word, b"\xff" * 20)
bad("back", 24 + 4 * 16, struct.pack("<I", 2000))
# Blocks as they are, one of which is too short.
noise = cd.noise(1 << 18)
for name, magic in (("plain.cso", b"CISO"), ("plain.zso", b"ZISO")):
    cd.cso(name, noise, magic=magic)
    image = bytearray(cd.read(name))
    at = 24 + 4 * 34
    image[at:at + 4] = struct.pack("<I", struct.unpack_from("<I", image, at)[0] - 1000)
    cd.write(name, image)
cd.write("noise", noise)
cd.cso("small.cso", mixed[:40000], version=2)
cd.cso("small.zso", mixed[:40000], magic=b"ZISO")
PY
for name in iso mixed; do
	raw=mixed
	[ $name = mixed ] || raw=disc.iso
	for image in $name-1.cso $name-1a.cso $name-1b.cso; do
		same_disk "$image" $raw
	done
	if "$PLATTER" info $name-z.zso 2>&1 | grep -q 'needs liblz4'; then
		continue
	fi
	for image in $name-2.cso $name-2b.cso $name-z.zso $name-zb.zso; do
		same_disk "$image" $raw
	done
done
expect 0 "$PLATTER" cat iso-1.cso dir/deeper/data.bin
same_bytes out iso-source/dir/deeper/data.bin
expect 0 "$PLATTER" info --json iso-1.cso
same "the format" "$(json out 'j["image"]["format"]')" cso

refuses version.cso 'version 3, expected 0 to 2'
refuses header.cso 'a header of 32 bytes, expected 24'
refuses gamecube.cso 'a compact image of the GameCube (blocks of 2097152 bytes) cannot be read'
refuses block0.cso 'blocks of 0 bytes, expected a power of two from 512 to 1048576'
refuses block3.cso 'blocks of 3000 bytes'
refuses blockbig.cso 'blocks of 1073741824 bytes'
refuses align.cso 'align 17, expected at most 16'
refuses size.cso 'an index of 536870912 blocks, but the file has'
refuses size0.cso 'a virtual disk of 0 bytes'
refuses first.cso 'blocks from 20 to'
refuses short.cso 'but the index ends at'
mkdir mnt
for image in damaged back; do
	attach $image.cso mnt
	! peek mnt/disk 32768 2048 >/dev/null 2>&1 || fail "damage in $image.cso is read"
	peek mnt/disk 131072 2048 >got || fail "what is behind the damage in $image.cso"
	same_bytes got <(peek disc.iso 131072 2048)
	detach mnt
done
for image in plain.cso plain.zso; do
	"$PLATTER" info $image >out 2>&1 || continue # without liblz4
	attach $image mnt
	! peek mnt/disk 65536 4096 >/dev/null 2>&1 || fail "a block of 1048 bytes in $image is read"
	peek mnt/disk 0 65536 >got || fail "what is before the short block in $image"
	same_bytes got <(peek noise 0 65536)
	peek mnt/disk 73728 65536 >got || fail "what is behind the short block in $image"
	same_bytes got <(peek noise 73728 65536)
	detach mnt
done
unreadable cso small.cso
hostile cso small.cso
hostile cso small.zso

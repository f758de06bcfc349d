#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# VHDXs that are broken, cut or need what is not known are refused, each with its reason; one good
# header and one good region table are enough. Cut anywhere and damaged anywhere, they hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3

PYTHONPATH=$srcdir/tests PYTHONDONTWRITEBYTECODE=1 python3 - <<'E' || fail "writing the images"
import struct, vhdxwriter as x
MIB = x.MIB
size = 3 * MIB + 65536
body = b"content ".ljust(512, b".") * 2
good = x.image(size, {0: body, 3: b"the end".ljust(65536, b"!")})[:5 * MIB + 65536]
wanted = body.ljust(3 * MIB, b"\0") + b"the end".ljust(65536, b"!")

def save(name, image, raw=None):
    open(name, "wb").write(image)
def put(off, bytes_, image=good):
    out = bytearray(image)
    out[off:off + len(bytes_)] = bytes_
    return out
def flip(*offs):
    out = bytearray(good)
    for off in offs:
        out[off] ^= 0x10
    return out

open("good.raw", "wb").write(wanted)
save("good.vhdx", good)
H1, H2, R1, R2 = 65536, 131072, 196608, 262144
save("header-1.vhdx", flip(H1 + 100))
save("header-2.vhdx", flip(H2 + 4000))
save("regions-1.vhdx", flip(R1 + 60000))
save("regions-2.vhdx", flip(R2))
# The first header counts where its number is higher: the other one's log would be replayed.
save("higher.vhdx", put(H1, x.header(3), put(H2, x.header(2, log_id=b"l" * 16, log_version=5))))
save("same-twice.vhdx", put(H2, x.header(1)))

save("headers.vhdx", flip(H1, H2 + 50))
save("headers-differ.vhdx", put(H2, x.header(1, data_id=b"e" * 16)))
save("version.vhdx", put(H2, x.header(2, version=2)))
save("regions.vhdx", flip(R1, R2))
def regions(name, entries):
    save(name, put(R1, x.regions(entries)))
new = "deadbeef-f623-4200-9d64-115e9bfd4a08"
regions("region-unknown.vhdx", x.REGIONS + [(new, 4 * MIB, MIB, 1)])
regions("region-optional.vhdx", x.REGIONS + [(new, 4 * MIB, MIB, 0)])
regions("region-twice.vhdx", x.REGIONS + x.REGIONS[:1])
regions("region-none.vhdx", x.REGIONS[:1])
regions("region-away.vhdx", [x.REGIONS[0], (x.REGIONS[1][0], 64 * MIB, MIB, 1)])
regions("region-odd.vhdx", [x.REGIONS[0], (x.REGIONS[1][0], 2 * MIB + 512, MIB, 1)])
def items(name, change=lambda l: l, **other):
    save(name, put(x.META, x.metadata(change(x.items(other.pop("size", size), **other)))))
items("item-unknown.vhdx", lambda l: l + [(new, b"12345678", 4)])
items("item-optional.vhdx", lambda l: l + [(new, b"12345678", 3)])
items("item-none.vhdx", lambda l: l[:1] + l[2:])
items("item-length.vhdx", lambda l: [(l[0][0], b"1234", 4)] + l[1:])
items("block-size.vhdx", block=3 * MIB)
items("block-large.vhdx", block=512 * MIB)
items("sector.vhdx", sector=1024)
items("size-odd.vhdx", size=size + 1)
items("size-zero.vhdx", size=0)
items("size-large.vhdx", size=(64 << 40) + 512)
items("table-short.vhdx", size=1 << 40)
items("no-locator.vhdx",
      lambda l: [(l[0][0], struct.pack("<II", MIB, 2), 4)] + l[1:])
save("items-signature.vhdx", flip(x.META))
save("items-many.vhdx", put(x.META + 10, b"\xff\xff"))
entry = lambda n, v: put(x.BAT + 8 * n, struct.pack("<Q", v))
save("state-4.vhdx", entry(1, 4))
save("state-7.vhdx", entry(1, 4 * MIB | 7))
save("block-away.vhdx", entry(1, 64 * MIB | 6))
save("block-header.vhdx", entry(1, 6))
save("cut.vhdx", good[:-1])
child = x.image(size, {1: {3: b"c" * 512}},
                parent=x.locator([("parent_linkage", "{}"), ("relative_path", "p.vhdx")]))
log = x.image(size, {0: body}, head=x.header(7), second=x.header(8, log_id=x.LOG_ID))
page = bytearray(4096)
struct.pack_into("<Q", page, 0, 4 * MIB | 6)
x.put_log(log, [x.entry(1, 0, [(x.BAT, 8192), (x.META + (1 << 18), 4096)]),
                x.entry(2, 0, [(x.BAT, bytes(page))])])
for name, image in ("good", good), ("child", child), ("log", log):
    open(f"{name}.sparse", "wb").write(x.sparse(image))
whole = x.sparse(good)
places = [0, H1, H2, R1, R2, MIB, 2 * MIB, 2 * MIB + 65536, 3 * MIB, 4 * MIB, len(good)]
cuts = {at + d for at in places for d in (-4096, -513, -1, 0, 1, 8, 4096)}
cuts |= {len(good) * i // 100 for i in range(100)}
for at in sorted(n for n in cuts if 0 < n < len(good)):
    open(f"cut-{at}.sparse", "wb").write(whole[:8] + struct.pack("<Q", at) + whole[16:])
E

for image in good header-1 header-2 regions-1 regions-2 higher same-twice region-optional \
	item-optional; do
	expect 0 "$PLATTER" cat -p 0 $image.vhdx
	cmp "$tmp/out" good.raw || fail "$image.vhdx"
done

refuses headers.vhdx 'neither of its two headers has a valid checksum'
refuses headers-differ.vhdx 'its two headers differ, but both have sequence number 1'
refuses version.vhdx 'version 2 of VHDX, expected 1'
refuses regions.vhdx 'neither copy of the region table has a valid checksum'
refuses region-unknown.vhdx 'needs the unknown region deadbeef-f623-4200-9d64-115e9bfd4a08'
refuses region-twice.vhdx 'the region table has two regions 2dc27766-f623-4200-9d64-115e9bfd4a08'
refuses region-none.vhdx 'the region table names no metadata'
refuses region-away.vhdx '1048576 bytes at 67108864, expected whole MiB before the end'
refuses region-odd.vhdx '1048576 bytes at 2097664, expected whole MiB'
refuses item-unknown.vhdx 'needs the unknown metadata item deadbeef-f623-4200-9d64-115e9bfd4a08'
refuses item-none.vhdx 'the metadata has no virtual disk size'
refuses item-length.vhdx 'the file parameters has 4 bytes'
refuses block-size.vhdx 'a block size of 3145728'
refuses block-large.vhdx 'a block size of 536870912'
refuses sector.vhdx 'a logical sector size of 1024, expected 512 or 4096'
refuses size-odd.vhdx 'expected whole sectors of 512'
refuses size-zero.vhdx 'a virtual disk of 0 bytes'
refuses size-large.vhdx 'at most 64 TiB'
refuses table-short.vhdx 'the block allocation table has 131072'
refuses no-locator.vhdx 'has a parent, but the metadata no parent locator'
refuses items-signature.vhdx 'has no "metadata" signature'
refuses items-many.vhdx 'has 65535 entries, at most 2047'
refuses state-4.vhdx 'block 1 is in state 4'
refuses state-7.vhdx 'block 1 is in state 7'
refuses block-away.vhdx 'block 1 is in state 6 at 67108864'
refuses block-header.vhdx 'block 1 is in state 6 at 0'
refuses cut.vhdx 'block 3 is in state 6'

# What the images hold without the zeros in between is small enough for many copies. Every cut is
# refused: the last block stands at the end.
cuts=(cut-*.sparse)
VERBOSE=1 "$builddir/tests/hostile-format" replay vhdx "${cuts[@]}" >"$tmp/out" 2>"$tmp/err" ||
	fail "cut"
same "cuts refused" "$(grep -vc ': opened$' "$tmp/out")" "${#cuts[@]}"
for image in good child log; do
	"$builddir/tests/hostile-format" mutate vhdx $image.sparse 1 800 >"$tmp/out" 2>"$tmp/err" ||
		fail "$image, damaged"
done

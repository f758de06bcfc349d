#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# VHDs that are broken, cut or of an unknown kind are refused, each with its reason; cut anywhere and
# damaged anywhere they hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3

PYTHONPATH=$srcdir/tests PYTHONDONTWRITEBYTECODE=1 python3 - <<'E' || fail "writing the images"
import struct, vhdwriter as vhd
uid = b"u" * 16
def save(name, data):
    open(name, "wb").write(data)

def dynamic(**other):
    return vhd.sparse(3 << 20, 3, uid, {0: {5: b"x" * 512}}, block=1 << 16, **other)

good = dynamic()
save("good.vhd", good)
child = vhd.sparse(1 << 20, 4, uid, {0: {5: b"x" * 512}}, b"p" * 16, "parent.vhd", block=1 << 16)
save("child.vhd", child)
fixed = vhd.fixed(bytes(range(256)) * 256, uid)
save("fixed.vhd", fixed)

def with_footer(**other):
    end = vhd.footer(3 << 20, other.pop("kind", 3), uid, **other)
    return end + good[512:-512] + end
def with_header(**other):
    args = dict(entries=48, block=1 << 16)
    args.update(other)
    return good[:512] + vhd.header(**args) + good[1536:]

save("version.vhd", with_footer(version=0x20000))
save("type-1.vhd", with_footer(kind=1))
save("type-6.vhd", with_footer(kind=6))
save("header-away.vhd", with_footer(data=1 << 40))
save("header-none.vhd", with_header(cookie=b"cxspars?"))
save("header-version.vhd", with_header(version=0x20000))
save("header-sum.vhd", good[:600] + b"?" + good[601:])
save("block-odd.vhd", with_header(block=3 << 16))
save("block-small.vhd", with_header(block=256))
save("block-zero.vhd", with_header(block=0))
save("few-entries.vhd", with_header(entries=47))
save("table-away.vhd", with_header(table=len(good)))
save("table-wraps.vhd", with_header(table=2 ** 64 - 64))
entry = bytearray(good)
struct.pack_into(">I", entry, 1536 + 4 * 7, len(good) // 512)
save("block-away.vhd", entry)
# Without its data, and with a footer that says that it is all there.
save("cut.vhd", good[:40000] + good[-512:])
save("fixed-cut.vhd", fixed[512:])
save("empty.vhd", vhd.footer(0, 2, uid))
save("front-only.vhd", fixed[-512:] + bytes(4096))
E

refuses version.vhd 'version 2.0 of VHD, expected 1.0'
refuses type-1.vhd 'disk type 1, expected 2 to 4'
refuses type-6.vhd 'disk type 6, expected 2 to 4'
refuses header-away.vhd 'the dynamic disk header at 1099511627776 passes the end of the file'
refuses header-none.vhd 'no dynamic disk header where the footer says'
refuses header-version.vhd 'version 2.0 of the dynamic disk header, expected 1.0'
refuses header-sum.vhd 'the checksum of the dynamic disk header is'
refuses block-odd.vhd 'a block size of 196608, expected a power of two'
refuses block-small.vhd 'a block size of 256'
refuses block-zero.vhd 'a block size of 0'
refuses few-entries.vhd 'has 48 blocks, the block allocation table 47'
refuses table-away.vhd 'the block allocation table at'
refuses table-wraps.vhd 'the block allocation table at 18446744073709551552'
refuses block-away.vhd 'block 7 stands at sector'
refuses cut.vhd 'block 0 stands at sector 4 and passes the end of the file'
refuses fixed-cut.vhd 'a fixed disk of 65536 bytes, the file holds 65024'
refuses empty.vhd 'a virtual disk of 0 bytes'
refuses front-only.vhd 'a fixed disk without its footer at the end'

hostile vhd good.vhd
hostile vhd child.vhd
hostile vhd fixed.vhd 1000

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmg images that cannot be used say why, in one line: encrypted, in segments, of another version,
# tables and chunks that are damaged, too large or point past the end.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3

cat >make.py <<'END'
import os, plistlib, struct, sys
sys.path.insert(0, os.environ["srcdir"] + "/tests")
from udif import *

disk = b"".join(b"%511d\n" % i for i in range(600))

def chunk(i, kind=None, start=None, sectors=None, offset=None, length=None):
    """Change the i-th entry of the first table (0 is a comment)."""
    def edit(tables):
        at = 204 + 40 * i
        t = bytearray(tables[0])
        for off, fmt, v in ((0, ">I", kind), (8, ">Q", start), (16, ">Q", sectors),
                            (24, ">Q", offset), (32, ">Q", length)):
            if v is not None:
                struct.pack_into(fmt, t, at + off, v)
        tables[0] = bytes(t)
    return edit

def poke(at, fmt, v):
    def edit(tables):
        t = bytearray(tables[0])
        struct.pack_into(fmt, t, at, v)
        tables[0] = bytes(t)
    return edit

def write(name, data):
    with open(name + ".dmg", "wb") as f:
        f.write(data)

def koly(name, at, fmt, v):
    data = bytearray(build(disk))
    struct.pack_into(fmt, data, len(data) - 512 + at, v)
    write(name, data)

write("good", build(disk))
koly("version", 4, ">I", 5)
koly("header", 8, ">I", 400)
koly("segments", 60, ">I", 3)
koly("huge", 0x1ec, ">Q", 1 << 60)
koly("small", 0x1ec, ">Q", 599)
koly("xml-offset", 0xd8, ">Q", 1 << 40)
koly("xml-length", 0xe0, ">Q", 1 << 30)
koly("xml-shorter", 0xe0, ">Q", 700)
koly("no-tables", 0xe0, ">Q", 0)
write("unknown", build(disk, edit=chunk(1, kind=0x80000009)))
write("past-table", build(disk, edit=chunk(1, sectors=601)))
write("far", build(disk, edit=chunk(1, start=2**64 - 1)))
write("past-file", build(disk, edit=chunk(1, offset=2**64 - 1)))
write("empty", build(disk, edit=chunk(1, length=0)))
write("long", build(disk, edit=chunk(1, length=(4 << 20) + 1)))
write("raw", build(disk, codec="raw", edit=chunk(1, length=512)))
write("raw-past", build(disk, codec="raw", edit=chunk(1, offset=1 << 20)))
write("large", build(bytes(511) + b"1" + bytes(8193 * 512), chunk=8194))
write("magic", build(disk, edit=poke(0, ">I", 0)))
write("table-version", build(disk, edit=poke(4, ">I", 2)))
write("chunks", build(disk, edit=poke(200, ">I", 1000)))
write("table-past", build(disk, edit=poke(16, ">Q", 601)))
write("short", build(disk, edit=lambda tables: tables.insert(0, bytes(203))))
write("many", build(disk, edit=lambda tables: tables.extend(tables * 1024)))
fork_image = bytearray(build(disk, fork_tables=True))
write("fork-good", fork_image)
at, length = struct.unpack(">QQ", fork_image[-472:-456])
struct.pack_into(">I", fork_image, at + 4, length)
write("fork-map", fork_image)
struct.pack_into(">I", fork_image, at + 4, length - 40)
write("fork-type", fork_image)

def xml(name, text):
    write(name, text + trailer(len(disk) // 512, (0, 0), tables=(0, len(text))))
xml("not-xml", b"hello, world")
xml("not-plist", b"<html></html>")
xml("base64", plist([bytes(204)]).replace(b"AAAA", b"????"))
xml("no-dicts", b"<plist><dict><key>resource-fork</key><dict><key>blkx</key><array><string/></array></dict></dict></plist>")
xml("no-keys", b"<plist><dict><string/></dict></plist>")
write("encrypted-2", b"encrcdsa" + bytes(5000))
write("encrypted-1", bytes(5000) + b"cdsaencr")
END
srcdir=$srcdir python3 make.py || fail "make.py"

expect 0 "$PLATTER" info good.dmg
expect 0 "$PLATTER" info fork-good.dmg
refuses version.dmg "UDIF version 5, expected 4"
refuses header.dmg "trailer of 400 bytes, expected 512"
refuses segments.dmg "segment 1 of 3: an image in segments is not supported"
refuses huge.dmg "1152921504606846976 sectors, at most"
refuses small.dmg "table 0 (part 0): 600 sectors at 0 pass the end of the disk, 599"
refuses xml-offset.dmg "property list"
refuses xml-length.dmg "property list"
refuses xml-shorter.dmg "XML: "
refuses no-tables.dmg "no tables, and a data fork of"
refuses unknown.dmg "table 0 (part 0): chunk 1: type 0x80000009, which is not known"
refuses past-table.dmg "601 sectors at 0 pass the table's 600"
refuses far.dmg "sectors at 18446744073709551615 pass the table's 600"
refuses past-file.dmg "at 18446744073709551615 passes the end of the file"
refuses empty.dmg "a packed chunk of 0 bytes, expected 1 to 4194304"
refuses long.dmg "a packed chunk of 4194305 bytes, expected 1 to 4194304"
refuses raw.dmg "a raw chunk of 512 bytes for 512 sectors"
refuses raw-past.dmg "a raw chunk of 262144 bytes at 1048576 passes the end of the file"
refuses large.dmg "a packed chunk of 8194 sectors, at most 8192"
refuses magic.dmg 'neither "mish" nor version 1'
refuses table-version.dmg 'neither "mish" nor version 1'
refuses chunks.dmg "1000 chunks in"
refuses table-past.dmg "601 sectors at 0 pass the end of the disk, 600"
refuses short.dmg "203 bytes, expected at least 204"
refuses many.dmg "more than 1024 tables"
refuses fork-map.dmg "resource fork: the map"
refuses fork-type.dmg "resource fork: the "
refuses not-xml.dmg "XML: "
refuses not-plist.dmg "no property list in it"
refuses base64.dmg "data that is no base64"
refuses no-dicts.dmg "blkx is no array of dicts"
refuses no-keys.dmg "a value without a key"
refuses encrypted-2.dmg "an encrypted Apple disk image (encrcdsa): not supported"
refuses encrypted-1.dmg "an encrypted Apple disk image (cdsaencr): not supported"

# Without its trailer it is in dmg format no more.
head -c -1 good.dmg >cut.dmg
refuses cut.dmg "is not in dmg format" --format dmg
# Damage inside a chunk shows when it is read, and there alone.
{ printf '\377\377\377\377' | cat - <(tail -c +5 good.dmg); } >damaged.dmg
expect 0 "$PLATTER" info damaged.dmg
expect 32 "$PLATTER" cat -p 0 damaged.dmg

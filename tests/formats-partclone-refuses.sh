#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# partclone's images that are broken are refused with the reason.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires partclone.ext4 mkfs.ext4

truncate -s 10M ext
mkfs.ext4 -q -F -b 1024 ext || fail "mkfs.ext4"
partclone.ext4 -c -s ext -o good.img -L log >clone.log 2>&1 || fail "partclone.ext4: $(tail -3 clone.log)"
# change AT HEX [crc]: bytes there, with the header's checksum made right again.
change() {
	python3 - "$@" <<'PY'
import sys, zlib
d = bytearray(open("good.img", "rb").read())
at, new = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
d[at:at + len(new)] = new
if len(sys.argv) > 3:
    d[106:110] = (zlib.crc32(bytes(d[:106])) ^ 0xffffffff).to_bytes(4, "little")
open("bad.img", "wb").write(d)
PY
}
change 84 01
refuses bad.img "header: checksum"
change 30 30303033
refuses bad.img "image version \"0003\", expected 0001 or 0002"
change 34 c0de crc
refuses bad.img "big-endian"
change 84 00000000 crc
refuses bad.img "blocks of 0 bytes, expected 256"
change 60 ffffffffffffff7f crc
refuses bad.img "blocks of 1024 bytes on a disk of 10485760 bytes"
change 52 ffffffffffffffff crc
refuses bad.img "a disk of 18446744073709551615 bytes, at most"
change 88 13000000 crc
refuses bad.img "features of 19 bytes"
change 105 02 crc
refuses bad.img "bitmap of kind 2"
change 98 0000 crc
refuses bad.img "checksums of 0 bytes in mode 32"
change 111 55
refuses bad.img "bitmap: its checksum is wrong"
change 76 0100000000000000 crc
refuses bad.img "blocks are marked as used, expected 1"
head -c 200000 good.img >cut.img
refuses cut.img "pass the end of the file"
head -c 500 good.img >cut.img
refuses cut.img "bitmap: 1280 bytes at 110 pass the end of the file"
head -c 100 good.img >cut.img
refuses cut.img "100 bytes, expected a header of 110"
python3 - <<'PY'
import struct
head = b"partclone-image" + b"EXTFS".ljust(15, b"\0") + b"0001" + b"\0\0" + struct.pack("<IQQQ", 1024, 1 << 19, 512, 512) + bytes(4096)
open("v1.img", "wb").write(head + bytes(3000))
PY
refuses v1.img "bitmap: \"BiTmAgIc\" is not behind it, at 4672"

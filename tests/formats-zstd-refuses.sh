#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zstd: damage, windows that are too large and dictionaries are refused with their reason.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires zstd
zstd -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 2000000
zstd -q -c raw >good.zst
zstd -q -c <raw >pass.zst
size=$(stat -c %s good.zst)
change() { # FILE OFFSET
	python3 - "$@" <<'PY'
import sys
d = bytearray(open(sys.argv[1], "rb").read())
d[int(sys.argv[2])] ^= 0x55
open("bad.zst", "wb").write(d)
PY
}
head -c $((size / 2)) good.zst >cut.zst
refuses cut.zst "ends in the middle of the frame at 0"
head -c $((size - 1)) good.zst >cut.zst
refuses cut.zst "ends in the middle of the frame at 0"
{ cat good.zst; echo garbage; } >behind.zst
refuses behind.zst "expected a frame or the end of the file"
change pass.zst $(($(stat -c %s pass.zst) - 2)) # its checksum, which the pass checks
refuses bad.zst "cannot be unpacked: Restored data doesn't match checksum"
printf '\x28\xb5\x2f\xfd\x08\x58\x01\0\0' >reserved.zst
refuses reserved.zst "reserved bit 3 is set"
printf '\x28\xb5\x2f\xfd\x01\x58\x07\x01\0\0' >dictionary.zst
refuses dictionary.zst "dictionary 7"
printf '\x28\xb5\x2f\xfd\0\xa8\x01\0\0' >window.zst
refuses window.zst "a window of 2048 MiB, at most 128"
zstd -q -c </dev/null >empty.zst
refuses empty.zst "unpacks to 0 bytes"
# Inside a frame of which the size is known only reading can tell; never other bytes.
change good.zst $((size - 2))
expect 32 "$PLATTER" cat -p 0 bad.zst
# A seek table is believed as far as there are frames where it says.
python3 - <<'PY'
import struct
good = open("good.zst", "rb").read()
def seekable(name, frames, sizes):
    table = b"".join(struct.pack("<II", len(f), n) for f, n in zip(frames, sizes))
    foot = struct.pack("<IBI", len(frames), 0, 0x8f92eab1)
    open(name, "wb").write(b"".join(frames) + struct.pack("<II", 0x184d2a5e, len(table) + 9) + table + foot)
seekable("inside.zst", [good[:1000], good[1000:]], [1000000, 1000000])
seekable("later.zst", [good, bytes.fromhex("28b52ffd00a8010000")], [2000000, 1])
PY
refuses inside.zst "at byte 1000, expected a frame"
refuses later.zst "a window of 2048 MiB, at most 128"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A VHDX that was not closed: what its log says is laid over the file, which stays as it is. The
# result is that of `qemu-img check -r all` on a copy. An entry that is not whole, or of another
# sequence, counts as never written; one that is missing from the middle of it is damage.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3 qemu-img
requires_fuse

PYTHONPATH=$srcdir/tests PYTHONDONTWRITEBYTECODE=1 python3 - <<'E' || fail "writing the images"
import random, struct, vhdxwriter as x
rng = random.Random(5)
MIB, PAGE = x.MIB, x.PAGE
size = 5 * MIB
# Three blocks whose data is in the file; the table knows the first only.
data = [rng.randbytes(MIB) for _ in range(3)]
base = x.image(size, {0: data[0]}, head=x.header(7), second=x.header(8, log_id=x.LOG_ID))
where = [4 * MIB, 5 * MIB, 6 * MIB]
base += data[1] + data[2]

def bat(*known):
    page = bytearray(PAGE)
    for n in known:
        struct.pack_into("<Q", page, 8 * n, where[n] | 6)
    return bytes(page)

def disk(*known):
    return b"".join(data[n] if n in known else bytes(MIB) for n in range(5))

def save(name, out, state):
    open(name + ".vhdx", "wb").write(out)
    if state is not None:
        open(name + ".raw", "wb").write(state)

def logged(name, entries, state, at=0, more=()):
    out = bytearray(base)
    x.put_log(out, entries, at)
    for other, place in more:
        x.put_log(out, other, place)
    save(name, out, state)

def broken(entry, at, with_byte=None, sealed=True):
    e = bytearray(entry)
    e[at] ^= 0xff
    return x.seal(e) if sealed else bytes(e)

A, B, C = disk(0), disk(0, 1), disk(0, 1, 2)
e1 = x.entry(20, 0, [(x.BAT, bat(0, 1))])
e2 = x.entry(21, 0, [(x.BAT, bat(0, 1, 2))])
save("closed", base[:131072] + x.header(8) + base[131072 + PAGE:], A)
logged("one", [e1], B)
logged("two", [e1, e2], C)
# Torn, or not of this sequence: as if it were not there.
logged("crc", [e1, broken(e2, 5000, sealed=False)], B)
logged("sector-low", [e1, broken(e2, len(e2) - 4)], B)
logged("sector-high", [e1, broken(e2, PAGE + 4)], B)
logged("sector-mark", [e1, broken(e2, PAGE)], B)
logged("descriptor-mark", [e1, broken(e2, 64)], B)
logged("descriptor-sequence", [e1, broken(e2, 64 + 24)], B)
logged("descriptor-offset", [e1, broken(e2, 64 + 16)], B)
logged("sequence", [e1, x.entry(22, 0, [(x.BAT, bat(0, 1, 2))])], B)
logged("guid", [e1, x.entry(21, 0, [(x.BAT, bat(0, 1, 2))], log_id=b"o" * 16)], B)
logged("length", [e1, e2[:8] + struct.pack("<I", PAGE) + e2[12:]], B)
logged("cut", [e1, e2[:PAGE]], B)
logged("nothing-whole", [broken(e1, 5000, sealed=False)], A)
# Around the end of the ring; beside an older sequence; with a tail that is not the oldest entry.
end = MIB - 2 * PAGE
logged("around", [x.entry(20, end, [(x.BAT, bat(0, 1))]), x.entry(21, end, [(x.BAT, bat(0, 1, 2))])],
       C, end)
half = MIB - PAGE
logged("split", [x.entry(20, half, [(x.BAT, bat(0, 1, 2))])], C, half)
older = [x.entry(10, 65536, [(x.BAT, bat(0, 2))]), x.entry(11, 65536, [(x.BAT, bat(0))])]
logged("older", [e1, e2], C, 0, [(older, 65536)])
older = [x.entry(10, 0, [(x.BAT, bat(0, 2))]), x.entry(11, 0, [(x.BAT, bat(0))])]
logged("older-first", older, C, 0, [([x.entry(20, 65536, [(x.BAT, bat(0, 1, 2))])], 65536)])
first = x.entry(20, 0, [(x.META, bytes(PAGE))])  # written in place and done with, long ago
second = x.entry(21, len(first), [(x.BAT, bat(0, 1))])
logged("tail-later", [first, second], B)
# The later update wins, in an entry and over entries; zeros in parts of what was there.
logged("order", [x.entry(20, 0, [(x.BAT, bat(0, 1, 2)), (x.BAT, MIB), (x.BAT, bat(0, 1))])], B)
logged("zeros", [x.entry(20, 0, [(x.BAT, bat(0, 1))]), x.entry(21, 0, [(x.BAT, 65536)])],
       bytes(size))
logged("zeros-data", [x.entry(20, 0, [(where[0] + 65536, 131072), (where[0] + 98304, b"p" * PAGE)])],
       A[:65536] + bytes(32768) + b"p" * PAGE + bytes(131072 - 32768 - PAGE) + A[65536 + 131072:])
many = [(where[0] + PAGE * i, bytes([i]) * PAGE) for i in range(200)]
logged("many", [x.entry(20, 0, many)],
       b"".join(d for _, d in many) + A[200 * PAGE:])
none = x.entry(21, 0, [])
logged("empty-entry", [e1, none], B)
# The log knows of a file that became longer.
longer = bytearray(bat(0))
struct.pack_into("<Q", longer, 8, len(base) | 6)
grown = x.entry(20, 0, [(x.BAT, bytes(longer)), (len(base) + 65536, b"g" * PAGE)],
                flushed=len(base), last=len(base) + MIB)
logged("grown", [grown], A[:MIB] + bytes(65536) + b"g" * PAGE + bytes(4 * MIB - 65536 - PAGE))

# Refused.
logged("lost-tail", [broken(e1, 5000, sealed=False), e2], None)
logged("flushed", [x.entry(20, 0, [(x.BAT, bat(0))], flushed=len(base) + 1)], None)
logged("past-last", [x.entry(20, 0, [(1 << 30, bytes(PAGE))])], None)
logged("breaks-table", [x.entry(20, 0, [(x.BAT, b"\x07" * PAGE)])], None)
def headed(name, **header):
    out = bytearray(base)
    out[131072:131072 + PAGE] = x.header(8, log_id=x.LOG_ID, **header)
    save(name, out, None)
headed("log-version", log_version=1)
headed("log-short", log_length=65536)
headed("log-long", log_length=33 * MIB)
headed("log-away", log_offset=64 * MIB)
E

sha256sum ./*.vhdx >sums
for image in closed one two crc sector-low sector-high sector-mark descriptor-mark \
	descriptor-sequence descriptor-offset sequence guid length cut nothing-whole around split older older-first \
	tail-later order zeros zeros-data many empty-entry grown; do
	expect 0 "$PLATTER" cat -p 0 $image.vhdx
	cmp "$tmp/out" $image.raw || fail "$image.vhdx"
done
same_disk grown.vhdx grown.raw
same_disk zeros-data.vhdx zeros-data.raw
sha256sum --quiet -c sums >"$tmp/out" || fail "changed: $(cat "$tmp/out")"
# (Not "sequence": QEMU does not ask whether the tail that an entry names is there.)
for image in one two crc around older zeros; do
	qemu-img check -q -r all -f vhdx $image.vhdx || fail "qemu-img check $image.vhdx"
	qemu-img convert -f vhdx -O raw $image.vhdx want
	same_bytes $image.raw want
done

refuses lost-tail.vhdx 'its log is damaged'
refuses flushed.vhdx 'the file has 7340032 bytes, 7340033 when its log was written'
refuses past-last.vhdx 'its log updates bytes up to 1073745920'
refuses breaks-table.vhdx 'block 0 is in state 7'
refuses log-version.vhdx 'its log has version 1, expected 0'
refuses log-short.vhdx 'its log has 65536 bytes at 1048576'
refuses log-long.vhdx 'its log has 34603008 bytes'
refuses log-away.vhdx 'its log'

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Of a damaged EWF image the damaged part is named: a table is replaced by its copy, a chunk that
# cannot be unpacked is an I/O error and no zeros, and everything else refuses the image.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
requires ewfacquire python3
requires_fuse

fill disk.raw 2097152
ewfacquire -u -q -f encase6 -c deflate:fast -t d disk.raw >log 2>&1 || fail "$(cat log)"

# damage OUT SECTION OFFSET [more]: flip a byte of the section, counted from behind its descriptor.
damage() {
	python3 - "$@" <<'PY'
import struct, sys, zlib
out, rest = sys.argv[1], sys.argv[2:]
b = bytearray(open("d.E01", "rb").read())
while rest:
    kind, at = rest[0].encode(), int(rest[1])
    rest = rest[2:]
    off = 13
    while b[off:off + 16].rstrip(b"\0") != kind:
        off = struct.unpack_from("<Q", b, off + 16)[0]
    b[off + 76 + at] ^= 0x55
open(out, "wb").write(b)
PY
}

damage x.E01 table 30
same_disk x.E01 disk.raw
damage x.E01 table 4
same_disk x.E01 disk.raw
damage x.E01 table2 30
same_disk x.E01 disk.raw
damage x.E01 table 30 table2 40
refuses x.E01 "the table of chunks 0 to 63 is damaged, and so is its copy"
damage x.E01 table 4 table2 4
refuses x.E01 'the section "table2" at'
damage x.E01 volume 20
refuses x.E01 'the section "volume" at '
damage x.E01 sectors -70
refuses x.E01 "has a damaged descriptor"

# A chunk that is packed, in the middle.
read -r chunk byte < <(python3 - <<'PY'
import struct
b = open("d.E01", "rb").read()
off = 13
while b[off:off + 16].rstrip(b"\0") != b"table":
    off = struct.unpack_from("<Q", b, off + 16)[0]
base, = struct.unpack_from("<Q", b, off + 84)
entries = struct.unpack_from("<64I", b, off + 100)
n = next(i for i in range(20, 63) if entries[i] >> 31)
print(n, base + (entries[n] & 0x7fffffff) + (entries[n + 1] - entries[n]) // 2)
PY
)
cp d.E01 x.E01
printf '\x5a\xa5\x5a' | poke x.E01 "$byte"
mkdir m
attach x.E01 m
dd if=m/disk of=got bs=32768 skip="$chunk" count=1 2>err && fail "damaged data can be read"
grep -q 'Input/output error' err || fail "not an I/O error"
for part in "0 $chunk" "$((chunk + 1)) 64"; do
	dd if=m/disk of=got bs=32768 skip="${part% *}" count="$((${part#* } - ${part% *}))" status=none ||
		fail "what is not damaged cannot be read"
	dd if=disk.raw of=want bs=32768 skip="${part% *}" count="$((${part#* } - ${part% *}))" status=none
	same_bytes got want
done
detach m

head -c 100000 d.E01 >x.E01
refuses x.E01 "the section at 1"
# The end of the last section but one, without "done".
head -c -76 d.E01 >x.E01
refuses x.E01 "it was cut short or not finished"

# put OUT KIND FORMAT OFFSET VALUE [KIND]: a field of the section, with its Adler-32 made good again.
put() {
	python3 - "$@" <<'PY'
import struct, sys, zlib
out, kind, fmt, at, value = sys.argv[1], sys.argv[2].encode(), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
b = bytearray(open("d.E01", "rb").read())
off = 13
while b[off:off + 16].rstrip(b"\0") != kind:
    off = struct.unpack_from("<Q", b, off + 16)[0]
struct.pack_into(fmt, b, off + at, value)
ends = {b"volume": (76, 1124), b"table": (76, 96)}
start, end = (0, 72) if at < 76 else ends[kind]
struct.pack_into("<I", b, off + end, zlib.adler32(bytes(b[off + start:off + end])))
if len(sys.argv) > 6: # the copy of the volume section; nobody looks at its sum
    while b[off:off + 16].rstrip(b"\0") != sys.argv[6].encode():
        off = struct.unpack_from("<Q", b, off + 16)[0]
    struct.pack_into(fmt, b, off + at, value)
open(out, "wb").write(b)
PY
}
put x.E01 volume '<Q' 92 9000000000000000000
refuses x.E01 "9000000000000000000 sectors of 512 bytes, expected 1 to"
put x.E01 volume '<I' 88 513
refuses x.E01 "sectors of 513 bytes, expected a power of two"
put x.E01 volume '<I' 84 4000000000
refuses x.E01 "chunks of 4000000000 sectors of 512 bytes"
put x.E01 volume '<Q' 92 1000000
refuses x.E01 "is of a disk of 4096 sectors of 512 bytes, and the first segment of one of 512000000"
put x.E01 volume '<Q' 92 1000000 data
refuses x.E01 "64 chunks of 32768 bytes, expected 15625: the image was not finished"
put x.E01 volume '<Q' 16 13
refuses x.E01 "ends at 13, expected"
put x.E01 volume '<Q' 24 5000
refuses x.E01 "has 5000 bytes, but the next one is 1128 further on"
put x.E01 table '<I' 76 4000000000
same_disk x.E01 disk.raw

for other in 'LVF\x09\r\n\xff\0:logical evidence (L01)' 'LEF2\r\n\x81\0:logical evidence (Lx01)' \
	'ADSEGMENTEDFILE\0:AccessData logical image (AD1)' 'ADCRYPT\0:encrypted by FTK Imager'; do
	{ printf '%b' "${other%%:*}"; head -c 4096 /dev/zero; } >other
	refuses other "${other#*:}"
done
# What ends before that is said is none of them.
printf ADSEGMENTEDFILE >other
expect 0 "$PLATTER" info --json other
same "format" "$(json out 'j["image"]["format"]')" raw

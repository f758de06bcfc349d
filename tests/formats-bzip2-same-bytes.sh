#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bzip2: what is served is what was packed, by bzip2 with blocks of each size, by pbzip2 with many
# streams, and with what bzip2 ignores behind the end; zeros, of which one block holds 45 MB.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires bzip2
bzip2 -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 4000001
bzip2 -1 -c raw >1.bz2
bzip2 -9 -c raw >9.bz2
{ cat 9.bz2; echo "no stream"; } >behind.bz2
images=(1.bz2 9.bz2 behind.bz2)
if command -v pbzip2 >/dev/null; then
	pbzip2 -b2 -p2 -c raw >streams.bz2
	images+=(streams.bz2)
fi
for image in "${images[@]}"; do
	same_disk "$image" raw
	same_backwards "$image" raw
done
truncate -s 60M zeros
printf end | dd of=zeros bs=1 seek=50000000 conv=notrunc status=none
bzip2 -c zeros >zeros.bz2
same_disk zeros.bz2 zeros

# Nothing that repeats: every block is full, and its end is read long after its beginning.
head -c 3145728 /dev/urandom >random
for level in 1 2 5 9; do
	bzip2 -$level -c random >random.bz2
	expect 0 "$PLATTER" cat -p 0 random.bz2
	same_bytes out random
	same_disk random.bz2 random
done
for size in 1 899981 900000 1048577 2000003; do
	head -c $size random >part
	bzip2 -c part >part.bz2
	expect 0 "$PLATTER" cat -p 0 part.bz2
	same_bytes out part
done

# The magics behind the end of a stream begin nothing.
head -c 500000 raw >magic.raw
{ bzip2 -c magic.raw; printf '1AY&SY1AY&SY1AY&SY'; } >magic.bz2
same_disk magic.bz2 magic.raw

python3 - <<'PY'
# The magics of a block and of an end stand inside a block, where no scan can tell them from others:
# each is cut there in vain. A block's codes may be any, so the code here gives each symbol 4 bits,
# and the symbols are those that the magics' bits happen to be.
A = 16 # symbols: RUNA, RUNB, places 1 to 13 of 14 bytes, and the end
magics = "314159265359", "177245385090"
noise = [2 + i * 7 % 13 for i in range(2000)]
out = 0, 0
def put(v, n):
    global out
    out = out[0] << n | v, out[1] + n
def symbols(hexes): return [int(c, 16) for c in hexes]
symbol = noise[:700] + symbols(magics[0]) + noise[700:1500] + symbols(magics[1]) + noise + [A - 1]
# What these unpack to: places to bytes, the Burrows-Wheeler transform, runs of four and a count.
front, last, run, n = list(b"abcdefghijklmn"), [], 0, 1
for s in symbol:
    if s < 2:
        run, n = run + (n << s), n * 2
        continue
    last += [front[0]] * run
    run, n = 0, 1
    if s < A - 1:
        front.insert(0, front.pop(s - 1))
        last.append(front[0])
order = sorted(range(len(last)), key=lambda i: last[i])
at, text = order[0], []
for _ in last:
    text.append(last[at])
    at = order[at]
raw, same = bytearray(), 0
for b in text:
    if same == 4:
        raw += raw[-1:] * b
        same = 0
    else:
        same = same + 1 if same and b == raw[-1] else 1
        raw.append(b)
crc = 0xffffffff
for b in raw:
    crc ^= b << 24
    for _ in range(8):
        crc = (crc << 1 ^ (0x04c11db7 if crc >> 31 else 0)) & 0xffffffff
crc ^= 0xffffffff
for c in b"BZh9":
    put(c, 8)
put(0x314159265359, 48)
put(crc, 32)
put(0, 1 + 24)               # not randomised; where the text begins
put(1 << 9, 16)              # of the bytes 0x60 to 0x6f ...
put(0x7ffe, 16)              # ... a to n
put(2, 3)                    # tables, of which all
put((len(symbol) + 49) // 50, 15) # groups of 50 symbols
for _ in range(0, len(symbol), 50):
    put(0, 1)                # use the first
for _ in range(2):
    put(4, 5)
    put(0, A)                # and no symbol's length differs
for s in symbol:
    put(s, 4)
put(0x177245385090, 48)
put(crc, 32)
put(0, -out[1] % 8)
open("accident.bz2", "wb").write(out[0].to_bytes(out[1] // 8, "big"))
PY
bzip2 -dc accident.bz2 >accident || fail "a block was made that bzip2 does not take"
same_disk accident.bz2 accident

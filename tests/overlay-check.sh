#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check finds what is wrong with an overlay's file and says what is lost; --repair mends what can be
# mended without losing anything, and nothing else.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires python3

truncate -s 300M disk.img
attach disk.img mnt --overlay=good
for at in 5000 40M 150M 290M; do
	poke mnt/disk $at "some data" || fail "writing"
done
detach mnt
attach disk.img mnt --overlay=good
poke mnt/disk 41M "later data" || fail "writing" # page 0 has two slots now
expect 32 "$PLATTER" check good
grep -q 'is attached' err || fail "in use"
detach mnt
expect 0 "$PLATTER" check good
same "sound" "$(cat out)" "good: sound, 5 blocks held"
sum=$(sha256 good)
expect 0 "$PLATTER" check --repair good
same "a sound one" "$(sha256 good)" "$sum"

map_a=$((0x20000)) map_b=$((0x30000)) data=$((1 << 20))

# damage NAME: a copy to be damaged.
damage() {
	cp --sparse=always good "$1"
}

finds() { # FILE STATUS PATTERN: check says so
	expect "$2" "$PLATTER" check "$1"
	grep -q "$3" out || fail "$1: does not say '$3': $(cat out)"
}

damage header
poke header 200 X
finds header 32 'header 0 is damaged; header 1 holds, nothing is lost'
expect 0 "$PLATTER" check --repair header
expect 0 "$PLATTER" check header
poke header $((0x10000 + 200)) X # the repaired one holds alone
finds header 32 'header 1 is damaged'
attach -o ro disk.img mnt --overlay=header
same "with one header" "$(peek mnt/disk 41M 10)" "later data"
detach mnt
damage headers
poke headers 200 X
poke headers $((0x10000 + 200)) X
expect 32 "$PLATTER" check --repair headers
grep -q 'both headers are damaged' err || fail "both headers: $(cat err)"

# The newer slot of page 0: the older one holds, and lacks a block whose data stands there.
newer=$(python3 - good <<'END'
import struct, sys
f = open(sys.argv[1], "rb")
def seq(at):
    f.seek(at + 16)
    return struct.unpack("<Q", f.read(8))[0]
print(max(0x20000, 0x30000, key=seq))
END
)
damage slot
poke slot $((newer + 1000)) X
finds slot 32 'map page 0 .* is damaged, the other one holds; 4096 bytes of data stand there'
grep -q '1 blocks lost' err || fail "what is lost: $(cat err)"
sum=$(sha256 slot)
expect 32 "$PLATTER" check --repair slot
same "not touched" "$(sha256 slot)" "$sum"
# The older one: nothing is lost.
damage older
poke older $((map_a + map_b - newer + 1000)) X
expect 0 "$PLATTER" check --repair older
grep -q '1 problems repaired, 5 blocks held' out || fail "the older slot: $(cat out)"
expect 0 "$PLATTER" check older
# Page 2 has one slot only.
single=$((map_a + 2 * 4096))
[ "$(peek good $((single + 4)) 4 | tr -d '\0')" = PMAP ] || single=$((map_b + 2 * 4096))
damage page
poke page $((single + 50)) X
finds page 32 'map page 2 .* is damaged, no other holds; 4096 bytes of data'

# Bits that went back from 1 to 0, bits past the end of the disk: with the right checksum.
cat >patch.py <<'END'
import struct, sys
table = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
    table.append(n)
name, at, byte, value = sys.argv[1], *map(int, sys.argv[2:])
f = open(name, "r+b")
f.seek(at)
page = bytearray(f.read(4096))
page[byte] = value
crc = 0xffffffff
for b in page[4:]:
    crc = table[(crc ^ b) & 255] ^ crc >> 8
page[:4] = struct.pack("<I", crc ^ 0xffffffff)
f.seek(at)
f.write(page)
END
damage subset
python3 patch.py subset "$newer" 32 0
finds subset 32 '1 blocks are in its older slot and not in its newer one'
damage outside
python3 patch.py outside $single $((32 + 4000)) 1
finds outside 32 'map page 2: 1 blocks past the end of the disk'

# Cut: without blocks in what is missing it only wants its hole back.
damage cut
truncate -s -1M cut
finds cut 32 'it was cut, and 0 blocks are lost'
expect 32 "$PLATTER" attach -o ro disk.img mnt --overlay=cut
expect 0 "$PLATTER" check --repair cut
same "size" "$(stat -c %s cut)" "$(stat -c %s good)"
damage cut2
truncate -s 200M cut2
finds cut2 32 'it was cut, and 1 blocks are lost'
expect 32 "$PLATTER" check --repair cut2
same "size" "$(stat -c %s cut2)" $((200 << 20))

# Data of writes that were never acknowledged: room, given back.
damage junk
poke junk $((data + (100 << 20))) "junk"
poke junk $((data + (200 << 20))) "junk in a page without a slot"
finds junk 0 '8192 bytes of data that no flush took up'
before=$(stat -c %b junk)
expect 0 "$PLATTER" check --repair junk
[ "$(stat -c %b junk)" -lt "$before" ] || fail "the room was not given back"
expect 0 "$PLATTER" check junk
same "after all" "$(cat out)" "junk: sound, 5 blocks held"
attach -o ro disk.img mnt --overlay=junk
same "data" "$(peek mnt/disk 40M 9), $(peek mnt/disk 290M 9)" "some data, some data"
detach mnt

# Layers are looked at, too.
expect 0 "$PLATTER" snapshot good one
poke good.one $((newer + 1000)) X
finds good 32 'layer good.one: map page 0'
rm good.one
expect 32 "$PLATTER" check good
grep -q 'good.one' err || fail "a layer that is gone: $(cat err)"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Of an overlay's two header slots one is enough. Without a sound one, with features that are not
# known, with a layout that cannot be, or cut short, the overlay is refused with exit 32 and the
# reason, and is left as it is.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

truncate -s 16M disk.img
attach disk.img mnt --overlay=good
poke mnt/disk 5M kept || fail "writing"
detach mnt

# edit FILE CODE: s is the list of the two slots as byte arrays; put(OFFSET, FORMAT, VALUE...) sets
# a field in both; their checksums are made good before they are written unless CODE sets seal = 0.
edit() {
	python3 - "$@" <<'END' || fail "editing the header"
import struct, sys
table = list(range(256))
for _ in range(8):
    table = [crc >> 1 ^ (0x82f63b78 if crc & 1 else 0) for crc in table]
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xffffffff
f = open(sys.argv[1], "r+b")
s, seal = [], 1
for at in 0, 0x10000:
    f.seek(at)
    s.append(bytearray(f.read(4096)))
    assert struct.unpack_from("<I", s[-1], 8)[0] == crc32c(s[-1][12:]), "the format's checksum"
def put(off, fmt, *values):
    for slot in s:
        struct.pack_into(fmt, slot, off, *values)
def newer():
    return int(struct.unpack_from("<Q", s[1], 0x20) > struct.unpack_from("<Q", s[0], 0x20))
exec(sys.argv[2])
for at, slot in zip((0, 0x10000), s):
    if seal:
        struct.pack_into("<I", slot, 8, crc32c(slot[12:]))
    f.seek(at)
    f.write(slot)
END
}
fresh() { cp --sparse=always good changes; }
opens() { # WHAT CODE
	fresh
	edit changes "$2"
	attach disk.img mnt --overlay=changes
	same "$1" "$(peek mnt/disk 5M 4)" kept
	detach mnt
	attach disk.img mnt --overlay=changes
	same "$1, again" "$(peek mnt/disk 5M 4)" kept
	detach mnt
}
refused() { # TEXT [CODE]: of changes as it is, or of a fresh one after CODE
	if [ $# = 2 ]; then
		fresh
		edit changes "$2"
	fi
	local sum
	sum=$(sha256 changes)
	for command in 'attach disk.img mnt --overlay=changes' 'info --overlay=changes disk.img' \
		'status changes'; do
		# shellcheck disable=SC2086
		expect 32 "$PLATTER" $command
		grep -q "^platter: .*changes: .*$1" err || fail "$command: the message does not say '$1'"
		same "lines on stderr" "$(wc -l <err)" 1
	done
	same "the overlay" "$(sha256 changes)" "$sum"
}

opens "slot 0 damaged" 'seal = 0; s[0][0x50] ^= 1'
opens "slot 1 damaged" 'seal = 0; s[1][0x50] ^= 1'
opens "slot 0 is zeros" 'seal = 0; s[0][:] = bytes(4096)'
opens "slot 1 is junk" 'seal = 0; s[1][:] = b"junk" * 1024'
opens "the newer one is torn" 'seal = 0; n = newer(); s[n][512:] = s[1 - n][512:]; s[n][3000] ^= 9'

refused 'both headers are damaged' 'seal = 0; s[0][0x50] ^= 1; s[1][0xfff] ^= 128'
refused 'not a platter overlay' 'seal = 0; s[0][:] = s[1][:] = bytes(4096)'
refused 'fast commit' 'put(0x14, "<I", 1)'
refused '0x20' 'put(0x14, "<I", 0x20)'
refused '0x80000000' 'put(0x14, "<I", 0x80000000)'
refused 'version 2.*version 1' 'put(0x10, "<H", 2)'
refused '2^16.*2^12' 'put(0x40, "<B", 16)'
refused 'layout' 'put(0x70, "<Q", 0x200000)'
refused 'layout' 'put(0x48, "<Q", 1 << 40)'
refused 'a disk of 0 bytes' 'put(0x38, "<Q", 0)'
refused 'a disk of 18446744073709551615 bytes' 'put(0x38, "<Q", 2**64 - 1)'
refused '1025 bytes, at most 1024' 'put(0x140, "<H", 1025)'

for size in -4096 1M 100 0; do
	fresh
	truncate -s $size changes
	case $size in
	0) refused 'not a platter overlay' ;;
	100) refused 'both headers are damaged' ;;
	*) refused 'it was cut' ;;
	esac
done

# A compatible feature is no reason; one that only writing would break allows looking.
opens "an unknown compatible feature" 'put(0x1c, "<I", 0x40)'
# What is no regular file is refused, not waited for.
rm changes
mkfifo changes
expect 32 timeout 5 "$PLATTER" attach disk.img mnt --overlay=changes

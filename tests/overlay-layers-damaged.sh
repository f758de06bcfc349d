#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A layer that is missing, another one, changed since it was frozen, or no file, and headers that
# name a layer that cannot be: attach, info, flatten and commit refuse in one line that says what is
# wrong, soon, and change nothing.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse

truncate -s 128K disk.img
mkdir good
for i in 1 2 3; do
	change good/changes disk.img "put($i << 14, b'layer $i')"
	[ $i = 3 ] || expect 0 "$PLATTER" snapshot good/changes s$i
done
change good/other disk.img 'put(0, b"other")'
expect 0 "$PLATTER" snapshot good/other s1
look good/changes disk.img wanted
cp disk.img good

# edit FILE CODE: h is the header that holds, a byte array; get(OFFSET, FORMAT) and put(OFFSET,
# FORMAT, VALUE) look at its fields and set them; its checksum is made good. fresh: write it as the
# next header does, with a number that is one higher, into the other slot.
edit() {
	python3 - "$@" <<'PY' || fail "editing $1"
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
slots = []
for at in 0, 0x10000:
    f.seek(at)
    slots.append((bytearray(f.read(4096)), at))
slots.sort(key=lambda s: struct.unpack_from("<Q", s[0], 0x20))
(other, elsewhere), (h, at) = slots
def get(off, fmt):
    return struct.unpack_from(fmt, h, off)[0]
def put(off, fmt, value):
    struct.pack_into(fmt, h, off, value)
fresh = False
exec(sys.argv[2])
if fresh:
    put(0x20, "<Q", get(0x20, "<Q") + 1)
    at = elsewhere
put(8, "<I", crc32c(h[12:]))
f.seek(at)
f.write(h)
PY
}
begin() {
	rm -rf dir
	cp -a good dir
}
# broken TEXT: every command on what is in dir says so.
broken() {
	local text=$1
	(cd dir && find . -type f -exec sha256sum {} + | sort -k 2 && ls -l) >before
	refused "$text" attach -q dir/disk.img mnt --overlay=dir/changes
	refused "$text" info --overlay=dir/changes dir/disk.img
	refused "$text" flatten dir/changes
	refused "$text" commit --yes dir/changes
	[ "${2:-}" = top ] || {
		expect 0 timeout 2 "$PLATTER" status --json dir/changes
		same "fits" "$(json out 'j["fits"]')" False
		grep -q "$text" out || fail "status does not say '$text': $(cat out)"
	}
	(cd dir && find . -type f -exec sha256sum {} + | sort -k 2 && ls -l) | cmp -s before - ||
		fail "$text: something was changed"
}

begin
shows "undamaged" dir/changes dir/disk.img wanted

rm dir/changes.s1
broken "layer changes.s1: No such file"
expect 32 "$PLATTER" rollback --yes dir/changes s2
begin
rm dir/changes.s2
broken "layer changes.s2: No such file"

begin
cp dir/other.s1 dir/changes.s2
broken "layer changes.s2: is another overlay than the one that was frozen"
begin
edit dir/changes.s2 'put(0x41, "<B", 1); fresh = True'
broken "layer changes.s2: was changed after it was frozen: header"
begin
edit dir/changes.s1 'fresh = True'
broken "layer changes.s1: was changed after it was frozen: header"
begin
truncate -s 100K dir/changes.s1
broken "layer changes.s1: .*it was cut"
begin
: >dir/changes.s1
broken "layer changes.s1: is not a platter overlay"

# No regular file, wherever it leads to.
for kind in symlink fifo directory device; do
	begin
	mv dir/changes.s2 dir/elsewhere
	case $kind in
	symlink) ln -s elsewhere dir/changes.s2 ;;
	fifo) mkfifo dir/changes.s2 ;;
	directory) mkdir dir/changes.s2 ;;
	device) ln -s /dev/zero dir/changes.s2 ;;
	esac
	broken "layer changes.s2: is not a regular file"
done

# Names and numbers that a header cannot have.
name() { # NAME: a Python expression
	echo "name = $1; h[0x584:0x684] = name + bytes(256 - len(name))"
}
for bad in 'b"sub/changes.s2"' 'b"../dir/changes.s2"' 'b"/etc/passwd"'; do
	begin
	edit dir/changes "$(name "$bad")"
	broken "not a plain name" top
done
for bad in 'b".."' 'b"."'; do
	begin
	edit dir/changes "$(name "$bad")"
	broken "not a plain name" top
done
begin
edit dir/changes "$(name 'b"n" * 256')"
broken "name of its parent layer has no end" top
begin
edit dir/changes "$(name 'b""')"
broken "2 layers below it, the lower one is named ''" top
begin
edit dir/changes 'put(0x580, "<I", 0)'
broken "0 layers below it" top
begin
edit dir/changes 'put(0x580, "<I", 17)'
broken "17 layers below it, at most 16" top
begin
edit dir/changes 'put(0x14, "<I", get(0x14, "<I") & ~2)'
broken "2 layers below it" top
begin
edit dir/changes 'put(0x580, "<I", 3)'
broken "layer changes.s2: stands on 1 layers, expected 2"
begin
edit dir/changes $'name = b"one\\nline"; h[0x584:0x684] = name + bytes(256 - len(name))'
broken "layer one.*line: No such file"

# A layer that stands on itself, and two that stand on each other: depths go down.
begin
edit dir/changes.s1 'put(0x14, "<I", get(0x14, "<I") | 2); put(0x580, "<I", 1); h[0x550:0x560] = h[0x28:0x38]
put(0x548, "<Q", get(0x20, "<Q")); name = b"changes.s1"; h[0x584:0x584 + len(name)] = name'
edit dir/changes.s2 'put(0x580, "<I", 2)'
edit dir/changes 'put(0x580, "<I", 3)'
broken "layer changes.s1: stands on 1 layers, expected 0"
begin
uuid=$(od -An -tx1 -j 40 -N 16 dir/changes.s2 | tr -d ' \n')
edit dir/changes.s1 "put(0x14, '<I', get(0x14, '<I') | 2); put(0x580, '<I', 16)
h[0x550:0x560] = bytes.fromhex('$uuid'); put(0x548, '<Q', 4); name = b'changes.s2'
h[0x584:0x584 + len(name)] = name"
edit dir/changes.s2 'put(0x580, "<I", 16)'
edit dir/changes 'put(0x580, "<I", 16)'
broken "stands on 16 layers, expected 15"

# A disk of another size under the top.
begin
edit dir/changes 'h[0x90 + 0x70] ^= 1'
broken "layer changes.s2: was made for another image"

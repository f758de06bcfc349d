#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# status says what an overlay holds: of which image and whether it still fits, how much, when it was
# made and opened, whether it is in use or was closed cleanly; as JSON and for people, by its file
# or by the directory where it is mounted.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

head -c 1M /dev/urandom >disk.img
truncate -s 300M disk.img
from=$(date +%s)
attach disk.img mnt --overlay=changes
expect 0 "$PLATTER" status --json changes
same "the keys" "$(json out '" ".join(j)')" "overlay image fits misfit virtual_size block_size \
blocks bytes_on_disk created opened clean closed in_use pid frozen committing layers others"
same "values" "$(json out '{k: j[k] for k in
	("image", "fits", "misfit", "virtual_size", "block_size", "blocks", "clean", "closed", "in_use")}')" \
	"{'image': '$tmp/disk.img', 'fits': True, 'misfit': None, 'virtual_size': 314572800, \
'block_size': 4096, 'blocks': 0, 'clean': False, 'closed': None, 'in_use': True}"
same "times" "$(json out "$from <= j['created'] <= j['opened'] <= $from + 30")" True

# Blocks on disk, of several pages of the map.
head -c 8192 /dev/zero | tr '\0' x >two
poke mnt/disk 5M <two || fail "writing"
poke mnt/disk 200M <two || fail "writing"
poke mnt/disk $((300 * 1048576 - 1)) y || fail "writing"
cp out before
expect 0 "$PLATTER" status --json mnt
same "by directory" "$(json out 'j["blocks"], j["in_use"]')" "(5, True)"
detach mnt
grep -q "changes: 5 blocks of 4096 bytes" out || fail "what umount says"
expect 0 "$PLATTER" status --json changes
same "closed" "$(json out 'j["blocks"], j["clean"], j["in_use"], j["pid"]')" "(5, True, False, None)"
same "closed when" "$(json out "$from <= j['opened'] <= j['closed'] <= $from + 60")" True
same "created when" "$(json out 'j["created"]')" "$(json before 'j["created"]')"
same "room" "$(json out 'j["bytes_on_disk"]')" "$(($(stat -c '%b * %B' changes)))"

expect 0 "$PLATTER" status changes
for line in "overlay .*changes$" "image .*$tmp/disk.img$" "fits .*yes$" "holds .*5 blocks of 4096" \
	"in use .*no$" "closed cleanly .*20"; do
	grep -q "^$line" out || fail "no line '$line': $(cat out)"
done

poke disk.img 5 different || fail "changing the image"
expect 0 "$PLATTER" status --json changes
same "over a changed image" "$(json out 'j["fits"], "contents" in j["misfit"]')" "(False, True)"
rm disk.img
expect 0 "$PLATTER" status --json changes
same "without its image" "$(json out 'j["fits"], "beside" in j["misfit"]')" "(False, True)"

echo none >text
expect 32 "$PLATTER" status text
grep -q '^platter: text: is not a platter overlay' err || fail "the message"
expect 32 "$PLATTER" status nowhere
expect 1 "$PLATTER" status

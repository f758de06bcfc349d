#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# commit writes what an overlay holds into its raw image: the image then has what the overlay
# showed, holes are holes, and the overlay and its layers are gone. With --undo an overlay is left
# that shows the image as it was, and committing that gives the old image back bit for bit.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse

truncate -s 6000128 disk.img
head -c 4M /dev/urandom | poke disk.img 1M
cp --sparse=always disk.img old
changes() {
	change changes disk.img 'put(10, random(100)); put(3 << 20, random(300000)); zero(2 << 20, 1 << 19)'
	expect 0 "$PLATTER" snapshot changes s1
	change changes disk.img 'put((3 << 20) + 5000, b"x" * 5000); zero(4 << 20, 1 << 19); put(6000000, random(128))'
	look changes disk.img wanted
}
changes

# Consent: without a terminal that is --yes.
expect 1 "$PLATTER" commit changes
grep -q 'disk.img is changed for ever.*changes with its snapshots is removed.*--yes' err ||
	fail "the question: $(cat err)"
same_bytes disk.img old
shows "without consent" changes disk.img wanted

before=$(stat -c %b disk.img)
inode=$(stat -c %i disk.img)
expect 0 "$PLATTER" commit --yes --undo=back changes
same "what commit prints" "$(cat out err)" ""
same_bytes disk.img wanted
same "left" "$(echo changes* back)" 'changes* back'
same "the image's inode" "$(stat -c %i disk.img)" "$inode"
[ "$(stat -c %b disk.img)" -lt $((before - 1900)) ] ||
	fail "no holes: $before blocks of 512 before, $(stat -c %b disk.img) after"

shows "the undo" back disk.img old
expect 0 "$PLATTER" status --json back
same "status of the undo" "$(json out 'j["fits"], j["layers"], j["committing"]')" "(True, [], False)"
same "its mode" "$(stat -c %a back)" 600
# It holds where the image was changed, and nothing else.
[ "$(json out 'j["blocks"]')" -le 340 ] || fail "the undo holds $(json out 'j["blocks"]') blocks"
expect 0 "$PLATTER" commit --yes --undo=again back
same_bytes disk.img old
same "left" "$(echo back* again)" 'back* again'
shows "the undo of the undo" again disk.img wanted
expect 0 "$PLATTER" commit --yes again
same_bytes disk.img wanted

# By the name of the image, where that is not beside the overlay.
cp --sparse=always old disk.img
mkdir away
change away/changes disk.img 'put(0, b"from afar")'
look away/changes disk.img wanted
refused "not beside it.*--base" commit --yes away/changes
expect 0 "$PLATTER" commit --yes --base=disk.img away/changes
same_bytes disk.img wanted

# An empty overlay, and one on its way through a link, which stays.
change changes disk.img 'pass'
expect 0 "$PLATTER" commit --yes changes
same_bytes disk.img wanted
change changes disk.img 'put(0, b"FROM afar")'
ln -s changes link
expect 0 "$PLATTER" commit --yes link
same "through a link" "$(peek disk.img 0 9)" "FROM afar"
[ ! -e changes ] && [ -L link ] || fail "the link, not the overlay, was removed"

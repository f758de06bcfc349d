#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Rock Ridge: names of any length, permissions, owners, times, symbolic and hard links are those of
# the source tree, from discs of both makers and all versions of RRIP that they write.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires xorriso genisoimage

long=$(printf 'n%.0s' $(seq 250))
part=$(printf 'p%.0s' $(seq 120))
src=$tmp/src
mkdir -p "$src/dir" "$src/locked"
echo plain >"$src/plain file: with ÄÖÜ, [odd] 'characters'; and dots..."
echo long >"$src/$long"
echo x >"$src/dir/.hidden"
echo linked >"$src/link 1"
ln "$src/link 1" "$src/dir/link 2"
: >"$src/empty"
ln -s "plain file" "$src/relative"
ln -s ../dir/./../dir/.hidden "$src/dir/dots"
ln -s / "$src/root"
ln -s /absolute/path "$src/absolute"
ln -s "$(printf 'q%.0s' $(seq 250))" "$src/one-long-part"
chmod 640 "$src/link 1"
chmod 755 "$src/empty"
chmod 500 "$src/locked"
touch -h -d '1999-12-31 23:59:58 UTC' "$src/relative" "$src/empty"
touch -d '2024-02-29 12:00:01 UTC' "$src/dir/.hidden" "$src/$long"
touch -d '1971-03-04 05:06:07 UTC' "$src/dir"

# What is compared of every file, directory and link.
facts() { (cd "$1" && find . -mindepth 1 -printf '%P|%y|%m|%Ts|%l\n' | LC_ALL=C sort); }

check()
{
	facts "$src" >"$tmp/facts"
	expect 0 "$PLATTER" cp -r "$1" src "$tmp/copy"
	facts "$tmp/copy" | diff "$tmp/facts" - || fail "$1: attributes differ"
	diff -r --no-dereference "$src" "$tmp/copy" || fail "$1: the files differ"
	rm -rf "$tmp/copy"
}

image()
{
	"$@" -graft-points src="$src" 2>"$tmp/log" || fail "$*: $(cat "$tmp/log")"
	check "$tmp/rr.iso"
	rm "$tmp/rr.iso"
}

image genisoimage -quiet -R -o "$tmp/rr.iso"
# In a continuation area genisoimage writes one SL entry, whose length has only a byte.
ln -s "/$part/$part/../$part/$part/end" "$src/many-parts"
image xorriso -as mkisofs -quiet -R -o "$tmp/rr.iso"
# Joliet beside it is not preferred; -hardlinks writes PX with a serial number.
image xorriso -as mkisofs -quiet -R -J -joliet-long --hardlinks -o "$tmp/rr.iso"
for compliance in old_rr new_rr; do
	xorriso -compliance $compliance -hardlinks on -outdev "$tmp/rr.iso" -map "$src" /src \
		-commit >"$tmp/log" 2>&1 || fail "xorriso $compliance: $(cat "$tmp/log")"
	check "$tmp/rr.iso"
	rm "$tmp/rr.iso"
done

xorriso -hardlinks on -outdev "$tmp/rr.iso" -map "$src" / -chown_r 1234 / -- -chgrp_r 567 / -- \
	-commit >"$tmp/log" 2>&1 || fail "xorriso: $(cat "$tmp/log")"
expect 0 "$PLATTER" ls -l "$tmp/rr.iso"
grep -q '^-rw-r----- *2 *1234 *567 *7 .* link 1$' "$tmp/out" || fail "link 1: $(cat "$tmp/out")"

# Hard links have one inode number, other files have others.
if [ "$(id -u)" = 0 ] && [ -c /dev/fuse ] && command -v fusermount3 >/dev/null; then
	mkdir "$tmp/mnt"
	expect 0 "$PLATTER" mount "$tmp/rr.iso" "$tmp/mnt"
	one=$(stat -c %i "$tmp/mnt/link 1") two=$(stat -c %i "$tmp/mnt/dir/link 2")
	all=$(cd "$tmp/mnt" && find . -printf '%i\n' | sort -u | wc -l)
	expect 0 "$PLATTER" umount "$tmp/mnt"
	[ "$one" = "$two" ] || fail "hard links have the numbers $one and $two"
	[ "$all" = "$(find "$src" -printf '%i\n' | sort -u | wc -l)" ] ||
		fail "$all different inode numbers"
fi
exit 0

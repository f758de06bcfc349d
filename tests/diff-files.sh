#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# diff --files tells what was added, removed and changed, and what of it: type, content, size, owner,
# mode, times, target of a link. Several filesystems have their numbers in front; one that cannot be
# browsed, or is on one side only, is named, and its ranges make the answer.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires xorriso sfdisk mkfs.ext4

# iso FILE SOURCE: padded to 4 MiB.
iso() {
	rm -f "$1"
	xorriso -hardlinks on -outdev "$1" -map "$2" / -chown_r 10 / -- -chgrp_r 20 / -- \
		-chown 11 "/owner" -- -commit >log 2>&1 || fail "xorriso: $(cat log)"
	truncate -s 4M "$1"
}

mkdir -p old/gone/deep old/same/deeper old/dir2file old/times
echo kept >old/same/deeper/file
seq 30000 >old/content # more than is read at a time
echo first >old/size
echo x >old/mode
echo x >old/gone/deep/file
echo x >old/dir2file/inside
echo x >old/file2dir
echo x >old/file2link
ln -s there old/link
ln -s there old/same/link
echo linked >old/same/hard
ln old/same/hard old/same/hard2
echo x >"old/name with  blanks"
echo x >old/owner
head -c 600000 /dev/zero >old/zeros
cp -a old new
rm -r new/gone new/dir2file new/file2dir new/file2link
echo x >new/dir2file
mkdir new/file2dir new/added new/empty
echo x >new/file2dir/inside
ln -s size new/file2link
sed -i s/29999/2999x/ new/content
echo second >new/size
chmod 600 new/mode
ln -sfn elsewhere new/link
echo y >new/added/file
echo x >"new/-first"
echo x >new/z
echo x | dd of=new/zeros bs=1 seek=599990 conv=notrunc status=none
find old new -depth -exec touch -h -d '2020-02-02 02:02:02 UTC' {} +
touch -d '2021-01-01 UTC' new/times
iso old.iso old
iso new.iso new
# The owner of one, and nothing else of it.
xorriso -dev new.iso -chown 12 /owner -- -commit >log 2>&1 || fail "xorriso: $(cat log)"
truncate -s 4M new.iso

cat >want <<'EOF'
A -first
A added
A added/file
A empty
A file2dir/inside
A z
D dir2file/inside
D gone
D gone/deep
D gone/deep/file
M content (content)
M dir2file (type, mode)
M file2dir (type, mode)
M file2link (type, mode)
M link (target)
M mode (mode)
M owner (owner)
M size (content, size)
M times (times)
M zeros (content)
EOF

cp old.iso disk.img
attach disk.img mnt --overlay=ov
dd if=new.iso of=mnt/disk bs=64K conv=notrunc status=none || fail "writing"
detach mnt
expect 1 "$PLATTER" diff --files ov
same "stderr" "$(cat err)" ""
LC_ALL=C sort out | diff want - || fail "what diff --files says"
expect 1 "$PLATTER" diff -p 0 --files ov
LC_ALL=C sort out | diff want - || fail "what diff -p 0 --files says"
expect 1 "$PLATTER" diff --files --json ov
same "keys" "$(json out '" ".join(sorted(j))')" "files image overlay skipped"
json out '"\n".join(sorted(f["change"][0].upper().replace("R", "D").replace("C", "M") + " " + f["path"] +
	(f["what"] and " (" + ", ".join(f["what"]) + ")" or "") for f in j["files"]))' >got
LC_ALL=C sort got | diff want - || fail "what diff --files --json says"
same "skipped" "$(json out 'j["skipped"]')" "[]"

# ---- one byte of one file, in place
rm ov disk.img
cp old.iso disk.img
at=$(grep -abo '^29999$' disk.img | head -n 1 | cut -d: -f1)
attach disk.img mnt --overlay=ov
poke mnt/disk "$at" X
detach mnt
expect 1 "$PLATTER" diff --files ov
same "one byte" "$(cat out err)" "M content (content)"
# A byte that is in no file.
rm ov
attach disk.img mnt --overlay=ov
poke mnt/disk 4194303 X
detach mnt
expect 0 "$PLATTER" diff --files ov
same "no file" "$(cat out err)" ""
expect 1 "$PLATTER" diff -q ov

# ---- names drive no terminal
if command -v script >/dev/null; then
	rm -rf ov disk.img odd
	mkdir odd
	: >odd/owner
	: >"odd/$(printf 'a\033[31mb')"
	iso odd.iso odd
	cp old.iso disk.img
	attach disk.img mnt --overlay=ov
	dd if=odd.iso of=mnt/disk bs=64K conv=notrunc status=none || fail "writing"
	detach mnt
	script -qec "'$PLATTER' diff --files ov" /dev/null </dev/null >out 2>&1
	grep -q 'A a?\[31mb' out || fail "the name on a terminal: $(od -c out | head)"
fi

# ---- several: ISO 9660 in 1 and 3, ext4 in 2, and 4 that becomes one
rm -f ov disk.img
truncate -s 32M disk.img
printf '2048,8192,83\n10240,16384,83\n26624,8192,83\n34816,8192,83\n' |
	sfdisk -q disk.img >/dev/null || fail "sfdisk"
dd if=old.iso of=disk.img bs=1M seek=1 conv=notrunc status=none
dd if=old.iso of=disk.img bs=1M seek=13 conv=notrunc status=none
mkfs.ext4 -q -F -E offset=$((5 << 20)) disk.img 8M >/dev/null 2>&1 || fail "mkfs.ext4"
attach disk.img mnt --overlay=ov
dd if=new.iso of=mnt/parts/3 bs=64K conv=notrunc status=none || fail "writing"
poke mnt/parts/1 $((at + 1)) X
detach mnt
expect 1 "$PLATTER" diff --files ov
{
	echo "M 1/content (content)"
	sed 's|^\(..\)|\13/|' want
} | LC_ALL=C sort >want3
LC_ALL=C sort out | diff want3 - || fail "two filesystems"
same "stderr" "$(cat err)" ""
expect 1 "$PLATTER" diff --files -p 3 ov
LC_ALL=C sort out | diff want - || fail "one of several"
expect 0 "$PLATTER" diff --files -p 2 ov
expect 2 "$PLATTER" diff --files -p 7 ov

rm ov
attach disk.img mnt --overlay=ov
poke mnt/parts/2 1024000 X
dd if=new.iso of=mnt/parts/4 bs=64K conv=notrunc status=none || fail "writing"
detach mnt
expect 1 "$PLATTER" diff --files ov
same "stdout" "$(cat out)" ""
same "stderr" "$(cat err)" "platter: partition 2: ext4 cannot be browsed: its files are not compared
platter: partition 4: iso9660 is there only with the overlay: its files are not compared"
expect 1 "$PLATTER" diff --files --json ov
same "JSON" "$(json out 'j["files"], j["skipped"]')" \
	"([], [{'partition': 2, 'type': 'ext4'}, {'partition': 4, 'type': 'iso9660'}])"
expect 0 "$PLATTER" diff --files -p 1 ov
exit 0

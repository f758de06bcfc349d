#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# diff --tar writes a layer: laid over the old tree, what its whiteouts name removed first, it gives
# the new one, with GNU tar and with bsdtar. It holds the directories on the way, each hard-linked
# file once, and nothing that did not change; it appears whole or not at all.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires xorriso tar bsdtar sfdisk
! grep -q 'undef HAVE_LIBARCHIVE' "$builddir/config.h" 2>/dev/null || skip "needs libarchive in platter"

# iso FILE SOURCE: padded to 4 MiB.
iso() {
	rm -f "$1"
	xorriso -hardlinks on -outdev "$1" -map "$2" / -commit >log 2>&1 || fail "xorriso: $(cat log)"
	truncate -s 4M "$1"
}

facts() { (cd "$1" && find . -printf '%P|%y|%m|%U|%G|%T@|%l|%n\n' | LC_ALL=C sort); }

# lay TAR DIR COMMAND...: the layer over DIR, unpacked by COMMAND.
lay() {
	local tar=$1 dir=$2 name

	shift 2
	tar -tf "$tar" --quoting-style=literal | grep -E '(^|/)\.wh\.[^/]*$' | while IFS= read -r name; do
		rm -r "${dir:?}/${name%.wh.*}${name##*.wh.}" || fail "whiteout $name of nothing"
	done
	LC_ALL=C.UTF-8 "$@" -C "$dir" -xpf "$tar" --exclude '.wh.*' 2>err || fail "$*: cannot unpack"
}

mkdir -p old/gone/deep old/same/deeper/deepest old/dir2file old/dir2link old/both
seq 100000 >old/same/unchanged
echo kept >old/same/deeper/deepest/file
echo x >old/gone/deep/file
echo x >old/dir2file/inside
echo x >old/dir2link/inside
echo x >old/file2dir
echo x >old/file2link
ln -s there old/link2file
ln -s there old/link
echo linked >old/both/a
ln old/both/a old/both/b
echo x >old/mode
echo x >"old/both/+first"
echo x >"old/Ärger: [a] 'b' \\c"
cp -a old new
rm -r new/gone new/dir2file new/dir2link new/file2dir new/file2link new/link2file "new/both/+first"
echo x >new/dir2file
ln -s mode new/dir2link
mkdir -p new/file2dir/in new/added/below
echo x >new/file2dir/in/side
ln -s mode new/file2link
echo x >new/link2file
ln -sfn "$(printf 'q%.0s' $(seq 200))/elsewhere" new/link
echo "linked, and changed" >new/both/a
seq 200000 >new/added/below/numbers
ln new/added/below/numbers new/added/again
mkfifo new/added/fifo
echo y >"new/Ärger: [a] 'b' \\c"
echo x >"new/$(printf 'n%.0s' $(seq 200))"
echo new >new/same/deeper/deepest/other
chmod 600 new/mode
chmod 710 new/same/deeper
find old new -depth -exec touch -h -d '2020-02-02 02:02:02 UTC' {} +
touch -d '2021-01-01 UTC' new/both new/same/deeper/deepest/file
iso old.iso old
iso new.iso new

# Zeroed at the end: what is in no file.
cp old.iso disk.img
attach disk.img mnt --overlay=ov
dd if=new.iso of=mnt/disk bs=64K conv=notrunc status=none || fail "writing"
detach mnt
expect 1 "$PLATTER" diff --tar layer.tar ov
same "output" "$(cat out err)" ""
tar -tf layer.tar --quoting-style=literal | LC_ALL=C sort >names
LC_ALL=C sort >want <<EOF
./
.wh.dir2file
.wh.dir2link
.wh.file2dir
.wh.file2link
.wh.gone
.wh.link2file
added/
added/again
added/below/
added/below/numbers
added/fifo
both/
both/.wh.+first
both/a
both/b
dir2file
dir2link
file2dir/
file2dir/in/
file2dir/in/side
file2link
link
link2file
mode
$(printf 'n%.0s' $(seq 200))
same/
same/deeper/
same/deeper/deepest/
same/deeper/deepest/file
same/deeper/deepest/other
Ärger: [a] 'b' \\c
EOF
diff want names || fail "what is in the layer"
# Of a directory the removals come first, and it comes before what is in it.
tar -tf layer.tar | awk '/^(.*\/)?\.wh\./ { dir = $0; sub(/\.wh\..*/, "", dir); if (dir in seen) exit 1; next }
	{ dir = $0; sub(/[^\/]*\/?$/, "", dir); if (!/\/$/) seen[dir] = 1
	  if (dir != "" && !(dir in made)) exit 1; made[$0] = 1 }' || fail "the order of the layer"
same "hard links" "$(tar -tvf layer.tar | grep -c '^h')" 2
[ "$(stat -c %s layer.tar)" -lt 4000000 ] || fail "the layer has $(stat -c %s layer.tar) bytes"
# In no locale do names or times suffer.
same "warnings" "$(LC_ALL=C.UTF-8 tar -tf layer.tar 2>&1 >/dev/null)" ""

if [ "$(id -u)" = 0 ]; then
	for unpack in tar bsdtar; do
		cp -a old old.$unpack
		lay layer.tar old.$unpack $unpack
		facts old.$unpack >got
		facts new >new.facts
		# bsdtar leaves directories that are there the times of the unpacking.
		[ $unpack = tar ] || sed -Ei '/\|d\|/s/[0-9]+\.[0-9]+//' got new.facts
		diff new.facts got || fail "$unpack: the old tree with the layer is not the new one"
		diff -r --no-dereference -x fifo new old.$unpack >diffs || fail "$unpack: $(cat diffs)"
		[ "$(stat -c %i old.$unpack/both/a)" = "$(stat -c %i old.$unpack/both/b)" ] ||
			fail "$unpack: hard links were parted"
	done
fi

# ---- to standard output the same; with a list of the files where that is asked for
"$PLATTER" diff --tar - ov >stdout.tar 2>err
same "status with -" $? 1
same_bytes stdout.tar layer.tar
expect 2 "$PLATTER" diff --tar - --files ov
expect 1 "$PLATTER" diff --tar second.tar --files ov
same_bytes second.tar layer.tar
grep -q '^D gone/deep/file$' out || fail "no list of files"

# ---- what is there stays, and nothing is left of what failed
expect 2 "$PLATTER" diff --tar layer.tar ov
grep -q '^platter: layer.tar: File exists' err || fail "the message"
same_bytes stdout.tar layer.tar
expect 2 "$PLATTER" diff --tar nowhere/layer.tar ov
ls -A >before
if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -qq -f -o /dev/null \
		-e inject=write:error=ENOSPC:when=60 "$PLATTER" diff --tar small.tar ov >out 2>err
	same "status without room" $? 2
	same "message" "$(cat err)" "platter: small.tar: No space left on device"
fi
ls -A | diff before - || fail "something was left"
expect 2 sh -c '"$1" diff --tar - ov >/dev/full' sh "$PLATTER"
same "message" "$(cat err)" "platter: standard output: No space left on device"

# ---- no change is an archive of nothing
cp old.iso equal.img
attach equal.img mnt --overlay=equal
peek old.iso 0 4096 | poke mnt/disk 0
detach mnt
expect 0 "$PLATTER" diff --tar equal.tar equal
same "names in it" "$(tar -tf equal.tar)" ""

# ---- a name that would be taken for a removal
rm -r ov disk.img
echo x >new/added/.wh.mode
iso new.iso new
cp old.iso disk.img
attach disk.img mnt --overlay=ov
dd if=new.iso of=mnt/disk bs=64K conv=notrunc status=none || fail "writing"
detach mnt
expect 2 "$PLATTER" diff --tar wh.tar ov
grep -q '^platter: added/.wh.mode: ' err || fail "the message"
[ ! -e wh.tar ] || fail "a bad archive was left"
rm new/added/.wh.mode

# ---- two filesystems: their numbers are directories
rm -r ov disk.img
iso new.iso new
truncate -s 16M disk.img
printf '2048,8192,83\n10240,8192,83\n' | sfdisk -q disk.img >/dev/null || fail "sfdisk"
dd if=old.iso of=disk.img bs=1M seek=1 conv=notrunc status=none
dd if=old.iso of=disk.img bs=1M seek=5 conv=notrunc status=none
attach disk.img mnt --overlay=ov
dd if=new.iso of=mnt/parts/2 bs=64K conv=notrunc status=none || fail "writing"
detach mnt
expect 1 "$PLATTER" diff --tar two.tar ov
tar -tf two.tar --quoting-style=literal | LC_ALL=C sort >names
sed 's|^\./$||; s|^|2/|' want | LC_ALL=C sort | diff - names || fail "of two filesystems"
exit 0

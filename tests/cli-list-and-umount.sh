#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# list shows every mount with image, directory, overlay and process, whatever the names are; umount
# takes a directory however it is written, an image (all its mounts), or --all.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_root # for --all in a place where there are no others
requires unshare xorriso
private_mounts

make_iso disc.iso
odd='a b,c\d"e'
cp disc.iso "$odd.iso"
truncate -s 1M disk.img
listed() { expect 0 "$PLATTER" list --json; json out "$1"; }
same "nothing" "$(listed j)" "[]"
expect 0 "$PLATTER" list
same "nothing, for people" "$(cat out err)" ""
expect 0 "$PLATTER" umount --all

mount_image "$odd.iso" "on $odd"
attach disk.img mnt --overlay=changes
same "two mounts" "$(listed '[(m["image"], m["dir"], m["state"], m["overlay"]) for m in j]')" \
	"$(python3 -c 'import sys
t, odd = sys.argv[1:]
print([(t + "/" + odd + ".iso", t + "/on " + odd, "mount", None),
    (t + "/disk.img", t + "/mnt", "attach", t + "/changes")])' "$tmp" "$odd")"
for key in pid supervisor; do
	for pid in $(listed "' '.join(str(m['$key']) for m in j)"); do
		kill -0 "$pid" || fail "$key $pid is no process"
	done
done
expect 0 "$PLATTER" list
same "lines" "$(wc -l <out)" 2
grep -qxF "$tmp/disk.img on $tmp/mnt (attach, overlay $tmp/changes, pid $(daemon_of mnt))" out ||
	fail "list says: $(cat out)"
grep -qF "$tmp/$odd.iso on $tmp/on $odd (mount, pid " out || fail "list says: $(cat out)"
same "source in /proc/mounts" "$(awk '$3 == "fuse.platter" { print $1 }' /proc/mounts | head -n 1)" \
	"$tmp/a\\040b,c\\134d\"e.iso"

# umount of what is none touches nothing.
expect 2 "$PLATTER" umount disc.iso
expect 2 "$PLATTER" umount "$tmp"
expect 2 "$PLATTER" umount /
expect 2 "$PLATTER" umount iso-source
same "mounts" "$(listed 'len(j)')" 2
detach "on $odd"
detach ./mnt/
same "mounts" "$(listed 'len(j)')" 0

# However the directory is written.
mkdir real
ln -s . here
for name in real real/ ./real "$tmp/real" here/real ../"${tmp##*/}"/real; do
	mount_image disc.iso "$name"
	same "files on $name" "$(cat real/hello.txt)" "hello, world"
	same "dir of $name" "$(listed 'j[0]["dir"]')" "$tmp/real"
	detach "$name"
	not mounted "$tmp/real" || fail "umount $name left it"
done
cd real || fail cd
mount_image ../disc.iso .
cd .. || fail cd
detach real

# An image: every mount of it, by any path to it.
for dir in one two three; do mount_image disc.iso $dir; done
attach disk.img other
ln -s disc.iso link.iso
detach link.iso
same "mounts" "$(listed '[m["dir"] for m in j]')" "['$tmp/other']"
mount_image disc.iso one
detach "$tmp/disc.iso"
detach other

# All, also one whose image is a node of another.
mount_image disc.iso one
attach disc.iso other/ --overlay=ram
mount_image other/disk under
same "through a node" "$(cat under/hello.txt)" "hello, world"
expect 0 "$PLATTER" umount --all
same "mounts" "$(listed 'len(j)')" 0
for dir in one two three other under mnt; do
	[ ! -e $dir ] || fail "$dir, that platter made, is left"
done
[ -d real ] || fail "real, that was there before, is gone"

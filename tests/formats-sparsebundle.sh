#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Apple's sparse bundles: bands that are there, not there, short and holed read as the disk, and holes
# are holes; more bands than are kept open, from several threads; --chain=no does not matter; what is
# encrypted, damaged or no bundle is refused; a band that is no regular file is EIO, and nothing but
# the bundle's own files is ever opened.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires python3

cat >make.py <<'END'
import os, plistlib, sys

def write(name, disk, band, **info):
    os.makedirs(name + "/bands")
    with open(name + "/Info.plist", "wb") as f:
        plistlib.dump({"CFBundleInfoDictionaryVersion": "6.0", "band-size": band,
                       "bundle-backingstore-version": 1, "size": len(disk),
                       "diskimage-bundle-type": "com.apple.diskimage.sparsebundle", **info}, f)
    open(name + "/token", "w").close()
    for n in range((len(disk) + band - 1) // band):
        data = disk[n * band:(n + 1) * band].rstrip(b"\0")
        if data:
            with open(f"{name}/bands/{n:x}", "wb") as f:
                # Holes inside of a band's file.
                for off in range(0, len(data), 4096):
                    piece = data[off:off + 4096]
                    f.seek(off)
                    if any(piece):
                        f.write(piece)
                f.truncate(len(data))

disk = open("disk", "rb").read()
write("large.sparsebundle", disk, 1 << 20)
write("small.sparsebundle", disk, 65536)
write("whole.sparsebundle", disk, 8 << 20)
write("version", b"x" * 512, 1 << 20, **{"bundle-backingstore-version": 2})
write("size", b"x" * 512, 1 << 20, size=513)
write("band", b"x" * 512, 65024)
write("band-odd", b"x" * 512, 65537)
write("type", b"x" * 512, 1 << 20, **{"diskimage-bundle-type": "com.apple.application"})
write("encrypted", b"x" * 512, 1 << 20)
write("broken", b"x" * 512, 1 << 20)
write("no-bands", b"x" * 512, 1 << 20)
write("link", b"x" * 512, 1 << 20)
write("odd", b"x" * 65536 * 6, 65536)
END
fill disk 7000576 5
python3 make.py || fail "make.py"
for image in large small whole; do
	same_disk $image.sparsebundle disk
done
[ "$(find small.sparsebundle/bands -type f | wc -l)" -gt 32 ] || fail "too few bands to be closed"
same_disk small.sparsebundle disk --chain=no

attach small.sparsebundle mnt
python3 - <<'END' || fail "many readers"
import os, random, threading
node, disk = os.open("mnt/disk", os.O_RDONLY), open("disk", "rb").read()
wrong = []
def use(seed):
    rng = random.Random(seed)
    for _ in range(300):
        off = rng.randrange(len(disk) - 200000)
        n = rng.randrange(1, 200000)
        if os.pread(node, n, off) != disk[off:off + n]:
            wrong.append(off)
threads = [threading.Thread(target=use, args=(i,)) for i in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert not wrong, wrong
END
pid=$(daemon_of mnt)
[ "$(find "/proc/$pid/fd" -lname '*/bands/*' | wc -l)" -le 32 ] || fail "too many bands are open"
detach mnt
# A gigabyte of nothing is a hole.
sed -i 's/7000576/1073741824/' small.sparsebundle/Info.plist
attach small.sparsebundle mnt
[ "$(stat -c %s mnt/disk)" = 1073741824 ] || fail "size of the disk"
python3 -c 'import os
fd = os.open("mnt/disk", os.O_RDONLY)
assert os.lseek(fd, 8 << 20, os.SEEK_HOLE) == 8 << 20
try:
    print(os.lseek(fd, 8 << 20, os.SEEK_DATA))
    raise SystemExit(1)
except OSError:
    pass' || fail "no hole"
detach mnt

refuses version "backing store version 2, at most 1"
refuses size "a disk of 513 bytes"
refuses band "bands of 65024 bytes, expected at least 65536"
refuses band-odd "bands of 65537 bytes"
refuses type "Info.plist is not that of a sparse bundle"
head -c 100 large.sparsebundle/Info.plist >broken/Info.plist
refuses broken "Info.plist: XML: "
truncate -s 65537 broken/Info.plist
refuses broken "Info.plist"
echo keys >encrypted/token
refuses encrypted "an encrypted sparse bundle (a token of 5 bytes): not supported"
rm no-bands/bands/0 && rmdir no-bands/bands
refuses no-bands 'folder "bands": No such file or directory'
ln -s ../large.sparsebundle/bands no-bands/bands
refuses no-bands 'folder "bands"'
mv link/Info.plist link/Info.real && ln -s Info.real link/Info.plist
refuses link "symbolic link"
mkdir empty
refuses empty "a directory, expected a regular file or a block device"
# Its Info.plist alone is a file like any other.
expect 0 "$PLATTER" info --json odd/Info.plist
same format "$(json out 'j["image"]["format"]')" raw

# Bands 1 to 4 are no files of the bundle.
echo secret >secret
rm odd/bands/[1-4]
ln -s ../../secret odd/bands/1
mkdir odd/bands/2
mkfifo odd/bands/3
ln -s /nowhere odd/bands/4
attach odd mnt
python3 - <<'END' || fail "bands that are no files"
import errno, os
fd = os.open("mnt/disk", os.O_RDONLY)
for n in range(6):
    try:
        data = os.pread(fd, 4096, n * 65536)
        assert n in (0, 5) and data == b"x" * 4096, n
    except OSError as e:
        assert n in (1, 2, 3, 4) and e.errno == errno.EIO, (n, e)
END
detach mnt

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Writable nodes behave like disks: O_TRUNC is accepted and changes nothing, so dd and cp can write
# to them; a size cannot be changed; what is written past the end is ENOSPC, and what reaches over
# it is written up to it; nothing can be made, removed or renamed.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk mkfs.ext4

make_ext4_disk disk.img
size=41943040
attach disk.img mnt --overlay=ram
same "mode of a node" "$(stat -c %a mnt/parts/1)" 644
same "mode of info.json" "$(stat -c %a mnt/.platter/info.json)" 444

peek mnt/parts/1 0 $size >want
: >mnt/parts/1
same "size after O_TRUNC" "$(stat -c %s mnt/parts/1)" $size
same_bytes want mnt/parts/1

seq 300000 | head -c 1500000 >data
for how in 'dd of=mnt/parts/1 bs=64K status=none' 'tee mnt/parts/1' 'cp /dev/stdin mnt/parts/1'; do
	printf %s "$how" >first
	expect 0 sh -c "cat first data | $how"
	cat first data | dd of=want conv=notrunc status=none
	same_bytes want mnt/parts/1
done
expect 0 dd if=data of=mnt/parts/1 bs=64K seek=100 conv=notrunc
dd if=data of=want bs=64K seek=100 conv=notrunc status=none
same_bytes want mnt/parts/1

# The end. dd says how much it could write.
expect 1 sh -c 'head -c 45M /dev/zero | dd of=mnt/parts/1 bs=1M iflag=fullblock'
grep -q 'No space left on device' err || fail "no ENOSPC at the end"
grep -q "^$size bytes" err || fail "not all was written before the end"

python3 - mnt <<'END' || fail "a refusal"
import errno, os, sys
d = sys.argv[1]
node, size, bad = d + "/parts/1", 41943040, 0
f = os.open(node, os.O_RDWR)

def refused(what, call, *errors):
    global bad
    try:
        r = call()
    except OSError as e:
        if e.errno in errors:
            return
        r = e
    print("%s: %s, expected %s" % (what, r, [errno.errorcode[e] for e in errors]), file=sys.stderr)
    bad = 1

def check(what, got, want):
    global bad
    if got != want:
        print("%s: %r, expected %r" % (what, got, want), file=sys.stderr)
        bad = 1

check("a write over the end", os.pwrite(f, b"x" * 100, size - 30), 30)
check("what it wrote", os.pread(f, 100, size - 30), b"x" * 30)
check("an odd write over the end", os.pwrite(f, b"y" * 300000, size - 200001), 200001)
check("what it wrote", os.pread(f, 300000, size - 200001), b"y" * 200001)
refused("a write at the end", lambda: os.pwrite(f, b"x", size), errno.ENOSPC)
refused("a write past the end", lambda: os.pwrite(f, b"x" * 5000, size + 123456), errno.ENOSPC)
a = os.open(node, os.O_WRONLY | os.O_APPEND)
refused("appending", lambda: os.write(a, b"x"), errno.ENOSPC)
check("the neighbour", os.pread(os.open(d + "/parts/2", os.O_RDONLY), 4, 0), bytes(4))

for n in 0, 1, size - 1, size + 1:
    refused("ftruncate to %d" % n, lambda: os.ftruncate(f, n), errno.EPERM)
    if n:
        refused("truncate to %d" % n, lambda: os.truncate(node, n), errno.EPERM)
os.ftruncate(f, size)
check("the size", os.fstat(f).st_size, size)
refused("posix_fallocate", lambda: os.posix_fallocate(f, size - 10, 20), errno.ENOSPC,
        errno.EOPNOTSUPP, errno.EPERM)

no = errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EROFS
refused("create", lambda: os.open(d + "/parts/new", os.O_WRONLY | os.O_CREAT, 0o600), *no)
refused("mkdir", lambda: os.mkdir(d + "/parts/dir"), *no)
refused("rmdir", lambda: os.rmdir(d + "/boot"), *no)
refused("unlink", lambda: os.unlink(node), *no)
refused("rename", lambda: os.rename(node, d + "/parts/5"), *no)
refused("link", lambda: os.link(node, d + "/parts/6"), *no)
refused("symlink", lambda: os.symlink("1", d + "/parts/7"), *no)
refused("mknod", lambda: os.mknod(d + "/parts/8"), *no)
refused("chmod", lambda: os.chmod(node, 0o666), *no)
refused("chown", lambda: os.chown(node, 1, 1), *no)
refused("writing info.json", lambda: os.open(d + "/.platter/info.json", os.O_WRONLY), *no)
os.utime(node)
check("the nodes", sorted(os.listdir(d + "/parts"))[:2], ["1", "2"])
sys.exit(bad)
END
detach mnt

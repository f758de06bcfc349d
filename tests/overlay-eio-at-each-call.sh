#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The Nth read, write, fallocate, fdatasync or fsync of platter fails with EIO, for each N from
# attaching to closing. Then either attach fails, with a reason; or the call that needed it fails
# and all goes on; or, when a flush failed, this is final: every write and fsync from then on is EIO
# and umount says that something may be lost. What was flushed stays, and the next attach works.
#
# EVERY=1 in the environment tries every N, else there is a sample.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires python3 gcc

gcc -shared -fPIC -O1 -o shim.so "$srcdir/tests/fault-shim.c" -ldl 2>err || fail "the shim"
export ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0
cat >eio.py <<'END'
import errno, os, random, sys
from overlay_oracle import *

every = int(sys.argv[1] or 0)
make_disk("disk.img")
there = set(os.listdir("."))


def eio(call, *args):
    """What kind of failure the call ends with, if any."""
    try:
        call(*args)
    except OSError as e:
        assert e.errno == errno.EIO, e
        return type(e)


def load(o, rng, call):
    """Whether a flush failed."""
    with open("mnt/disk", "r+b", buffering=0) as f:
        for n in range(30):
            if eio(o.step, f.fileno(), rng) is FsyncFailed:
                break
        else:
            assert call != "fdatasync" or not os.path.exists("met"), "nobody was told"
            return False
        for n in range(3):
            assert eio(os.fsync, f.fileno()), "an fsync after one that failed"
            assert eio(o.write, f.fileno(), SPOT[0], b"x"), "a write after a failed fsync"
        assert f.read(4096) == bytes(4096), "nothing is read any more"
        return True


def point(call, n):
    """None: there is no such call. Else what became of it."""
    o = Oracle("disk.img")
    env = {**os.environ, "LD_PRELOAD": os.path.abspath("shim.so"), "FAULT_CALL": call,
           "FAULT_WHEN": str(n), "FAULT_MET": os.path.abspath("met")}
    with open("said", "w") as said:
        server = subprocess.Popen([os.environ["PLATTER"], "attach", "-f", "disk.img", "mnt",
                                   "--overlay=changes"], env=env, stderr=said)
    wait_until(lambda: mounted("mnt") or server.poll() is not None)
    failed, ended = False, "went on"
    try:
        os.stat("mnt/disk")
        served = True
    except OSError:
        served = False
    if served:
        failed = load(o, random.Random(n), call)
        r = platter("umount", "mnt")
    server.wait(10)
    said = open("said").read()
    met = os.path.exists("met")
    if not served:
        assert met and server.returncode != 0 and said, (server.returncode, said)
        ended = "refused"
    elif failed:
        assert met and "may be lost" in said, said
        assert r.returncode == 2 and r.stderr.count("\n") == 1, r
        ended = "failed"
    elif r.returncode:  # the flush of the end
        assert met and said and r.returncode == 2, r
        ended, failed = "failed at the end", True
    else:
        assert "may be lost" not in said and server.returncode == 0, (said, server.returncode)
    assert set(os.listdir(".")) - {"changes", "met", "said"} == there, os.listdir(".")
    attach("mnt")
    o.check("mnt/disk", "attached again", failed)
    with open("mnt/disk", "r+b", buffering=0) as f:
        o.write(f.fileno(), SPOT[0], b"works")
    assert platter("umount", "mnt").returncode == 0
    attach("mnt", "-o", "ro")
    o.check("mnt/disk", "after a clean end", False)
    assert platter("umount", "mnt").returncode == 0
    os.unlink("changes")
    if met:
        os.unlink("met")
    o.close()
    return ended if met else None


for call in "pread", "pwrite", "fallocate", "fdatasync", "fsync":
    n, results = 1, {}
    while True:
        try:
            ended = point(call, n)
        except BaseException:
            print("%s number %d:" % (call, n), file=sys.stderr)
            raise
        if not ended:
            break
        results.setdefault(ended, []).append(n)
        n += 1 if every or n < 8 else 1 + n // 5
    print("%s up to %d:" % (call, n), ", ".join("%s: %d" % (e, len(r)) for e, r in results.items()))
    assert results, call
END
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$srcdir/tests python3 eio.py "${EVERY:-}" || fail "see above"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of attach at every system call that it makes, with a new overlay and with one that is
# there: the overlay is missing or good, what it held it holds, and attaching again to the same
# place works, whatever of a mount was left there.
#
# KILLS=1 in the environment kills at every call, else there is a sample.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires python3
export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 # of a traced program
kill_at=$builddir/tests/kill-at
[ -x "$kill_at" ] || skip "needs tests/kill-at, which make check builds"
sleep 60 &
disown
"$kill_at" $! 1 >/dev/null 2>&1 || { kill $! && skip "needs to trace processes"; }

cat >sweep.py <<'END'
import random, signal, sys
from overlay_oracle import *

kill_at, every = sys.argv[1:]
make_disk("disk.img")
ends = {}


def killed_attach(n):
    """False: it ended before its nth call."""
    run = subprocess.Popen(["sh", "-c", 'kill -STOP $$; exec "$PLATTER" attach disk.img mnt '
                            "--overlay=changes"], stdout=subprocess.DEVNULL)
    os.waitpid(run.pid, os.WUNTRACED)
    killer = subprocess.run([kill_at, str(run.pid), str(n)], stdout=subprocess.PIPE, text=True)
    run.wait()
    return "killed" in killer.stdout


def works(dir):
    try:
        return os.path.exists(dir + "/disk") and open(dir + "/disk", "rb").read(1) is not None
    except OSError:
        return False


def point(n, old):
    o, rng = Oracle("disk.img"), random.Random(n)
    if old:
        attach("mnt")
        with open("mnt/disk", "r+b", buffering=0) as f:
            for _ in range(8):
                o.step(f.fileno(), rng)
        assert platter("umount", "mnt").returncode == 0
    killed = killed_attach(n)
    if mounted("mnt") and not works("mnt"):
        end = "dead mount"
    elif mounted("mnt"):
        end = "mount"
        assert platter("umount", "mnt").returncode == 0
    else:
        end = "nothing" if not os.path.exists("mnt") else "directory"
    assert not old or os.path.exists("changes")
    if os.path.exists("changes"):
        r = platter("status", "changes")
        assert r.returncode == 0 and not r.stderr, r
    # What it was about to link into its place.
    files = set(os.listdir(".")) - {"disk.img", "sweep.py", "changes", "mnt"}
    assert len(files) <= (not old) and all(f.startswith("changes.") for f in files), files
    for f in files:
        os.unlink(f)
        end += " and a file"
    attach("mnt")
    o.check("mnt/disk", "attached again", False)
    with open("mnt/disk", "r+b", buffering=0) as f:
        for _ in range(8):
            o.step(f.fileno(), rng)
    assert platter("umount", "mnt").returncode == 0
    attach("mnt", "-o", "ro")
    o.check("mnt/disk", "after a clean end", False)
    assert platter("umount", "mnt").returncode == 0
    o.close()
    os.unlink("changes")
    if os.path.exists("mnt"):
        os.rmdir("mnt")
    ends[end] = ends.get(end, 0) + 1
    return killed


for old in False, True:
    n = 1 if every else random.randrange(1, 13)
    while True:
        try:
            killed = point(n, old)
        except BaseException:
            print("attach killed at call %d, %s overlay:" % (n, "old" if old else "new"),
                  file=sys.stderr)
            raise
        if not killed:
            break
        n += 1 if every else 13
    print("%s overlay: up to %d" % ("old" if old else "new", n))
print("left:", ", ".join("%s: %d" % e for e in ends.items()))
END
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$srcdir/tests python3 sweep.py "$kill_at" "${KILLS:-}" ||
	fail "see above"

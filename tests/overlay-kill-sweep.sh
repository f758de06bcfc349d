#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 at every system call of a load of writes, discards and fsyncs. Of the daemon: nothing that
# was acknowledged is lost, for the supervisor flushes. Of both at once, or of the supervisor at
# every call of that flush: nothing that an fsync covered is lost. The next attach, begun at once,
# works each time.
#
# KILLS=500 in the environment kills at each of the first 500 calls, else there is a sample.
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
import json, os, random, statistics, subprocess, sys, threading, time
from overlay_oracle import *

kill_at, kills = sys.argv[1:]
begun = time.monotonic()
make_disk("disk.img")
times, calls = [], {}


class Killer:
    """Kills pid, and other, at call n; a context."""
    def __init__(self, pid, n, other=None):
        self.run = subprocess.Popen([kill_at, str(pid), str(n)] + [str(other)] * bool(other),
                                    stdout=subprocess.PIPE, text=True)
        assert self.run.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.said = self.run.stdout.read().split()
        self.run.wait()
        self.killed = self.said[0] == "killed"
        if self.killed:
            calls[self.said[2]] = calls.get(self.said[2], 0) + 1


def load(o, dir, rng):
    try:
        with open(dir + "/disk", "r+b", buffering=0) as f:
            while True:
                o.step(f.fileno(), rng)
    except OSError:
        pass


def load_until_killed(oracles, n):
    """Each oracle has a client of its own."""
    clients = [threading.Thread(target=load, args=(o, "mnt", random.Random(n * 10 + i)))
               for i, o in enumerate(oracles)]
    for c in clients:
        c.start()
    for c in clients:
        c.join(20)
        assert not c.is_alive(), "a client hangs"


def look_again(oracles, what, only_durable):
    start = time.monotonic()
    attach("again")
    with open("again/disk", "rb") as f:
        f.read(4096)
    times.append(time.monotonic() - start)
    assert times[-1] < 5, "%s: %.1f s to attach again" % (what, times[-1])
    for o in oracles:
        o.check("again/disk", what, only_durable)
        o.close()
    # And it works: what comes now is kept by a clean end.
    fd = os.open("again/disk", os.O_RDWR)
    os.pwrite(fd, b"again" * 2000, SPOT[0] + 77)
    os.close(fd)
    r = platter("umount", "again")
    assert r.returncode == 0 and not r.stderr, r
    r = platter("status", "--json", "changes")
    assert json.loads(r.stdout)["clean"], r
    assert set(os.listdir(".")) - {"mnt"} == left, os.listdir(".")


def fresh(n):
    """One client for the whole disk, or three, whose writes and fsyncs meet."""
    if os.path.exists("changes"):
        os.unlink("changes")
    attach("mnt")
    parts = [AREAS] if n % 2 else [[area] for area in AREAS]
    return ([Oracle("disk.img", areas) for areas in parts],) + processes("mnt")


def all_ended(what, killed, *pids):
    wait_until(lambda: all(map(ended, pids)))
    if killed:
        clear_away("mnt")
    assert not mounted("mnt") and not os.path.exists("mnt"), what


def kill_daemon(n, both):
    what = "%s killed at call %d" % ("both" if both else "daemon", n)
    oracles, daemon, supervisor = fresh(n)
    with Killer(daemon, n, supervisor if both else None):
        load_until_killed(oracles, n)
    look_again(oracles, what, both)
    all_ended(what, both, daemon, supervisor)


def kill_supervisor(n):
    """At call n of what it does after its daemon was killed; False: it does not make that many."""
    what = "supervisor killed at call %d of its flush" % n
    oracles, daemon, supervisor = fresh(n)
    with Killer(supervisor, n) as killer:
        with Killer(daemon, random.Random(n).randrange(50, 500)):
            load_until_killed(oracles, n)
    look_again(oracles, what, killer.killed)
    all_ended(what, killer.killed, daemon, supervisor)
    return killer.killed


left = set(os.listdir(".")) | {"changes"}
end = int(kills or 300)
points = range(1, end + 1) if kills else sorted(random.Random().sample(range(1, end + 1), 25))
for n in points:
    kill_daemon(n, False)
    kill_daemon(n, True)
flush = 1
while kill_supervisor(flush):
    flush += 1 if kills else 2
print("%d points, the supervisor's up to %d, %.1f s; attached again after %.0f ms (median; %.0f at most)"
      % (len(times), flush, time.monotonic() - begun,
         statistics.median(times) * 1000, max(times) * 1000))
print("killed at calls:", *("%s:%d" % c for c in sorted(calls.items(), key=lambda c: -c[1])))
END
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$srcdir/tests python3 sweep.py "$kill_at" "${KILLS:-}" ||
	fail "see above"

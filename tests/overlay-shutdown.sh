#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# As at the system's shutdown: SIGTERM to daemon and supervisor at once, in either order, twice, or
# SIGHUP to their group as when a terminal ends, with writers at work and nodes open: all that was
# acknowledged is kept, and the overlay is closed. When SIGKILL to what is left follows before they
# are done, all that an fsync covered is kept.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires python3

cat >shutdown.py <<'END'
import os, random, signal, sys, threading, time
from overlay_oracle import *

TERM, HUP = signal.SIGTERM, signal.SIGHUP
make_disk("disk.img")


def work(o, rng):
    try:
        with open("mnt/disk", "r+b", buffering=0) as f:
            while True:
                o.step(f.fileno(), rng)
    except OSError:
        pass


def shut_down(what, orders, *more, patience=10):
    oracles = [Oracle("disk.img", [area]) for area in AREAS]
    server = subprocess.Popen([os.environ["PLATTER"], "attach", "disk.img", "mnt",
                               "--overlay=changes", *more], start_new_session=True)
    wait_until(lambda: mounted("mnt"))
    os.stat("mnt/disk")
    if not more:
        server.wait()
    daemon, supervisor = processes("mnt")
    threads = [threading.Thread(target=work, args=(o, random.Random())) for o in oracles]
    for t in threads:
        t.start()
    time.sleep(0.1)
    for whom, sig in orders:
        try:
            if whom == "group":
                os.killpg(os.getpgid(supervisor), sig)
            else:
                os.kill(daemon if whom == "daemon" else supervisor, sig)
        except ProcessLookupError:
            pass # the signal before this one did it
    end = time.monotonic() + patience
    while time.monotonic() < end and not (ended(daemon) and ended(supervisor)):
        time.sleep(0.005)
    late = [pid for pid in (daemon, supervisor) if not ended(pid)]
    for pid in late:
        os.kill(pid, signal.SIGKILL)
    for t in threads:
        t.join(10)
        assert not t.is_alive(), "%s: a writer hangs" % what
    server.wait(10)
    if late:
        clear_away("mnt")
    assert not mounted("mnt"), "%s: the mount is left" % what
    assert patience < 1 or not late, "%s: still busy after %d s" % (what, patience)
    assert late or json.loads(platter("status", "--json", "changes").stdout)["clean"], what
    attach("mnt")
    for o in oracles:
        o.check("mnt/disk", what, bool(late))
        o.close()
    r = platter("umount", "mnt")
    assert r.returncode == 0, r
    os.unlink("changes")


for more in (), ("-f",):
    shut_down("daemon, supervisor", [("daemon", TERM), ("supervisor", TERM)], *more)
    shut_down("supervisor, daemon", [("supervisor", TERM), ("daemon", TERM)], *more)
    shut_down("both twice", [("daemon", TERM), ("supervisor", TERM)] * 2, *more)
    shut_down("the terminal's end", [("group", HUP)], *more)
    for ms in 1, 2, 4, 8, 16:
        shut_down("killed after %d ms" % ms, [("daemon", TERM), ("supervisor", TERM)], *more,
                  patience=ms / 1000)
END
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$srcdir/tests python3 shutdown.py || fail "see above"

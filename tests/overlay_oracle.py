# SPDX-License-Identifier: GPL-2.0-or-later
"""What a disk under fault injection may hold: a random load on a node, and for every sector that
it touched the contents that are allowed after it. Used by tests that break things on purpose.

A sector is old or new, never a mixture. What was acknowledged is `now`; after an operation that
failed, or was cut off, there is more than one possibility. What an fsync covered cannot be lost any
more; `later` are all contents since the last one."""
import ctypes, json, os, random, subprocess, sys, time

M, SECTOR, PAGE = 1 << 20, 512, 32512 * 4096  # of disk that a page of the map is for
SIZE = 300 * M - 1536
SECTORS = SIZE // SECTOR
# Few and small, so that they are written again and again: inside a page of the map, over the limit
# between two, and the end of the disk, whose last block is not whole.
AREAS = [(5 * M, 700000), (PAGE - 300000, 600000), (SIZE - 500000, 500000)]
SPOT = (60 * M, 8192)  # the load leaves this one alone
libc = ctypes.CDLL(None, use_errno=True)
PUNCH = 3


def make_disk(path):
    rng = random.Random(1)
    with open(path, "wb") as f:
        f.truncate(SIZE)
        for at, length in AREAS:
            os.pwrite(f.fileno(), rng.randbytes(length), at)


def punch(fd, at, length):
    if libc.fallocate64(fd, PUNCH, ctypes.c_int64(at), ctypes.c_int64(length)) < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


class FsyncFailed(OSError):
    pass


class Oracle:
    def __init__(self, disk, areas=AREAS):
        self.areas = areas
        self.disk = os.open(disk, os.O_RDONLY)
        self.now, self.later = {}, {}

    def close(self):
        os.close(self.disk)

    def change(self, at, data):
        """The sectors that writing data touches, each with what it may hold afterwards."""
        for s in range(at // SECTOR, (at + len(data) - 1) // SECTOR + 1):
            if s not in self.now:
                self.now[s] = self.later[s] = {os.pread(self.disk, SECTOR, s * SECTOR)}
            start = s * SECTOR
            lo, hi = max(at, start), min(at + len(data), start + SECTOR)
            yield s, {old[:lo - start] + data[lo - at:hi - at] + old[hi - start:]
                      for old in self.now[s]}

    def attempt(self, at, data, call):
        """Run call, which writes data at `at`; its exception is passed on."""
        changed = list(self.change(at, data))
        for s, new in changed:
            self.later[s] = self.later[s] | new
        try:
            call()
        except OSError:
            for s, new in changed:
                self.now[s] = self.now[s] | new
            raise
        for s, new in changed:
            self.now[s] = new

    def write(self, fd, at, data):
        def call():
            assert os.pwrite(fd, data, at) == len(data)
        self.attempt(at, data, call)

    def zero(self, fd, at, length):
        self.attempt(at, bytes(length), lambda: punch(fd, at, length))

    def fsync(self, fd):
        try:
            os.fsync(fd)
        except OSError as e:
            raise FsyncFailed(*e.args)
        self.later = dict(self.now)

    def step(self, fd, rng):
        """One operation of the load."""
        kind = rng.random()
        start, room = rng.choice(self.areas)
        length = min(room, rng.choice((1, 100, 512, 4096, 4096, 5000, 40000, 130000)))
        at = start + rng.randrange(room - length + 1)
        if rng.random() < 0.5 and length < room - 4096:
            at = -(-at // 4096) * 4096 if at + 4096 + length <= start + room else at
        if kind < 0.2:
            self.fsync(fd)
        elif kind < 0.3:
            self.zero(fd, at, length)
        elif kind < 0.33:  # a whole granule of the map
            at = -(-start // 262144) * 262144
            self.zero(fd, at, 262144 if at + 262144 <= start + room else 4096)
        else:
            self.write(fd, at, rng.randbytes(length))

    def check(self, node, what, only_durable):
        """Compare with what is there, which is all there can be from now on."""
        fd = os.open(node, os.O_RDONLY)
        for start, room in self.areas + [SPOT]:
            # With a little beside the load, where nothing may have changed.
            first, end = start // SECTOR - 16, min((start + room) // SECTOR + 16, SECTORS)
            got, old = (os.pread(f, (end - first) * SECTOR, first * SECTOR)
                        for f in (fd, self.disk))
            assert len(got) == len(old) == (end - first) * SECTOR, what
            for s in range(first, end):
                i = (s - first) * SECTOR
                allowed = self.now.get(s, {old[i:i + SECTOR]})
                if only_durable:
                    allowed = allowed | self.later.get(s, set())
                assert got[i:i + SECTOR] in allowed, "%s: sector %d is none of %d possibilities" % (
                    what, s, len(allowed))
                if s in self.now:
                    self.now[s] = self.later[s] = {got[i:i + SECTOR]}
        os.close(fd)


def platter(*args, **more):
    return subprocess.run([os.environ["PLATTER"], *args], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, **more)


def attach(dir, *more, overlay="changes"):
    r = platter("attach", "disk.img", dir, "--overlay=" + overlay, *more)
    assert r.returncode == 0, r
    return r


def processes(dir):
    """Daemon and supervisor."""
    for m in json.loads(platter("list", "--json").stdout):
        if m["dir"] == os.path.abspath(dir):
            return m["pid"], m["supervisor"]


def mounted(dir):
    """Asks nothing of the mount itself, which may be dead."""
    with open("/proc/self/mountinfo") as f:
        return any(line.split()[4] == os.path.abspath(dir) for line in f)


def clear_away(dir):
    """A mount whose processes were killed, and the directory that platter made for it."""
    if mounted(dir):
        subprocess.run(["umount", dir] if os.getuid() == 0 else ["fusermount3", "-u", dir],
                       check=True)
    if os.path.isdir(dir):
        os.rmdir(dir)


def ended(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited for %d s" % seconds
        time.sleep(0.002)

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What lib-cuts.sh cannot do in shell.

cuts.py load DIR MARKS OPS SEED
    Use the filesystem on DIR: one thread makes files durable by fsync, another only writes. What
    is durable is noted in the file MARKS, at an offset that the overlay does not use: MARKS is the
    recorded overlay itself, so that the notes stand in the record in their place.

cuts.py replay LOG BEFORE AFTER IMAGE TYPE NODE CUTS SEED WORKER WORKERS BASE-MARKS
    Cut the power at CUTS moments of the record LOG, which leads from the overlay BEFORE to AFTER:
    platter must open what is left, the filesystem of TYPE on NODE recover, and everything that was
    durable at that moment be there.
"""
import hashlib
import json
import os
import random
import struct
import subprocess
import sys
import threading
import time

# Between the two headers of an overlay.
MARK_AT, MARK_MAGIC, MARK_SIZE = 0x8000, b"CUTMARK ", 512
BLOCK = 4096
# What is never torn: a sector; in the data a block of the filesystem. XFS takes that for granted (a
# block whose header says that it is newer than the log is not recovered).
SECTOR, DATA_AT, FS_BLOCK = 512, 1 << 20, {"ext4": 1024, "xfs": 4096}
FLUSH, DISCARD = 1, 4  # flags of dm-log-writes

# ---- the load ----


def sync_dir(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


class Load:
    def __init__(self, top, marks, ops, seed):
        self.top, self.ops, self.seed = top, ops, seed
        self.marks, self.noted, self.finished = os.open(marks, os.O_WRONLY), 0, False
        self.error = None

    def note(self, name, data):
        text = json.dumps([name, hashlib.sha256(data).hexdigest()]).encode()
        mark = (MARK_MAGIC + text).ljust(MARK_SIZE, b"\0")
        assert len(mark) == MARK_SIZE
        os.pwrite(self.marks, mark, MARK_AT)
        self.noted += 1

    # Files that are durable when their mark is made, and not touched after it.
    def mark_files(self):
        rnd = random.Random(self.seed)
        for n in range(self.ops):
            data = rnd.randbytes(rnd.choice((0, 100, 1024, 4096, 5000, rnd.randrange(60000))))
            folder = "%s/marked%d" % (self.top, n % 4)
            os.makedirs(folder, exist_ok=True)
            if n < 4:
                sync_dir(self.top)
            name = "marked%d/f%d" % (n % 4, n)
            renamed = rnd.random() < 0.4
            path = "%s/%s%s" % (self.top, name, ".new" if renamed else "")
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            half = rnd.randrange(len(data) + 1)
            os.write(fd, data[:half])
            if rnd.random() < 0.3:
                os.fsync(fd)
            os.write(fd, data[half:])
            os.fsync(fd)
            os.close(fd)
            if renamed:
                os.rename(path, "%s/%s" % (self.top, name))
            sync_dir(folder)
            self.note(name, data)
            if n % 8 == 0:
                self.write_back()
            if n % (self.ops // 4 + 1) == self.ops // 4:
                subprocess.run(["fstrim", self.top], check=True)

    # What the journal has is written to its place, which otherwise takes half a minute.
    def write_back(self):
        subprocess.run(["fsfreeze", "-f", self.top], check=True)
        subprocess.run(["fsfreeze", "-u", self.top], check=True)

    # Files that change all the time and are never flushed on purpose.
    def churn(self):
        rnd, n, there = random.Random(self.seed + 1), 0, []
        going = [name for name in os.listdir(self.top + "/base") if name.startswith("go")]
        while not self.finished:
            n += 1
            if len(there) < 12 or rnd.random() < 0.3:
                path = "%s/churn%d" % (self.top, n)
                with open(path, "wb") as f:
                    f.write(rnd.randbytes(rnd.randrange(150000)))
                there.append(path)
            path, what = rnd.choice(there), rnd.random()
            if what < 0.3:
                with open(path, "r+b") as f:
                    f.seek(rnd.randrange(os.path.getsize(path) + 1))
                    f.write(rnd.randbytes(rnd.randrange(20000)))
            elif what < 0.45:
                os.truncate(path, rnd.randrange(200000))
            elif what < 0.6:
                os.rename(path, path + "r")
                there[there.index(path)] = path + "r"
            elif what < 0.7:
                subprocess.run(["fallocate", "-p", "-o", "4096", "-l", "30000", path], check=True)
            elif len(there) > 8:
                os.unlink(path)
                there.remove(path)
            if going and n % 3 == 0:  # free blocks of the image between those that stay
                os.unlink("%s/base/%s" % (self.top, going.pop()))
            if n % 50 == 0:
                time.sleep(0.02)

    def guarded(self, work):
        try:
            work()
        except Exception as e:  # told by run(), in the main thread
            self.error = e

    def run(self):
        churner = threading.Thread(target=self.guarded, args=(self.churn,))
        churner.start()
        self.guarded(self.mark_files)
        self.finished = True
        churner.join()
        if self.error:
            raise self.error


# ---- the record ----


class Entry:
    """A write (data at `at` in the log; zeros: nothing but zeros), or a flush (length 0)."""

    def __init__(self, flush, off, length, at, zeros):
        self.flush, self.off, self.length, self.at, self.zeros = flush, off, length, at, zeros


def is_zeros(log, at, length):
    while length:
        n = min(length, 1 << 20)
        if os.pread(log, n, at).count(0) != n:
            return False
        at, length = at + n, length - n
    return True


def read_log(log):
    magic, version, count, sector = struct.unpack("<QQQI", os.pread(log, 28, 0))
    assert (magic, version) == (0x6A736677736872, 1), "no log of writes"
    entries, at = [], sector
    for _ in range(count):
        start, length, flags, extra = struct.unpack("<QQQQ", os.pread(log, 32, at))
        at += sector
        start, length = start * sector, length * sector
        if flags & FLUSH:
            entries.append(Entry(True, 0, 0, 0, False))
        if length:
            zeros = bool(flags & DISCARD) or is_zeros(log, at, length)
            entries.append(Entry(False, start, length, at, zeros))
        at += 0 if flags & DISCARD else length
        assert extra == 0
    return entries


class Content:
    """A sparse file as blocks in memory, which are replaced, never changed: copies share them."""

    def __init__(self, blocks):
        self.blocks = blocks

    @staticmethod
    def of_file(path):
        blocks, fd, end, at = {}, os.open(path, os.O_RDONLY), os.path.getsize(path), 0
        while at < end:
            try:
                at = os.lseek(fd, at, os.SEEK_DATA) & -BLOCK
            except OSError:
                break
            hole = os.lseek(fd, at, os.SEEK_HOLE)
            for off in range(at, hole, BLOCK):
                blocks[off // BLOCK] = os.pread(fd, BLOCK, off).ljust(BLOCK, b"\0")
            at = hole
        os.close(fd)
        return Content(blocks)

    def copy(self):
        return Content(dict(self.blocks))

    def put(self, off, data):
        while data:
            inside = off % BLOCK
            part = data[: BLOCK - inside]
            old = self.blocks.get(off // BLOCK, bytes(BLOCK))
            self.blocks[off // BLOCK] = old[:inside] + part + old[inside + len(part) :]
            off, data = off + len(part), data[len(part) :]

    def zero(self, off, length):
        first, last = -(-off // BLOCK), (off + length) // BLOCK
        if last < first:  # inside one block
            return self.put(off, bytes(length))
        self.put(off, bytes(first * BLOCK - off))
        self.put(last * BLOCK, bytes(off + length - last * BLOCK))
        if last - first < len(self.blocks):
            for block in range(first, last):
                self.blocks.pop(block, None)
        else:
            for block in [b for b in self.blocks if first <= b < last]:
                del self.blocks[block]

    def apply(self, log, e, begin=0, end=None):
        """Bytes [begin, end) of entry e."""
        end = e.length if end is None else end
        if e.zeros:
            self.zero(e.off + begin, end - begin)
        else:
            self.put(e.off + begin, os.pread(log, end - begin, e.at + begin))

    def same_as(self, other):
        zero = bytes(BLOCK)
        return all(self.blocks.get(b, zero) == other.blocks.get(b, zero)
                   for b in self.blocks.keys() | other.blocks.keys())

    def save(self, path, size):
        with open(path, "wb") as f:
            for block in sorted(self.blocks):
                f.seek(block * BLOCK)
                f.write(self.blocks[block])
            f.truncate(size)


def is_map(e):
    """The overlay's headers and map: what must be whole, or not seem to be there."""
    return not e.flush and e.off < DATA_AT and e.off != MARK_AT


def choose_cuts(entries, cuts, rnd):
    """Moments, as numbers of entries that were written, and what becomes of the unflushed ones."""
    flushes, of_maps, written = [], [], False
    for i, e in enumerate(entries):
        if e.flush:
            flushes.append(i)
            if written:
                of_maps.append(i)
        written = not e.flush and (written or is_map(e))
    chosen = [(len(entries), "all")]
    for k in range(cuts - 1):
        at = len(entries) * k // (cuts - 1)
        at = min(len(entries), at + rnd.randrange(len(entries) // cuts + 1))
        how = ("all", "some", "some", "torn")[k % 4]
        if k % 8:  # just before a flush most is unflushed
            of = of_maps if how == "torn" else flushes
            at = next((f for f in of if f >= at), len(entries))
        chosen.append((at, how))
    return sorted(chosen)


def tear(e, unit, rnd):
    """A place in e."""
    at = (e.off + rnd.randrange(e.length + unit)) // unit * unit - e.off
    return min(max(at, 0), e.length)


def apply_some(content, log, unflushed, fs_block, rnd):
    """Any of the writes since the last flush, in any order; with fs_block, parts of them."""
    if rnd.random() < 0.4:  # the newest first
        left = unflushed[-rnd.randrange(1, len(unflushed) // 4 + 2) :]
    else:
        share = rnd.choice((0.1, 0.5, 0.9))
        left = [e for e in unflushed if rnd.random() < share]
    rnd.shuffle(left)
    for e in left:
        if fs_block and rnd.random() < (0.8 if is_map(e) else 0.5):
            unit = SECTOR if e.off < DATA_AT else fs_block
            edges = sorted(tear(e, unit, rnd) for _ in range(rnd.choice((2, 8))))
            for begin, end in zip(edges[::2], edges[1::2]):
                if begin < end:
                    content.apply(log, e, begin, end)
        else:
            content.apply(log, e)


# ---- what is left ----


class Failure(Exception):
    pass


def run(*command, allow=(0,)):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode not in allow:
        raise Failure("%s: exit %d\n%s" % (" ".join(command), done.returncode, done.stdout))
    return done.stdout


CHECKERS = {"ext4": ("e2fsck", "-fn"), "xfs": ("xfs_repair", "-n")}
# Two workers mount copies of the same filesystem.
MOUNT_OPTIONS = {"ext4": "defaults", "xfs": "nouuid"}


def backing_file(loop):
    try:
        with open("/sys/block/%s/loop/backing_file" % os.path.basename(loop)) as f:
            return f.read().rstrip("\n")
    except OSError:  # none
        return None


def recover_and_compare(kind, node, top, want):
    loop = run("losetup", "-f", "--show", node).strip()
    try:
        run("mount", "-t", kind, "-o", MOUNT_OPTIONS[kind], loop, top)
        try:
            for name in want:
                compare(name, top + "/" + name, want[name])
        finally:
            run("umount", top)
    finally:
        run("losetup", "-d", loop)
        while backing_file(loop) == node:  # another worker may have the device by now
            time.sleep(0.002)
    run(*CHECKERS[kind], node)


def compare(name, path, digest):
    try:
        with open(path, "rb") as f:
            got = hashlib.sha256(f.read()).hexdigest()
    except OSError as e:
        raise Failure("%s was durable: %s" % (name, e))
    if got != digest:
        raise Failure("%s was durable, and is not what was written" % name)


class Replay:
    def __init__(self, log, overlay, result, image, kind, node, cuts, seed, worker, workers,
                 base_marks):
        self.log = os.open(log, os.O_RDONLY)
        self.entries = read_log(self.log)
        self.content, self.size = Content.of_file(overlay), os.path.getsize(overlay)
        self.result = result
        self.image, self.kind, self.node, self.seed = image, kind, node, int(seed)
        self.cuts = choose_cuts(self.entries, int(cuts), random.Random(self.seed))
        self.mine = range(int(worker), len(self.cuts), int(workers))
        self.folder = os.path.abspath("worker" + worker)
        os.makedirs(self.folder + "/top")
        with open(base_marks) as f:
            self.marks = json.load(f)
        self.checked = 0

    def look_at(self, content):
        platter, cut, mnt = os.environ["PLATTER"], self.folder + "/cut", self.folder + "/mnt"
        content.save(cut, self.size)
        run(platter, "status", cut)
        run(platter, "attach", self.image, mnt, "--overlay=" + cut)
        try:
            recover_and_compare(self.kind, mnt + "/" + self.node, self.folder + "/top", self.marks)
        finally:
            run(platter, "umount", mnt)
        self.checked += len(self.marks)

    def cut(self, number, unflushed):
        at, how = self.cuts[number]
        content, rnd = self.content.copy(), random.Random("%d/%d" % (self.seed, number))
        if how == "all":
            for e in unflushed:
                content.apply(self.log, e)
            if at == len(self.entries) and not content.same_as(Content.of_file(self.result)):
                raise Failure("the record does not lead to what the overlay was in the end")
        else:
            fs_block = FS_BLOCK[self.kind] if how == "torn" else None
            apply_some(content, self.log, unflushed, fs_block, rnd)
        try:
            self.look_at(content)
        except Failure as e:
            raise Failure("cut %d: after %d of %d entries, %s of %d unflushed; seed %d: %s" %
                          (number, at, len(self.entries), how, len(unflushed), self.seed, e))

    def run(self):
        begin, done, unflushed = time.time(), 0, []
        for number in self.mine:
            at = self.cuts[number][0]
            for e in self.entries[done:at]:
                if e.flush:
                    for old in unflushed:
                        self.content.apply(self.log, old)
                    unflushed = []
                else:
                    unflushed.append(e)
                    self.take_mark(e)
            done = at
            self.cut(number, unflushed)
        flushes = sum(e.flush for e in self.entries)
        zeros = sum(e.zeros for e in self.entries)
        print("%d cuts in %.1f s, %d comparisons of durable files, %d of these files at the end"
              % (len(self.mine), time.time() - begin, self.checked, len(self.marks)))
        if self.mine.start == 0:
            print("the record: %d writes, %d of them zeros, %d flushes; seed %d"
                  % (len(self.entries) - flushes, zeros, flushes, self.seed))

    def take_mark(self, e):
        if e.off <= MARK_AT < e.off + e.length and not e.zeros:
            data = os.pread(self.log, MARK_SIZE, e.at + MARK_AT - e.off)
            name, digest = json.loads(data[len(MARK_MAGIC) :].rstrip(b"\0"))
            self.marks[name] = digest


def main():
    if sys.argv[1] == "load":
        top, marks, ops, seed = sys.argv[2:]
        load = Load(top, marks, int(ops), int(seed))
        load.run()
        print("%d files marked" % load.noted)
        return 0
    try:
        Replay(*sys.argv[2:]).run()
    except Failure as e:
        print(e, file=sys.stderr)
        return 1
    return 0


sys.exit(main())

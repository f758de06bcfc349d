#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The power is cut at each step of commit, snapshot, rollback and flatten. What was not synced may
# be there or not, sector by sector and name by name; the overlay shows what it is to show, and the
# command, run again, also after a second cut, finishes. The steps are taken from a trace, the states
# after a cut made from them. CUTS=N: how many for each step.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse
requires_strace

mkdir good
truncate -s 1400320 good/disk.img
head -c 1200000 /dev/urandom | poke good/disk.img 100000
cd good || exit 99
change changes disk.img 'put(10, random(9000)); zero(500000, 50000)'
look changes disk.img first
expect 0 "$PLATTER" snapshot changes s1
change changes disk.img 'put(5000, random(9000)); put(1300000, random(20000)); zero(700000, 50000)'
look changes disk.img wanted
rm shown 2>/dev/null
mv first wanted ..
cp disk.img ../old
cd ..
cat >cut.py <<'PY'
import os, random, re, shutil, subprocess, sys
PLATTER, CUTS = os.environ["PLATTER"], int(os.environ.get("CUTS", 1))
SECTOR, BLOCK = 512, 4096
old, first, wanted = (open(name, "rb").read() for name in ("old", "first", "wanted"))
top = os.getcwd()

class File:
    def __init__(self, data=b""):
        self.durable, self.now, self.pending = bytes(data), bytearray(data), []
    def do(self, *op):
        self.pending.append(op)
        apply(self.now, *op)
    def sync(self):
        self.durable, self.pending = bytes(self.now), []
    def crash(self, rng):
        data, keep = bytearray(self.durable), rng.choice((0, 0.1, 0.5, 0.9, 1))
        for kind, off, what in self.pending:
            step = SECTOR if kind == "write" else BLOCK
            if kind == "size":
                if rng.random() < keep:
                    apply(data, kind, off, what)
                continue
            end = off + (len(what) if kind == "write" else what)
            at = off
            while at < end:
                n = min(end, (at // step + 1) * step) - at
                if rng.random() < keep:
                    apply(data, kind, at, what[at - off:at - off + n] if kind == "write" else n)
                at += n
        return bytes(data)

def apply(data, kind, off, what):
    if kind == "size":
        del data[off:]
        data.extend(bytes(off - len(data)))
        return
    what = what if kind == "write" else bytes(what)
    data.extend(bytes(max(0, off + len(what) - len(data))))
    data[off:off + len(what)] = what

def rename(names, kind, a, b):
    if kind == "unlink":
        names.pop(a, None)
    elif kind == "name":
        names[a] = b
    elif a in names:
        names[b] = names.pop(a)

def write_out(folder, names):
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    written = {}
    for name, (key, data) in names.items():
        path = os.path.join(folder, name)
        if key in written:
            os.link(written[key], path)
            continue
        written[key] = path
        with open(path, "wb") as f:
            os.fchmod(f.fileno(), 0o600)
            f.truncate(len(data))
            for at in range(0, len(data), BLOCK):
                if data[at:at + BLOCK].strip(b"\0"):
                    f.seek(at)
                    f.write(data[at:at + BLOCK])

def run(*args):
    return subprocess.run([PLATTER, *args], capture_output=True, stdin=subprocess.DEVNULL)

def text(escaped):
    return re.sub(rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), escaped)

def trace(command):
    """Run the command in the folder `work`; its steps, in order."""
    r = subprocess.run(["strace", "-f", "-qq", "-y", "-xx", "-s", "9999999", "-o", "../calls", "-e",
                        "trace=pwrite64,fallocate,ftruncate,fsync,fdatasync,link,linkat,rename,unlink",
                        PLATTER, *command], cwd="work", capture_output=True)
    assert r.returncode == 0, (command, r.stderr)
    steps, paths, here = [], {}, os.path.join(top, "work")
    for line in open("calls", "rb"):
        m = re.match(rb"\d+ +(\w+)\((.*)\) += (-?\d+)", line)
        if not m or int(m[3]) < 0:
            continue
        call, args = m[1].decode(), m[2]
        names = [os.path.normpath(os.path.join(here, text(s).decode("latin-1")))
                 for s in re.findall(rb'"([^"]*)"', args)] if call in ("link", "linkat", "rename", "unlink") else []
        if names:
            if call == "linkat" and (fd := re.match(r"/proc/self/fd/(\d+)$", names[0])):
                names[0] = paths[fd[1]]
            steps.append((call, *names))
            continue
        fd, path, gone, rest = re.match(rb"(\d+)<([^>]*)>(\(deleted\))?(.*)", args, re.S).groups()
        path = text(path).decode("latin-1") + (" (deleted)" if gone else "")
        paths[fd.decode()] = path
        if not path.startswith(here):
            continue
        if call == "pwrite64":
            data, length, off = re.match(rb', "(.*)", (\d+), (\d+)', rest).groups()
            steps.append(("write", path, int(off), text(data)))
            assert len(steps[-1][3]) == int(length)
        elif call == "fallocate":
            mode, off, length = re.match(rb", ([\w|]+), (\d+), (\d+)", rest).groups()
            if b"PUNCH" in mode:
                steps.append(("zero", path, int(off), int(length)))
        elif call == "ftruncate":
            steps.append(("size", path, int(rest[2:]), None))
        else:
            steps.append(("sync", path))
    return steps

def read_in():
    """What stands in the folder `work`, all of it durable: names of keys, and the files."""
    names, files = {}, {}
    for name in os.listdir("work"):
        path = os.path.join(top, "work", name)
        key = os.stat(path).st_ino
        names[name] = key
        files.setdefault(key, File(open(path, "rb").read()))
    return names, files

def cuts(command, rng, count):
    """States of the folder after cuts in the command, which is run on what is in `work`."""
    here = os.path.join(top, "work")
    now, files = read_in()
    durable, pending, gone = dict(now), [], {}
    for n, step in enumerate([None] + trace(command)):
        if step:
            kind, path = step[:2]
            name = os.path.relpath(path, here)
            if kind == "sync" and path == here:
                durable, pending = dict(now), []
            elif kind in ("write", "zero", "size", "sync"):
                # By the name that it has, or had; or nameless, by what /proc calls it.
                key = gone.get(name.removesuffix(" (deleted)")) if name not in now else now[name]
                f = files.setdefault(key or path, File())
                f.sync() if kind == "sync" else f.do(*step[:1], *step[2:])
            else:
                a = os.path.relpath(step[1], here)
                b = os.path.relpath(step[-1], here)
                op = {"unlink": ("unlink", a, None), "rename": ("rename", a, b)}.get(
                    kind, ("name", b, now.get(a, step[1])))
                pending.append(op)
                lost = op[2] if kind == "rename" else op[1]
                if kind != "link" and lost in now:
                    gone[lost] = now[lost]
                rename(now, *op)
        # Any of the names that are not durable, and all but each of them.
        for lost in [None] * count + pending:
            names, keep = dict(durable), rng.choice((0, 0.5, 1)) if lost is None else 1
            for op in pending:
                if op is not lost and rng.random() < keep:
                    rename(names, *op)
            data = {key: files[key].crash(rng) for key in set(names.values())}
            yield n, step and step[:2], {name: (key, data[key]) for name, key in names.items()}

def view(overlay):
    r = run("cat", "-p", "0", "--overlay=work/" + overlay, "work/disk.img")
    assert r.returncode == 0, r.stderr
    return r.stdout

def again(*args):
    r = run(*args)
    assert r.returncode == 0, r.stderr

def check_commit(finish):
    if os.path.exists("work/changes"):
        assert view("changes") == wanted, "the view"
        if not finish:
            return
        again("commit", "--yes", "--undo=work/undo", "work/changes")
    assert open("work/disk.img", "rb").read() == wanted, "the image"
    assert view("undo") == old, "the undo"

def check_snapshot(finish):
    assert view("changes") == wanted, "the view"
    if not finish:
        return
    r = run("snapshot", "work/changes", "s2")
    assert r.returncode == 0 or b"already" in r.stderr, r.stderr
    assert view("changes") == wanted, "the view after the snapshot"
    assert view("changes.s2") == wanted, "the snapshot"
    again("rollback", "--yes", "work/changes", "s2")
    assert view("changes") == wanted, "rolled back"

def check_rollback(finish):
    assert view("changes") in (wanted, first), "the view"
    if finish:
        again("rollback", "--yes", "work/changes", "s1")
        assert view("changes") == first, "rolled back"

def check_flatten(finish):
    assert view("changes") == wanted, "the view"
    if finish:
        again("flatten", "work/changes")
        assert view("changes") == wanted, "flattened"

commands = {
    "commit": (["commit", "-q", "--yes", "--undo=undo", "changes"], check_commit),
    "snapshot": (["snapshot", "changes", "s2"], check_snapshot),
    "rollback": (["rollback", "--yes", "changes", "s1"], check_rollback),
    "flatten": (["flatten", "-q", "changes"], check_flatten),
}
good = {name: (name, open("good/" + name, "rb").read()) for name in os.listdir("good")}
rng, total = random.Random(int(os.environ.get("SEED", 1))), 0
for what, (command, check) in commands.items():
    write_out("work", good)
    for n, step, state in list(cuts(command, rng, CUTS)):
        where = [what, n, step]
        try:
            write_out("work", state)
            twice = what == "commit" and rng.random() < 0.1 and "changes" in state
            check(not twice)
            total += 1
            if twice:
                write_out("work", state)
                more = list(cuts(command, rng, 1))
                for m, step, state in rng.sample(more, 3):
                    where[3:] = [m, step]
                    write_out("work", state)
                    check(True)
                    total += 1
        except AssertionError as e:
            sys.exit(f"{where}: {e}; left: {sorted(state)}")
print(total, "cuts")
PY
python3 cut.py || fail "after a power cut"

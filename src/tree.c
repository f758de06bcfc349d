/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at the nodes of a tree, and reading and writing them. */
#include "config.h"

#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"

#define NUMBER_MASK (((uint64_t)1 << SLOT_SHIFT) - 1)

/* Cookies of "." and ".."; those of the entries proper come after them. */
#define COOKIE_DOT    1
#define COOKIE_DOTDOT 2

/* Where a node's number leads. */
struct place {
	const struct node *node; /* a static node, or NULL and: */
	const struct fs_driver *driver;
	void *fs;
	unsigned slot;
	uint64_t number;
};

static int enter_slot(struct platter_tree *t, unsigned s, struct place *at)
{
	int r = tree_open_slot(t, s, NULL);

	if (r)
		return r == -ENOMEM ? r : -EIO;
	at->driver = t->slots[s - 1].driver;
	at->fs = t->slots[s - 1].fs;
	at->slot = s;
	return 0;
}

static int find(struct platter_tree *t, platter_ino ino, struct place *at)
{
	unsigned s = (unsigned)(ino >> SLOT_SHIFT);
	int r;

	*at = (struct place){0};
	if (t->single && ino == 1) {
		r = enter_slot(t, 1, at);
		if (!r)
			at->number = at->driver->root(at->fs);
		return r;
	}
	if (s == 0) {
		if (ino == 0 || ino > t->nnodes)
			return -ENOENT;
		at->node = &t->nodes[ino - 1];
		return 0;
	}
	if (s > t->nslots)
		return -ENOENT;
	at->number = ino & NUMBER_MASK;
	return enter_slot(t, s, at);
}

static platter_ino number_of(const struct platter_tree *t, const struct place *at, uint64_t number)
{
	if (t->single && number == at->driver->root(at->fs))
		return 1;
	return (uint64_t)at->slot << SLOT_SHIFT | number;
}

/* ---- attributes ---- */

static void put_mode(const struct platter_tree *t, struct stat *st, uint32_t mode)
{
	/* setuid, setgid and sticky bits of an image are nobody's business here. */
	st->st_mode = (mode & S_IFMT) | (mode & 0777 & ~t->view.umask);
}

static void static_stat(struct platter_tree *t, const struct node *node, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_ino = (ino_t)(node - t->nodes) + 1;
	st->st_nlink = 1;
	st->st_uid = t->view.uid;
	st->st_gid = t->view.gid;
	st->st_blksize = 4096;
	st->st_atim = st->st_mtim = st->st_ctim = t->p->mtime;
	switch (node->kind) {
	case NODE_DIR:
	case NODE_FS:
		put_mode(t, st, S_IFDIR | 0555);
		st->st_nlink = 2;
		break;
	case NODE_LINK:
		st->st_mode = S_IFLNK | 0777;
		st->st_size = (off_t)strlen(node->target);
		break;
	case NODE_DEV:
		put_mode(t, st, S_IFREG | (dev_writable(node->dev) ? 0644 : 0444));
		st->st_size = (off_t)node->dev->size;
		st->st_blocks = (blkcnt_t)((dev_room(node->dev) + 511) / 512);
		break;
	}
}

static void fs_stat(const struct platter_tree *t, unsigned slot, const struct fs_attr *a,
                    struct stat *st)
{
	const struct platter_view *v = &t->view;

	memset(st, 0, sizeof *st);
	st->st_ino = (ino_t)((uint64_t)slot << SLOT_SHIFT | (a->ino & NUMBER_MASK));
	put_mode(t, st, a->mode);
	st->st_nlink = a->nlink;
	st->st_uid = a->owned && !v->force_uid ? a->uid : v->uid;
	st->st_gid = a->owned && !v->force_gid ? a->gid : v->gid;
	st->st_size = (off_t)min64(a->size, DEV_SIZE_MAX);
	st->st_blocks = (blkcnt_t)a->blocks;
	st->st_blksize = 4096;
	st->st_atim = a->atime;
	st->st_mtim = a->mtime;
	st->st_ctim = a->ctime;
}

/* Device nodes of an image are not served. */
static bool served(uint32_t mode)
{
	return !S_ISCHR(mode) && !S_ISBLK(mode);
}

int platter_tree_stat(struct platter_tree *t, platter_ino ino, struct stat *st)
{
	struct place at;
	struct fs_attr a;
	int r = find(t, ino, &at);

	if (r)
		return r;
	if (at.node) {
		static_stat(t, at.node, st);
		return 0;
	}
	r = at.driver->stat(at.fs, at.number, &a);
	if (!r)
		fs_stat(t, at.slot, &a, st);
	return r;
}

/* ---- names ---- */

/* As long as FUSE passes on. Joliet's 110 characters can be more than 255 bytes of UTF-8. */
#define NAME_LEN_MAX 1023

static bool name_ok(const char *name, size_t len)
{
	if (len == 0 || len > NAME_LEN_MAX || memchr(name, '/', len) || memchr(name, '\0', len))
		return false;
	return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

static int enter_fs_node(struct platter_tree *t, const struct node *node, platter_ino *ino,
                         struct stat *st)
{
	struct place at = {0};
	int r = enter_slot(t, node->slot, &at);

	if (r)
		return r;
	*ino = number_of(t, &at, at.driver->root(at.fs));
	return platter_tree_stat(t, *ino, st);
}

static int lookup_static(struct platter_tree *t, const struct node *dir, const char *name,
                         size_t len, platter_ino *ino, struct stat *st)
{
	if (dir->kind != NODE_DIR)
		return -ENOTDIR;
	for (size_t i = dir->first; i < dir->first + dir->count; i++) {
		const struct node *node = &t->nodes[i];

		if (strlen(node->name) != len || memcmp(node->name, name, len) != 0)
			continue;
		if (node->kind == NODE_FS)
			return enter_fs_node(t, node, ino, st);
		*ino = i + 1;
		static_stat(t, node, st);
		return 0;
	}
	return -ENOENT;
}

int platter_tree_lookup(struct platter_tree *t, platter_ino dir, const char *name, size_t len,
                        platter_ino *ino, struct stat *st)
{
	struct place at;
	struct fs_attr a;
	uint64_t number;
	int r = find(t, dir, &at);

	if (r)
		return r;
	if (!name_ok(name, len))
		return -ENOENT;
	if (at.node)
		return lookup_static(t, at.node, name, len, ino, st);
	r = at.driver->lookup(at.fs, at.number, name, len, &number);
	if (!r)
		r = at.driver->stat(at.fs, number, &a);
	if (r)
		return r;
	if (!served(a.mode))
		return -ENOENT;
	*ino = number_of(t, &at, number);
	fs_stat(t, at.slot, &a, st);
	return 0;
}

int platter_tree_readlink(struct platter_tree *t, platter_ino ino, char *buf, size_t size,
                          size_t *len)
{
	struct place at;
	int r = find(t, ino, &at);

	if (r)
		return r;
	if (!at.node)
		return at.driver->readlink(at.fs, at.number, buf, size, len);
	if (at.node->kind != NODE_LINK)
		return -EINVAL;
	*len = strlen(at.node->target);
	if (*len > size)
		return -ENAMETOOLONG;
	memcpy(buf, at.node->target, *len);
	return 0;
}

/* ---- listing ---- */

struct listing {
	struct platter_tree *t;
	const struct place *at;
	platter_emit_fn *emit;
	void *arg;
};

static int pass_on(void *arg, const struct fs_dirent *ent)
{
	struct listing *l = arg;
	char name[NAME_LEN_MAX + 1];
	struct stat st;

	if (!name_ok(ent->name, ent->len) || !served(ent->attr->mode))
		return 0;
	memcpy(name, ent->name, ent->len);
	name[ent->len] = '\0';
	fs_stat(l->t, l->at->slot, ent->attr, &st);
	return l->emit(l->arg, name, number_of(l->t, l->at, ent->node), &st,
	               ent->next + COOKIE_DOTDOT);
}

static int list_static(struct platter_tree *t, const struct node *dir, uint64_t from,
                       platter_emit_fn *emit, void *arg)
{
	if (dir->kind != NODE_DIR)
		return -ENOTDIR;
	for (uint64_t k = from; k < dir->count; k++) {
		const struct node *node = &t->nodes[dir->first + k];
		struct stat st;

		static_stat(t, node, &st);
		/* A filesystem that is not open yet has no number yet: 0 says so. */
		if (emit(arg, node->name, node->kind == NODE_FS ? 0 : dir->first + k + 1, &st,
		         k + 1 + COOKIE_DOTDOT))
			break;
	}
	return 0;
}

int platter_tree_readdir(struct platter_tree *t, platter_ino dir, uint64_t cookie,
                         platter_emit_fn *emit, void *arg)
{
	struct listing l = {.t = t, .emit = emit, .arg = arg};
	struct place at;
	struct stat st;
	int r = find(t, dir, &at);

	if (!r && cookie < COOKIE_DOTDOT)
		r = platter_tree_stat(t, dir, &st);
	if (r)
		return r;
	if (cookie < COOKIE_DOTDOT && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (cookie < COOKIE_DOT && emit(arg, ".", dir, &st, COOKIE_DOT))
		return 0;
	/* The kernel knows the parent; nothing here does, and its number is for show. */
	if (cookie < COOKIE_DOTDOT && emit(arg, "..", dir, &st, COOKIE_DOTDOT))
		return 0;
	cookie = cookie > COOKIE_DOTDOT ? cookie - COOKIE_DOTDOT : 0;
	if (at.node)
		return list_static(t, at.node, cookie, emit, arg);
	l.at = &at;
	return at.driver->readdir(at.fs, at.number, cookie, pass_on, &l);
}

/* ---- contents ---- */

/* The device of a static node, or what maps a file of a filesystem. */
static int contents(struct platter_tree *t, platter_ino ino, struct dev **dev,
                    struct run_source *src)
{
	struct place at;
	struct fs_attr a;
	int r = find(t, ino, &at);

	*dev = NULL;
	if (r)
		return r;
	if (at.node) {
		*dev = at.node->dev;
		return *dev ? 0 : -EISDIR;
	}
	r = at.driver->stat(at.fs, at.number, &a);
	if (r)
		return r;
	if (!S_ISREG(a.mode))
		return S_ISDIR(a.mode) ? -EISDIR : -EINVAL;
	*src = (struct run_source){
		.map = at.driver->map,
		.self = at.fs,
		.node = at.number,
		.size = a.size,
		.cache = t->p->cache,
	};
	return 0;
}

int platter_tree_read(struct platter_tree *t, platter_ino ino, void *buf, size_t len, uint64_t off,
                      size_t *got)
{
	struct run_source src;
	struct dev *dev;
	int r = contents(t, ino, &dev, &src);
	uint64_t size = r ? 0 : dev ? dev->size : src.size;

	*got = 0;
	if (r || off >= size)
		return r;
	len = (size_t)min64(len, size - off);
	r = dev ? dev_pread(dev, buf, len, off) : run_read(&src, buf, len, off);
	if (r)
		disk_log(t->p, "reading %zu bytes at %llu of node %llu: %s", len,
		         (unsigned long long)off, (unsigned long long)ino, strerror(-r));
	else
		*got = len;
	return r;
}

bool platter_tree_writable(const struct platter_tree *t)
{
	/* Filesystem trees are read-only; nodes are what an overlay makes of them. */
	return t->nslots == 0 && dev_writable(t->p->disk);
}

int platter_tree_write(struct platter_tree *t, platter_ino ino, const void *buf, size_t len,
                       uint64_t off)
{
	struct run_source src;
	struct dev *dev;
	int r = contents(t, ino, &dev, &src);

	if (r)
		return r;
	return dev ? dev_pwrite(dev, buf, len, off) : -EROFS;
}

int platter_tree_zero(struct platter_tree *t, platter_ino ino, uint64_t off, uint64_t len)
{
	struct run_source src;
	struct dev *dev;
	int r = contents(t, ino, &dev, &src);

	if (r)
		return r;
	return dev ? dev_zero(dev, off, len) : -EROFS;
}

int platter_tree_seek(struct platter_tree *t, platter_ino ino, uint64_t off, bool data,
                      uint64_t *found)
{
	struct run_source src;
	struct dev *dev;
	int r = contents(t, ino, &dev, &src);

	if (r)
		return r;
	if (dev)
		return dev_seek(dev, off, data, found);
	r = dev_mapped(&src, src.size, &dev);
	if (r)
		return r;
	r = dev_seek(dev, off, data, found);
	dev_unref(dev);
	return r;
}

int platter_tree_where(struct platter_tree *t, platter_ino ino, uint64_t off, uint64_t *start,
                       uint64_t *length)
{
	const struct slot *slot;
	struct run_source src;
	struct run run;
	struct dev *dev;
	int r = contents(t, ino, &dev, &src);

	if (r || dev)
		return r ? r : -ENOTSUP;
	if (off >= src.size)
		return -ENXIO;
	r = src.map(src.self, src.node, off, &run);
	if (r)
		return r;
	slot = &t->slots[(ino >> SLOT_SHIFT) - 1];
	if (run.kind != RUN_RAW || run.dev != slot->dev)
		return -ENOTSUP;
	*start = run.offset + (slot->part < 0 ? 0 : t->p->table.parts[slot->part].start);
	*length = min64(run.length, src.size - off);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "used.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"
#include "used-fs.h"

/* Tables stand at the ends of a disk; whatever a partition that reaches there says, they stay. */
#define ENDS ((uint64_t)64 << 10)

static const struct {
	const char *type; /* as libblkid names it */
	const struct used_fs *fs;
} filesystems[] = {
	{"ext2", &used_ext}, {"ext3", &used_ext},  {"ext4", &used_ext},
	{"vfat", &used_fat}, {"ntfs", &used_ntfs},
};

/* A filesystem that is asked, and where it stands on the disk. */
struct space {
	uint64_t start, size;
	struct dev *part;
	const struct used_fs *fs; /* NULL: what it says is not to be relied on any more */
	void *self;
	char name[64];
};

struct used {
	uint64_t start, end; /* of the disk: what is copied */
	uint64_t size;       /* of the disk */
	const struct platter_export *how;
	struct space *spaces; /* in the order of the disk */
	size_t count;

	/* The last answer, which holds for all that is asked from .asked to .end on. Without it,
	 * what is used in a row would be gone through for each piece of it. */
	uint64_t asked, begin, end_free;
	bool answered, found;
};

static void give_up(struct used *u, const char *name, const struct platter_error *err)
{
	char line[1200];

	snprintf(line, sizeof line, "%s: %s; all of it is copied", name, err->text);
	if (u->how->note)
		u->how->note(u->how->note_arg, line);
}

/* Go through all of its marks once: what turns out to be damaged only when part of the copy is made
 * would have left something out by then. */
static int check_marks(const struct used_fs *fs, void *self, uint64_t size,
                       struct platter_error *err)
{
	uint64_t off = 0, begin, end;
	int r = 0;

	while (!r && off < size) {
		r = fs->next(self, off, &begin, &end, err);
		if (!r)
			off = end;
	}
	return r == -ENXIO ? 0 : r;
}

static const struct used_fs *find(const char *type)
{
	for (size_t i = 0; i < sizeof filesystems / sizeof *filesystems; i++)
		if (strcmp(filesystems[i].type, type) == 0)
			return filesystems[i].fs;
	return NULL;
}

static void add(struct used *u, const char *name, const struct used_fs *fs, uint64_t start,
                struct dev *part)
{
	struct space *s = &u->spaces[u->count];
	struct platter_error err;

	*s = (struct space){.start = start, .size = part->size, .part = part, .fs = fs};
	snprintf(s->name, sizeof s->name, "%s", name);
	if (fs->open(part, &s->self, &err) == 0) {
		if (check_marks(fs, s->self, part->size, &err) == 0) {
			u->count++;
			return;
		}
		fs->close(s->self);
	}
	give_up(u, name, &err);
	dev_unref(part);
}

/* Whether another partition has some of its bytes, too: then one may use what is free in the other.
 */
static bool shared(const struct table *t, size_t i)
{
	const struct partition *a = &t->parts[i];

	for (size_t j = 0; j < t->nparts; j++) {
		const struct partition *b = &t->parts[j];

		if (j != i && !b->container && a->start < b->start + b->usable &&
		    b->start < a->start + a->usable)
			return true;
	}
	return false;
}

static int add_part(struct used *u, struct platter *p, size_t i)
{
	const struct partition *part = &p->table.parts[i];
	const struct used_fs *fs = find(p->parts[i].type);
	struct platter_error err = {.text = "overlaps another partition"};
	struct dev *dev;
	char name[64];

	if (!fs || part->container || part->start + part->usable <= u->start ||
	    part->start >= u->end)
		return 0;
	snprintf(name, sizeof name, "partition %u (%s)", part->number, p->parts[i].type);
	if (shared(&p->table, i)) {
		give_up(u, name, &err);
		return 0;
	}
	if (disk_open_part(p, i, &dev) != 0)
		return -ENOMEM;
	add(u, name, fs, part->start, dev);
	return 0;
}

static int add_all(struct used *u, struct platter *p)
{
	struct platter_error err = {.text = "a partition table stands there, too"};
	const struct used_fs *fs = find(p->whole.type);
	bool table = p->table.scheme && p->table.nparts;
	char name[64];
	int r = 0;

	u->spaces = calloc(table ? p->table.nparts : 1, sizeof *u->spaces);
	if (!u->spaces)
		return -ENOMEM;
	snprintf(name, sizeof name, "the %s on the whole disk", p->whole.type);
	if (p->whole.type[0] && table)
		give_up(u, name, &err);
	else if (fs)
		add(u, name, fs, 0, dev_ref(p->disk));
	else if (table && p->parts)
		for (size_t i = 0; i < p->table.nparts && !r; i++)
			r = add_part(u, p, i);
	return r;
}

static int by_start(const void *a, const void *b)
{
	uint64_t x = ((const struct space *)a)->start, y = ((const struct space *)b)->start;

	return x < y ? -1 : x > y;
}

int used_open(struct platter *p, uint64_t start, uint64_t size, const struct platter_export *how,
              struct used **out)
{
	struct used *u = calloc(1, sizeof *u);

	*out = u;
	if (!u)
		return -ENOMEM;
	u->start = start;
	u->end = start + size;
	u->size = p->disk->size;
	u->how = how;
	if (add_all(u, p) != 0)
		return -ENOMEM;
	qsort(u->spaces, u->count, sizeof *u->spaces, by_start);
	return 0;
}

/* The next free stretch of one filesystem after off, on the disk, without the disk's ends. */
static bool next_in(struct used *u, struct space *s, uint64_t off, uint64_t *begin, uint64_t *end)
{
	uint64_t last = u->size - min64(u->size, ENDS);
	struct platter_error err;
	int r = 0;

	off = max64(off, ENDS);
	while (s->fs && off < s->start + s->size && off < last && !r) {
		r = s->fs->next(s->self, max64(off, s->start) - s->start, begin, end, &err);
		if (r)
			break;
		*begin = max64(s->start + *begin, ENDS);
		*end = min64(s->start + *end, last);
		if (*begin<*end && * end> off)
			return true;
		off = max64(off, s->start + *end);
	}
	if (r && r != -ENXIO) { /* they could be read before */
		err_prefix(&err, "from byte %llu on", (unsigned long long)off);
		give_up(u, s->name, &err);
		s->fs->close(s->self);
		s->fs = NULL;
	}
	return false;
}

static bool find_free(struct used *u, uint64_t off)
{
	for (size_t i = 0; i < u->count; i++) {
		struct space *s = &u->spaces[i];

		if (s->start + s->size > off && next_in(u, s, off, &u->begin, &u->end_free))
			return u->begin < u->end;
	}
	return false;
}

bool used_next_free(struct used *u, uint64_t off, uint64_t *begin, uint64_t *end)
{
	off += u->start;
	if (!u->answered || off < u->asked || (u->found && off >= u->end_free)) {
		u->found = find_free(u, off);
		u->asked = off;
		u->answered = true;
	}
	if (!u->found)
		return false;
	*begin = max64(u->begin, u->start) - u->start;
	*end = min64(u->end_free, u->end) - u->start;
	return true;
}

void used_close(struct used *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->count; i++) {
		if (u->spaces[i].fs)
			u->spaces[i].fs->close(u->spaces[i].self);
		dev_unref(u->spaces[i].part);
	}
	free(u->spaces);
	free(u);
}

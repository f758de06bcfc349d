/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff --files: which filesystems there are to compare. They are matched by partition number. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd-diff.h"

enum { OLD, NEW, SIDES };

/* A partition, or (number 0) the whole disk, as one side has it. */
struct side {
	bool there;
	uint64_t start, size;
	struct platter_fs_info fs;
};

struct unit {
	uint32_t number;
	struct side sides[SIDES];
};

struct units {
	struct unit *list;
	size_t count, allocated;
};

static struct unit *find(struct units *u, uint32_t number)
{
	for (size_t i = 0; i < u->count; i++)
		if (u->list[i].number == number)
			return &u->list[i];
	return NULL;
}

static int set(struct units *u, int side, uint32_t number, const struct side *value)
{
	struct unit *unit = find(u, number);

	if (!unit) {
		if (u->count == u->allocated) {
			size_t more = u->allocated ? 2 * u->allocated : 16;
			struct unit *grown = reallocarray(u->list, more, sizeof *grown);

			if (!grown)
				return -ENOMEM;
			u->list = grown;
			u->allocated = more;
		}
		unit = &u->list[u->count++];
		*unit = (struct unit){.number = number};
	}
	unit->sides[side] = *value;
	return 0;
}

/* What one side has, as mount shows it: what is on the whole disk wins, unless -p says otherwise.
 */
static int gather(struct units *u, struct platter *p, int side, int wanted)
{
	struct platter_info info;
	int r = 0;

	platter_get_info(p, &info);
	if (wanted == 0 || (wanted < 0 && (info.fs.filesystem || info.nparts == 0))) {
		struct side whole = {.there = true, .size = info.virtual_size, .fs = info.fs};

		return set(u, side, 0, &whole);
	}
	for (size_t i = 0; i < info.nparts && !r; i++) {
		struct platter_part_info part;
		struct side s;

		platter_get_part(p, i, &part);
		if (part.container || (wanted > 0 && part.number != (uint32_t)wanted))
			continue;
		s = (struct side){.there = true,
		                  .start = part.start,
		                  .size = part.size,
		                  .fs = part.fs};
		r = set(u, side, part.number, &s);
	}
	return r;
}

static int by_number(const void *a, const void *b)
{
	const struct unit *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* Whether a byte of it may differ: 1, 0, or -1 after a message. */
static int touched(struct diff *d, const struct unit *unit)
{
	const struct side *s = &unit->sides[NEW];
	struct platter_change change;
	struct platter_error err;
	int r;

	if (!s->there || !unit->sides[OLD].there || s->start != unit->sides[OLD].start ||
	    s->size != unit->sides[OLD].size)
		return 1;
	r = platter_diff_next(d->ranges, s->start,
	                      s->size > UINT64_MAX - s->start ? UINT64_MAX : s->start + s->size,
	                      &change, &err);
	if (r == -ENXIO)
		return 0;
	if (!r)
		return 1;
	complain("%s: %s", d->overlay, err.text);
	return -1;
}

static void name_unit(const struct unit *unit, char *out, size_t size)
{
	if (unit->number)
		snprintf(out, size, "partition %" PRIu32, unit->number);
	else
		snprintf(out, size, "the whole disk");
}

static bool comparable(const struct unit *unit)
{
	return unit->sides[OLD].fs.browse && unit->sides[NEW].fs.browse;
}

/* Whether it was possible to look for a filesystem on both sides; false after a message. */
static bool looked(struct diff *d, const struct unit *unit)
{
	struct platter *const sides[SIDES] = {d->plain, d->merged};

	for (int i = 0; i < SIDES; i++) {
		struct platter_tree *tree = NULL;
		struct platter_error err;
		int r = 0;

		if (unit->sides[i].there && !unit->sides[i].fs.type[0])
			r = platter_mount(sides[i], (int)unit->number, &d->cli->view, &tree, &err);
		platter_tree_close(tree);
		if (r && r != -EOPNOTSUPP) {
			complain_error(&err);
			return false;
		}
	}
	return true;
}

/* Say why what changed in a unit is not told file by file. */
static void complain_skipped(const struct unit *unit)
{
	const struct side *old = &unit->sides[OLD], *new = &unit->sides[NEW];
	const char *type = new->fs.browse ? old->fs.type : new->fs.type;
	char name[32];

	name_unit(unit, name, sizeof name);
	if (!old->fs.type[0] && !new->fs.type[0])
		complain("%s: holds no known filesystem: its contents differ", name);
	else if (!old->fs.type[0] || !new->fs.type[0])
		complain("%s: %s is there only %s the overlay: its files are not compared", name,
		         new->fs.type[0] ? new->fs.type : old->fs.type,
		         new->fs.type[0] ? "with" : "without");
	else
		complain("%s: %s cannot be browsed: its files are not compared", name, type);
}

static void compare_unit(struct diff *d, const struct unit *unit, bool prefixed)
{
	struct platter_view view = d->cli->view;
	struct platter_tree *trees[SIDES] = {NULL, NULL};
	struct platter_error err;
	char prefix[16] = "";

	if (prefixed)
		snprintf(prefix, sizeof prefix, "%" PRIu32, unit->number);
	if (platter_mount(d->plain, (int)unit->number, &view, &trees[OLD], &err) != 0 ||
	    platter_mount(d->merged, (int)unit->number, &view, &trees[NEW], &err) != 0) {
		complain_error(&err);
		d->trouble = true;
	} else {
		diff_trees(d, trees[OLD], trees[NEW], prefix);
	}
	platter_tree_close(trees[OLD]);
	platter_tree_close(trees[NEW]);
}

static void put_skipped(struct diff *d, const struct unit *unit)
{
	const struct platter_fs_info *fs = &unit->sides[NEW].fs;

	json_open(&d->json, NULL, '{');
	json_number(&d->json, "partition", unit->number);
	json_string_or_null(&d->json, "type",
	                    fs->type && fs->type[0] ? fs->type : unit->sides[OLD].fs.type);
	json_close(&d->json, '}');
}

static void compare_units(struct diff *d, struct units *u)
{
	size_t filesystems = 0, kept = 0;

	for (size_t i = 0; i < u->count; i++)
		filesystems +=
			u->list[i].sides[OLD].fs.filesystem || u->list[i].sides[NEW].fs.filesystem;
	if (d->cli->json)
		json_open(&d->json, "files", '[');
	for (size_t i = 0; i < u->count; i++) {
		const struct unit *unit = &u->list[i];
		int t = touched(d, unit);

		if (t > 0 && comparable(unit)) {
			compare_unit(d, unit, filesystems > 1 && d->cli->part < 0);
		} else if (t < 0 || (t > 0 && !looked(d, unit))) {
			d->trouble = true;
		} else if (t > 0) {
			d->differ = true;
			complain_skipped(unit);
			u->list[kept++] = *unit;
		}
	}
	if (!d->cli->json)
		return;
	json_close(&d->json, ']');
	json_open(&d->json, "skipped", '[');
	for (size_t i = 0; i < kept; i++)
		put_skipped(d, &u->list[i]);
	json_close(&d->json, ']');
}

void diff_filesystems(struct diff *d)
{
	/* What a side does not have has no type either. */
	static const struct platter_fs_info none = {.type = "", .label = "", .uuid = ""};
	struct units u = {0};
	int r = gather(&u, d->plain, OLD, d->cli->part);

	if (!r)
		r = gather(&u, d->merged, NEW, d->cli->part);
	for (size_t i = 0; i < u.count; i++)
		for (int side = 0; side < SIDES; side++)
			if (!u.list[i].sides[side].there)
				u.list[i].sides[side].fs = none;
	if (r) {
		diff_trouble(d, d->overlay, r);
	} else if (d->cli->part > 0 && u.count == 0) {
		complain("%s: no partition %d", d->overlay, d->cli->part);
		d->trouble = true;
	} else {
		if (u.count)
			qsort(u.list, u.count, sizeof *u.list, by_number);
		compare_units(d, &u);
	}
	free(u.list);
}

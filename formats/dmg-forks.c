/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of a UDIF image, as its property list or its resource fork holds them. The latter is
 * as in "Inside Macintosh: More Macintosh Toolbox", pages 1-121 to 1-125: a header, the resources
 * (each after its length), and a map that lists types and, for each, the resources.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmg.h"
#include "plist.h"
#include "text.h"

/*
 * Half a million chunks in base64: 512 GiB at 1 MiB each. A chunk takes 40 bytes in its table, and
 * 60 when that stands in indented lines of base64.
 */
#define TABLES_MAX ((size_t)32 << 20)

/* ---- property list ---- */

/* One dict of the array, its beginning read already. */
static int read_entry(struct image *image, struct dmg *dmg, struct plist *p,
                      struct platter_error *err)
{
	char name[40] = "";
	uint8_t *data = NULL;
	size_t len = 0;
	int r;

	while ((r = plist_next(p, err)) == PLIST_KEY) {
		bool is_data = plist_is(p, "Data"), is_name = plist_is(p, "Name");

		r = plist_next(p, err);
		if (is_name && r == PLIST_STRING)
			text_plain(p->text.p, p->text.len, name, sizeof name);
		if (is_data && r == PLIST_DATA && !data)
			r = plist_data(p, &data, &len, err);
		else
			r = plist_skip(p, r, err);
		if (r)
			break;
	}
	if (r == PLIST_END)
		r = dmg_add_table(image, dmg, data, len, name, err);
	else if (r >= 0)
		r = err_set(err, EINVAL, "property list: blkx is no array of dicts");
	free(data);
	return r;
}

/* Go into the member of a dict that has that name and begins with that token. Not there: 0. */
static int enter(struct plist *p, const char *name, int wanted, struct platter_error *err)
{
	int r;

	while ((r = plist_next(p, err)) == PLIST_KEY) {
		bool found = plist_is(p, name);

		r = plist_next(p, err);
		if (found && r == wanted)
			return 1;
		r = plist_skip(p, r, err);
		if (r)
			return r;
	}
	if (r < 0)
		return r;
	return r == PLIST_END ? 0 : err_set(err, EINVAL, "property list: a value without a key");
}

static int read_blkx(struct image *image, struct dmg *dmg, struct plist *p,
                     struct platter_error *err)
{
	int r = plist_next(p, err);

	if (r != PLIST_DICT)
		return r < 0 ? r : err_set(err, EINVAL, "property list: expected a dict");
	r = enter(p, "resource-fork", PLIST_DICT, err);
	if (r == 1)
		r = enter(p, "blkx", PLIST_ARRAY, err);
	if (r != 1)
		return r;
	while ((r = plist_next(p, err)) == PLIST_DICT) {
		r = read_entry(image, dmg, p, err);
		if (r)
			return r;
	}
	if (r < 0)
		return r;
	return r == PLIST_END ? 0
	                      : err_set(err, EINVAL, "property list: blkx is no array of dicts");
}

int dmg_read_plist(struct image *image, struct dmg *dmg, uint64_t off, uint64_t len,
                   struct platter_error *err)
{
	struct plist p;
	void *text;
	int r = dev_read_table(dmg->file, off, len, 1, TABLES_MAX, "property list", &text, err);

	if (r)
		return r;
	r = plist_begin(&p, text, (size_t)len, err);
	if (!r)
		r = read_blkx(image, dmg, &p, err);
	free(text);
	return r;
}

/* ---- resource fork ---- */

struct resource_header {
	be32 data_offset; /* +0x0 */
	be32 map_offset;  /* +0x4 */
	be32 data_length; /* +0x8 */
	be32 map_length;  /* +0xc */
};

_Static_assert(sizeof(struct resource_header) == 16, "figure 1-12");

struct resource_map {
	struct resource_header copy; /* +0x00 */
	uint8_t reserved[8];         /* +0x10 next map, file reference, attributes */
	be16 type_list;              /* +0x18 from the map's beginning */
	be16 name_list;              /* +0x1a */
};

_Static_assert(sizeof(struct resource_map) == 28, "figure 1-14");

struct resource_type {
	uint8_t type[4];     /* +0x0 */
	be16 count_less_1;   /* +0x4 */
	be16 reference_list; /* +0x6 from the type list's beginning */
};

_Static_assert(sizeof(struct resource_type) == 8, "figure 1-15");

struct resource_reference {
	be16 id;            /* +0x0 */
	be16 name;          /* +0x2 */
	uint8_t attributes; /* +0x4 */
	uint8_t data[3];    /* +0x5 from the resource data's beginning */
	be32 reserved;      /* +0x8 */
};

_Static_assert(sizeof(struct resource_reference) == 12, "figure 1-16");

struct fork {
	const uint8_t *bytes;
	size_t len;
	uint64_t data, types;           /* where the resources and the type list begin */
	uint64_t taken[DMG_TABLES_MAX]; /* where those that are tables stand */
	size_t ntaken;
};

static bool fork_get(const struct fork *f, uint64_t off, void *out, size_t len)
{
	if (!range_ok(off, len, f->len))
		return false;
	memcpy(out, f->bytes + off, len);
	return true;
}

static int fork_broken(const char *what, uint64_t off, struct platter_error *err)
{
	return err_set(err, EINVAL, "resource fork: the %s at %llu passes its end", what,
	               (unsigned long long)off);
}

/* Each resource is one table: many references to one would make much of a small file. */
static int take_once(struct fork *f, uint64_t at, struct platter_error *err)
{
	for (size_t i = 0; i < f->ntaken; i++)
		if (f->taken[i] == at)
			return err_set(err, EINVAL,
			               "resource fork: two references to the table at %llu",
			               (unsigned long long)at);
	if (f->ntaken < DMG_TABLES_MAX) /* dmg_add_table refuses more */
		f->taken[f->ntaken++] = at;
	return 0;
}

static int read_resource(struct image *image, struct dmg *dmg, struct fork *f, uint64_t off,
                         struct platter_error *err)
{
	struct resource_reference ref;
	char name[40];
	uint64_t at;
	be32 len;
	int r;

	if (!fork_get(f, off, &ref, sizeof ref))
		return fork_broken("reference", off, err);
	at = f->data + ((uint64_t)ref.data[0] << 16 | (uint64_t)ref.data[1] << 8 | ref.data[2]);
	if (!fork_get(f, at, &len, sizeof len) || !range_ok(at + 4, be32_get(len), f->len))
		return fork_broken("resource", at, err);
	r = take_once(f, at, err);
	if (r)
		return r;
	snprintf(name, sizeof name, "resource %d", (int16_t)be16_get(ref.id));
	return dmg_add_table(image, dmg, f->bytes + at + 4, be32_get(len), name, err);
}

static int read_types(struct image *image, struct dmg *dmg, struct fork *f,
                      struct platter_error *err)
{
	struct resource_type type;
	be16 less_1;
	unsigned count;

	if (!fork_get(f, f->types, &less_1, sizeof less_1))
		return fork_broken("type list", f->types, err);
	count = (be16_get(less_1) + 1u) & 0xffff;
	for (unsigned i = 0; i < count; i++) {
		uint64_t off = f->types + 2 + i * sizeof type;

		if (!fork_get(f, off, &type, sizeof type))
			return fork_broken("type", off, err);
		if (memcmp(type.type, "blkx", 4) != 0)
			continue;
		off = f->types + be16_get(type.reference_list);
		for (unsigned j = 0; j <= be16_get(type.count_less_1); j++) {
			int r = read_resource(image, dmg, f,
			                      off + j * sizeof(struct resource_reference), err);

			if (r)
				return r;
		}
	}
	return 0;
}

int dmg_read_fork(struct image *image, struct dmg *dmg, uint64_t off, uint64_t len,
                  struct platter_error *err)
{
	struct resource_header header;
	struct resource_map map;
	struct fork f = {.len = (size_t)len};
	void *bytes;
	int r = dev_read_table(dmg->file, off, len, 1, TABLES_MAX, "resource fork", &bytes, err);

	if (r)
		return r;
	f.bytes = bytes;
	if (!fork_get(&f, 0, &header, sizeof header) ||
	    !fork_get(&f, be32_get(header.map_offset), &map, sizeof map)) {
		r = fork_broken("map", off, err);
	} else {
		f.data = be32_get(header.data_offset);
		f.types = (uint64_t)be32_get(header.map_offset) + be16_get(map.type_list);
		r = read_types(image, dmg, &f, err);
	}
	free(bytes);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is on a disk: its partition table, boot catalogue and filesystems. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "ondisk.h"

static const uint32_t sector_sizes[] = {512, 1024, 2048, 4096};

/* The sizes to try: the one that is known, or all. */
static size_t candidates(uint32_t known, const uint32_t **sizes)
{
	static const uint32_t *const all = sector_sizes;

	*sizes = all;
	if (!known)
		return sizeof sector_sizes / sizeof *sector_sizes;
	while (**sizes != known)
		(*sizes)++;
	return 1;
}

static int scan_sized(struct platter *p, const struct partition_driver *d, uint32_t sector,
                      struct table *t, struct platter_error *err)
{
	int r;

	*t = (struct table){.sector = sector};
	r = d->scan(p->disk, sector, t, err);
	if (r == 0) {
		t->scheme = d->name;
		r = table_check(t, p->disk->size);
		if (r)
			err_set(err, -r, "no memory for the partition table");
	}
	if (r)
		table_clear(t);
	return r;
}

static int scan_driver(struct platter *p, const struct partition_driver *d, uint32_t known,
                       struct table *t, struct platter_error *err)
{
	const uint32_t *sizes;
	size_t n = candidates(known, &sizes);
	int r = DRIVER_NOT_MINE;

	for (size_t i = 0; i < n && r == DRIVER_NOT_MINE; i++)
		r = scan_sized(p, d, sizes[i], t, err);
	return r;
}

/* ---- filesystems ---- */

static int identify_part(struct platter *p, struct partition *part, struct fsid *id)
{
	struct dev *window;
	int r;

	memset(id, 0, sizeof *id);
	if (part->container || part->usable == 0)
		return 0;
	r = dev_window(p->disk, part->start, part->usable, &window);
	if (r)
		return r;
	r = fsid_identify(window, id);
	dev_unref(window);
	if (id->error)
		partition_problem(part, "its filesystem cannot be looked for: %s",
		                  strerror(-id->error));
	return r;
}

/* Identify the filesystems in t; *found: how many there are. */
static int identify_parts(struct platter *p, const struct table *t, struct fsid **out,
                          size_t *found)
{
	struct fsid *ids = calloc(t->nparts ? t->nparts : 1, sizeof *ids);
	size_t probes = 0;
	int r = ids ? 0 : -ENOMEM;

	*found = 0;
	for (size_t i = 0; i < t->nparts && !r && probes < DISK_IDENTIFY_MAX; i++) {
		if (t->parts[i].container || t->parts[i].usable == 0)
			continue;
		r = identify_part(p, &t->parts[i], &ids[i]);
		probes++;
		*found += ids[i].type[0] != '\0';
	}
	if (r) {
		free(ids);
		ids = NULL;
	}
	*out = ids;
	return r;
}

/*
 * The table does not say how long its sectors are, and nothing is recognised where its partitions
 * start when they are 512 bytes: try the other sizes, and keep one under which something is.
 */
static int guess_sector(struct platter *p, const struct partition_driver *d)
{
	for (size_t i = 1; i < sizeof sector_sizes / sizeof *sector_sizes; i++) {
		struct table t;
		struct fsid *ids;
		size_t found;
		int r = scan_sized(p, d, sector_sizes[i], &t, NULL);

		if (r == DRIVER_NOT_MINE)
			continue;
		if (!r)
			r = identify_parts(p, &t, &ids, &found);
		if (r) {
			table_clear(&t);
			return r;
		}
		if (found) {
			table_clear(&p->table);
			free(p->parts);
			p->table = t;
			p->parts = ids;
			return 0;
		}
		table_clear(&t);
		free(ids);
	}
	return 0;
}

/* Schemes that would have been used if the one that was found had not come first. */
static int name_others(struct platter *p, size_t used, uint32_t known)
{
	for (size_t i = used + 1; partition_drivers[i]; i++) {
		const struct partition_driver *d = partition_drivers[i];
		struct table t;
		int r;

		/* A GPT's protective MBR is part of it; gpt.c says when it is more than that. */
		if (strcmp(p->table.scheme, "gpt") == 0 && strcmp(d->name, "mbr") == 0)
			continue;
		r = scan_driver(p, d, known, &t, NULL);
		if (r == -ENOMEM)
			return r;
		if (r == 0) {
			table_problem(&p->table,
			              "a table of scheme %s with %zu entries stands here "
			              "too and is not used",
			              d->name, t.nparts);
			table_clear(&t);
		}
	}
	return 0;
}

static int scan_table(struct platter *p, uint32_t known, struct platter_error *err)
{
	size_t found;
	int r = DRIVER_NOT_MINE;

	for (size_t i = 0; partition_drivers[i] && r == DRIVER_NOT_MINE; i++) {
		const struct partition_driver *d = partition_drivers[i];

		r = scan_driver(p, d, known, &p->table, err);
		if (r)
			continue;
		r = identify_parts(p, &p->table, &p->parts, &found);
		if (!r && d->sector_unsaid && !known && !found && p->table.nparts)
			r = guess_sector(p, d);
		if (!r)
			r = name_others(p, i, known);
		return r ? -ENOMEM : 0;
	}
	return r == DRIVER_NOT_MINE ? 0 : r;
}

static int scan_boot(struct platter *p, struct platter_error *err)
{
	int r = 0;

	for (size_t i = 0; boot_drivers[i] && r == 0 && !p->boot.scheme; i++) {
		r = scan_sized(p, boot_drivers[i], 2048, &p->boot, err);
		if (r == DRIVER_NOT_MINE)
			r = 0;
	}
	return r;
}

int disk_scan(struct platter *p, uint32_t wanted, struct platter_error *err)
{
	uint32_t known = wanted                 ? wanted
	                 : p->container->sector ? p->container->sector
	                                        : dev_file_sector(image_file(p->container, 0));
	int r = fsid_identify(p->disk, &p->whole);

	if (r)
		return err_set(err, -r, "looking for filesystems: %s", strerror(-r));
	r = scan_table(p, known, err);
	if (!r)
		r = scan_boot(p, err);
	/* Damage in a table is something that `info` shows, it does not refuse the disk. */
	if (r && r != -ENOMEM)
		table_problem(&p->table, "%s", err->text);
	else if (r)
		return err_set(err, -r, "no memory for the partition table");
	if (p->whole.error)
		table_problem(&p->table, "a filesystem on the whole disk cannot be looked for: %s",
		              strerror(-p->whole.error));
	/* An optical disc's tree says nothing else, but its sectors are what they are. */
	p->sector = p->table.scheme ? p->table.sector
	            : known         ? known
	            : p->whole.driver && strcmp(p->whole.driver->name, "iso9660") == 0 ? 2048
	                                                                               : 512;
	return 0;
}

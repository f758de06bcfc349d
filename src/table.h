/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table that a partition scheme's scan fills in, and the checks that the core makes on it:
 * ranges, overlaps and gaps are worked out here, once for every scheme.
 */
#ifndef PLATTER_TABLE_H
#define PLATTER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* More entries than any real table has; GPT's customary limit is 128. */
#define TABLE_ENTRIES_MAX 16384

/* Where in the disk the table that was used stands. */
enum table_source {
	TABLE_SOURCE_NONE, /* the scheme knows no copies */
	TABLE_SOURCE_PRIMARY,
	TABLE_SOURCE_BACKUP,
};

/* One entry. Strings are UTF-8 and terminated, "" for what the scheme does not have. */
struct partition {
	uint32_t number;      /* as Linux numbers it */
	uint64_t start, size; /* bytes, as recorded: may pass the end of the disk */
	char type[40]; /* as the scheme writes it: "0x83", a GUID in lower case, "Apple_HFS" */
	const char *type_name; /* in words, static; NULL when not known */
	char name[112];
	char uuid[40]; /* PARTUUID as Linux spells it, lower case */
	bool bootable;
	bool container;    /* an extended partition: logical ones lie inside */
	char problem[128]; /* "" = none */

	/* Set by table_check. */
	uint64_t usable; /* bytes from start that lie inside the disk: what a node may show */
};

struct table_gap {
	uint64_t start, size;
};

struct table {
	const char *scheme; /* NULL: no table */
	char uuid[40];      /* of the disk */
	enum table_source source;
	uint32_t sector;
	struct partition *parts;
	size_t nparts, allocated;
	char **problems;
	size_t nproblems;
	struct table_gap *gaps; /* set by table_check */
	size_t ngaps;
};

/* Append a copy of *part. -E2BIG after TABLE_ENTRIES_MAX, -ENOMEM. */
int table_add(struct table *table, const struct partition *part);

/* Record something wrong with the table as a whole; at most 32 are kept. */
void table_problem(struct table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Record something wrong with an entry; the first problem is kept. */
void partition_problem(struct partition *part, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Check every entry against the size of the disk and against each other, set .usable and
 * .problem, and compute the gaps: what no partition but a container covers. 0 or -ENOMEM.
 */
int table_check(struct table *table, uint64_t disk_size);

/* Free what the table holds and make it empty. */
void table_clear(struct table *table);

#endif

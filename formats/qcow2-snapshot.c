/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: internal snapshots ("Snapshots"). Each is an L1 table of its own; the snapshot table lists
 * them, entries of various lengths in a row, each padded to 8 bytes.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "qcow2.h"

/* Limits: QEMU's, and what fits them. */
#define SNAPSHOTS_MAX IMAGE_LIST_MAX
#define EXTRA_MAX     1024u
#define TABLE_MAX     ((uint64_t)32 << 20) /* all of that with names of 255 bytes */

struct snapshot {
	be64 l1_table_offset; /* +0x00 */
	be32 l1_size;         /* +0x08 entries */
	be16 id_str_size;     /* +0x0c */
	be16 name_size;       /* +0x0e */
	be32 date_sec;        /* +0x10 */
	be32 date_nsec;       /* +0x14 */
	be64 vm_clock_nsec;   /* +0x18 */
	be32 vm_state_size;   /* +0x20 */
	be32 extra_data_size; /* +0x24 */
			      /* extra data, id, name */
};
_Static_assert(sizeof(struct snapshot) == 40, "Snapshot table entry");

struct extra {
	be64 vm_state_size; /* +0x00 */
	be64 disk_size;     /* +0x08 */
};
_Static_assert(sizeof(struct extra) == 16, "Snapshot table entry, extra data");

/* The table through a window, since nothing says how long it is. */
struct reader {
	struct dev *file;
	uint64_t start, at;
	uint64_t from; /* of the file: where the window stands */
	size_t have;
	uint8_t window[65536];
};

/* The next len bytes (at most 64 KiB less one) at any place: moves on. */
static int next(struct reader *r, size_t len, const uint8_t **out, struct platter_error *err)
{
	int e;

	if (r->at < r->from || !range_ok(r->at - r->from, len, r->have)) {
		r->have = 0;
		if (range_ok(r->at, len, r->file->size))
			r->have = (size_t)min64(sizeof r->window, r->file->size - r->at);
		else
			return err_set(err, EIO, "the snapshot table passes the end at %llu",
			               (unsigned long long)r->file->size);
		r->from = r->at;
		e = dev_pread(r->file, r->window, r->have, r->from);
		if (e)
			return err_set(err, -e, "the snapshot table cannot be read");
	}
	*out = r->window + (r->at - r->from);
	r->at += len;
	if (r->at - r->start > TABLE_MAX)
		return err_set(err, EFBIG, "the snapshot table has more than %llu bytes",
		               (unsigned long long)TABLE_MAX);
	return 0;
}

static int next_string(struct reader *r, size_t len, char *out, size_t size,
                       struct platter_error *err)
{
	const uint8_t *p;
	int e = next(r, len, &p, err);

	if (e)
		return e;
	if (len > size - 1)
		len = size - 1;
	memcpy(out, p, len);
	out[len] = '\0';
	return 0;
}

static int next_snapshot(struct reader *r, uint64_t disk_size, struct snapshot *s,
                         struct image_snapshot *shown, struct platter_error *err)
{
	const uint8_t *p;
	struct extra extra;
	uint32_t len;
	int e;

	r->at = align_up(r->at, 8);
	e = next(r, sizeof *s, &p, err);
	if (e)
		return e;
	memcpy(s, p, sizeof *s);
	*shown = (struct image_snapshot){.created = be32_get(s->date_sec), .size = disk_size};
	len = be32_get(s->extra_data_size);
	if (len > EXTRA_MAX)
		return err_set(err, EFBIG, "a snapshot has %u bytes of extra data, at most %u", len,
		               EXTRA_MAX);
	e = next(r, len, &p, err);
	if (!e && len >= sizeof extra) {
		memcpy(&extra, p, sizeof extra);
		shown->size = be64_get(extra.disk_size);
	}
	if (!e)
		e = next_string(r, be16_get(s->id_str_size), shown->id, sizeof shown->id, err);
	if (!e)
		e = next_string(r, be16_get(s->name_size), shown->name, sizeof shown->name, err);
	return e;
}

/* Report them all. Where their L1 tables are goes to list. */
static int read_all(struct image *image, struct reader *r, uint32_t count, uint64_t disk_size,
                    struct snapshot *list, struct platter_error *err)
{
	for (uint32_t i = 0; i < count; i++) {
		struct image_snapshot shown;
		int e = next_snapshot(r, disk_size, &list[i], &shown, err);

		if (e)
			return e;
		e = image_add_snapshot(image, &shown);
		if (e)
			return err_set(err, -e, "no memory for snapshots");
	}
	return 0;
}

/* Show the snapshot that is wished for, if any. */
static int choose(struct image *image, struct qcow2 *q, const struct snapshot *list,
                  struct platter_error *err)
{
	size_t i;
	int r = image_choose_snapshot(image, &i, err);

	if (r || i == image->nsnapshots)
		return r;
	q->t.size = image->snapshots[i].size;
	return qcow2_take_l1(q, be64_get(list[i].l1_table_offset), be32_get(list[i].l1_size), err);
}

int qcow2_read_snapshots(struct image *image, struct qcow2 *q, const struct qcow2_header *h,
                         struct platter_error *err)
{
	uint32_t count = be32_get(h->nb_snapshots);
	uint64_t start = be64_get(h->snapshots_offset);
	struct snapshot *list;
	struct reader *r;
	int e;

	if (count > SNAPSHOTS_MAX)
		return err_set(err, EFBIG, "%u snapshots, at most %u", count, SNAPSHOTS_MAX);
	if (count && (start & (((uint64_t)1 << q->t.cluster_bits) - 1)))
		return err_set(err, EINVAL,
		               "the snapshot table stands at %llu, expected a multiple of the "
		               "cluster size",
		               (unsigned long long)start);
	/* No entry is shorter than its fixed part. */
	if (count && !range_ok(start, count * sizeof *list, q->t.file->size))
		return err_set(err, EIO, "the snapshot table at %llu passes the end at %llu",
		               (unsigned long long)start, (unsigned long long)q->t.file->size);
	list = calloc(count ? count : 1, sizeof *list);
	r = calloc(1, sizeof *r);
	if (list && r) {
		r->file = q->t.file;
		r->start = r->at = start;
		e = read_all(image, r, count, be64_get(h->size), list, err);
		if (!e)
			e = choose(image, q, list, err);
	} else {
		e = err_set(err, ENOMEM, "no memory for snapshots");
	}
	free(r);
	free(list);
	return e;
}

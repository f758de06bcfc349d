/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Byte for byte. In a new file zeros become holes. A block device gets its zeros by whatever way it
 * has, and its first MiB last: cut off in between, it has no partition table and no filesystem that
 * would pass for the disk.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "ondisk.h"

#define FIRST ((uint64_t)1 << 20)

/* What a device can do to zeros, it does to whole blocks; and somebody may want it to end. */
#define ZERO_UNIT ((uint64_t)4096)
#define ZERO_STEP ((uint64_t)1 << 30)

struct raw_writer {
	struct export_job *x;
	char *first;      /* what the device's first MiB is to be, NULL: a file */
	uint64_t written; /* up to here the device is done, but for .first */
};

static int write_zeros(struct raw_writer *w, uint64_t off, uint64_t len)
{
	struct export_job *x = w->x;

	while (len) {
		uint64_t n = min64(len, ZERO_STEP);
		int r;

		/* A piece that makes what is left begin with a whole block. */
		if (off % ZERO_UNIT)
			n = min64(n, ZERO_UNIT - off % ZERO_UNIT);
		else if (n > ZERO_UNIT)
			n = align_down(n, ZERO_UNIT);
		r = export_check_stop(x);
		if (!r && (r = dev_zero(x->out, off, n)) != 0)
			err_set(x->err, -r, "%s: cannot be written: %s", x->dst, strerror(-r));
		if (r)
			return r;
		off += n;
		len -= n;
	}
	return 0;
}

static int zero_up_to(struct raw_writer *w, uint64_t end)
{
	int r = end > w->written ? write_zeros(w, w->written, end - w->written) : 0;

	w->written = max64(w->written, end);
	return r;
}

/* Items begin at whole units, of which the first MiB has some: one lies on one side of its end or
 * on the other, or is cut there. */
static int put_on_device(struct raw_writer *w, const char *buf, size_t len, uint64_t off)
{
	size_t before = off < FIRST ? (size_t)min64(len, FIRST - off) : 0;
	int r = 0;

	memcpy(w->first + min64(off, FIRST), buf, before);
	buf += before;
	len -= before;
	off += before;
	for (size_t at = 0; at < len && !r; at += EXPORT_UNIT) {
		size_t n = (size_t)min64(EXPORT_UNIT, len - at);

		if (export_zero(buf + at, n))
			continue;
		r = zero_up_to(w, off + at);
		if (!r)
			r = export_write(w->x, buf + at, n, off + at);
		w->written = off + at + n;
	}
	return r;
}

static int put(void *self, const struct export_item *item)
{
	struct raw_writer *w = self;
	size_t len = (size_t)min64(item->len, w->x->from->size - item->off);

	return w->first ? put_on_device(w, item->buf, len, item->off)
	                : export_write_sparse(w->x, item->buf, len, item->off);
}

static int flush(struct export_job *x)
{
	int r = dev_flush(x->out);

	return r ? err_set(x->err, -r, "%s: cannot be written: %s", x->dst, strerror(-r)) : 0;
}

static int write_device(struct raw_writer *w)
{
	struct export_job *x = w->x;
	int r;

	w->first = calloc(1, FIRST);
	if (!w->first)
		return export_no_memory(x);
	/* What is there stops being what it was before anything else is written. */
	r = zero_up_to(w, min64(FIRST, x->from->size));
	if (!r)
		r = flush(x);
	if (!r)
		r = export_walk(x, put, w);
	if (!r)
		r = zero_up_to(w, x->from->size);
	if (!r)
		r = export_settle(x);
	if (!r)
		r = export_write(x, w->first, (size_t)min64(FIRST, x->from->size), 0);
	return r ? r : flush(x);
}

int export_raw(struct export_job *x)
{
	struct raw_writer w = {.x = x};
	int r;

	if (x->device) {
		r = write_device(&w);
		free(w.first);
		return r;
	}
	r = export_set_size(x, x->from->size);
	return r ? r : export_walk(x, put, &w);
}

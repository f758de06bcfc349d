/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums of an image's virtual disk: those that it stores compared, others computed. All that
 * are of one device are computed in one pass over it, each while its own range goes by.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "disk.h"
#include "ondisk.h"
#include "readout.h"

/* Checksums that are computed at the same time; who stores them has one or a few for each range. */
#define LIVE_MAX 64u

/* Zeros are fed in pieces of that size. */
#define ZEROS ((size_t)64 << 10)

/* One checksum to compute. */
struct job {
	struct dev *dev;
	const struct image_sum *stored; /* NULL: it is only wanted */
	const char *name;
	uint64_t start, end;
	size_t number;         /* stored ones first, each kind in its order */
	size_t gap;            /* that comes next, of those that the stored one leaves out */
	struct digest *digest; /* while it is live */
};

struct verify {
	struct platter *p;
	const struct platter_verify *how;
	const struct platter_progress *progress;
	struct platter_error *err;

	struct job *jobs; /* in order of dev and start */
	size_t njobs;
	size_t next; /* that has not begun */
	struct job *live[LIVE_MAX];
	unsigned nlive;
	uint64_t done, total;
};

/* ---- what there is to do ---- */

static int add_job(struct verify *v, const struct job *job)
{
	struct job *more = v->jobs;

	if ((v->njobs & (v->njobs - 1)) == 0)
		more = reallocarray(more, v->njobs ? v->njobs * 2 : 1, sizeof *more);
	if (!more)
		return err_set(v->err, ENOMEM, "%s: no memory", v->p->path);
	v->jobs = more;
	more[v->njobs] = *job;
	more[v->njobs].number = v->njobs;
	v->njobs++;
	return 0;
}

/* Gaps are to be in order, apart and inside. */
static bool gaps_ok(const struct image_sum *s)
{
	uint64_t at = s->start, end = s->start + s->length;

	for (size_t i = 0; i < s->ngaps; i++) {
		if (s->gaps[i].start < at || !range_ok(s->gaps[i].start, s->gaps[i].length, end))
			return false;
		at = s->gaps[i].start + s->gaps[i].length;
	}
	return true;
}

static int add_stored(struct verify *v, const struct image *image)
{
	int r = 0;

	for (size_t i = 0; !r && i < image->nsums; i++) {
		const struct image_sum *s = &image->sums[i];
		struct job job = {
			.dev = image->disk,
			.stored = s,
			.name = s->digest,
			.start = s->start,
			.end = s->start + s->length,
		};

		if (!range_ok(s->start, s->length, image->disk->size))
			return err_set(v->err, EINVAL,
			               "%s: a stored %s is of %" PRIu64 " bytes at %" PRIu64
			               ", and the disk ends at %" PRIu64,
			               v->p->path, s->digest, s->length, s->start,
			               image->disk->size);
		if (!gaps_ok(s))
			return err_set(v->err, EINVAL,
			               "%s: what a stored %s leaves out is not in order",
			               v->p->path, s->digest);
		r = add_job(v, &job);
	}
	return r;
}

/* The wanted ones, of what is wanted. */
static int add_wanted(struct verify *v, struct dev *dev)
{
	static const char *const fallback[] = {"sha256"};
	const char *const *names = v->how->digests;
	size_t count = v->how->ndigests;
	int r = 0;

	if (!count && !v->njobs) {
		names = fallback;
		count = 1;
	}
	for (size_t i = 0; !r && i < count; i++) {
		struct job job = {.dev = dev, .name = names[i], .end = dev->size};

		r = add_job(v, &job);
	}
	return r;
}

/* A name that nothing is known of is found before hours of reading. */
static int check_names(struct verify *v)
{
	for (size_t i = 0; i < v->njobs; i++) {
		struct digest *d;
		int r = digest_new(v->jobs[i].name, &d, v->err);

		digest_free(d);
		if (r) {
			err_prefix(v->err, "%s", v->p->path);
			return r;
		}
	}
	return 0;
}

static int in_order(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

/* ---- one pass ---- */

static void to_hex(const uint8_t *value, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[value[i] >> 4];
		*out++ = digits[value[i] & 15];
	}
	*out = '\0';
}

/* Tell of one that is live. */
static int finish(struct verify *v, struct job *job)
{
	uint8_t value[DIGEST_MAX];
	struct platter_sum sum = {
		.digest = job->name,
		.what = job->stored ? job->stored->what : "",
		.start = job->start,
		.length = job->end - job->start,
		.whole = job->start == 0 && job->end == job->dev->size,
	};
	size_t len = digest_end(job->digest, value);

	digest_free(job->digest);
	job->digest = NULL;
	if (!len)
		return err_set(v->err, EIO, "%s: %s cannot be computed", v->p->path, job->name);
	to_hex(value, len, sum.value);
	if (job->stored)
		to_hex(job->stored->value, len, sum.stored);
	v->how->tell(v->how->arg, &sum);
	return 0;
}

/* Begin those that start at or before off. */
static int begin_jobs(struct verify *v, const struct dev *dev, uint64_t off)
{
	for (; v->next < v->njobs; v->next++) {
		struct job *job = &v->jobs[v->next];
		int r;

		if (job->dev != dev || job->start > off)
			break;
		if (v->nlive == LIVE_MAX)
			return err_set(v->err, E2BIG,
			               "%s: more than %u checksums are of the byte at %" PRIu64,
			               v->p->path, LIVE_MAX, off);
		r = digest_new(job->name, &job->digest, v->err);
		if (!r && job->start == job->end)
			r = finish(v, job);
		else if (!r)
			v->live[v->nlive++] = job;
		if (r)
			return r;
	}
	return 0;
}

static int feed(struct digest *d, const char *data, uint64_t len)
{
	static const char zeros[ZEROS];
	int r = 0;

	if (data)
		return digest_add(d, data, (size_t)len);
	for (uint64_t n; len && !r; len -= n) {
		n = min64(len, ZEROS);
		r = digest_add(d, zeros, (size_t)n);
	}
	return r;
}

/* The gap that off is in or before; an empty one behind everything when there is none. */
static struct image_gap next_gap(struct job *job, uint64_t off)
{
	const struct image_sum *s = job->stored;

	while (s && job->gap < s->ngaps &&
	       s->gaps[job->gap].start + s->gaps[job->gap].length <= off)
		job->gap++;
	return s && job->gap < s->ngaps ? s->gaps[job->gap] : (struct image_gap){UINT64_MAX, 0};
}

/* The same of what counts, from off on. */
static int feed_counted(struct job *job, uint64_t off, const char *data, uint64_t len)
{
	uint64_t end = off + len, from = off;
	int r = 0;

	while (off < end && !r) {
		struct image_gap gap = next_gap(job, off);
		uint64_t stop = min64(end, gap.start);

		if (off < stop)
			r = feed(job->digest, data ? data + (off - from) : NULL, stop - off);
		off = stop < end ? min64(end, gap.start + gap.length) : end;
	}
	return r;
}

/* Give a piece in which nothing begins or ends to all that are live; end those that end there. */
static int use(struct verify *v, uint64_t off, const char *data, uint64_t len)
{
	unsigned kept = 0;
	int r = 0;

	for (unsigned i = 0; i < v->nlive && !r; i++) {
		struct job *job = v->live[i];

		if (feed_counted(job, off, data, len) != 0)
			r = err_set(v->err, EIO, "%s: %s cannot be computed", v->p->path,
			            job->name);
		else if (job->end == off + len)
			r = finish(v, job);
		else
			v->live[kept++] = job;
	}
	v->nlive = kept;
	v->done += len;
	if (v->progress)
		v->progress->step(v->progress->arg, v->done, v->total);
	return r;
}

/* Where the next one begins or ends, behind off, at most at end. */
static uint64_t boundary(const struct verify *v, const struct dev *dev, uint64_t end)
{
	for (unsigned i = 0; i < v->nlive; i++)
		end = min64(end, v->live[i]->end);
	if (v->next < v->njobs && v->jobs[v->next].dev == dev)
		end = min64(end, v->jobs[v->next].start);
	return end;
}

/* The first byte that cannot be read, in a piece that cannot. */
static int cannot_read(struct verify *v, struct dev *dev, const struct readout_piece *piece)
{
	uint64_t off = piece->off, len = piece->len, half;
	char *buf = malloc((size_t)len);
	int r = piece->error;

	while (buf && len > 1) {
		half = len / 2;
		if (dev_pread(dev, buf, (size_t)half, off) == 0) {
			off += half;
			len -= half;
		} else {
			len = half;
		}
	}
	free(buf);
	return err_set(v->err, -r, "%s: the disk cannot be read at %" PRIu64 ": %s", v->p->path,
	               off, strerror(-r));
}

static int use_piece(struct verify *v, struct dev *dev, const struct readout_piece *piece)
{
	uint64_t at = 0;
	int r = piece->error ? cannot_read(v, dev, piece) : 0;

	while (!r && at < piece->len) {
		uint64_t off = piece->off + at, len;

		r = begin_jobs(v, dev, off);
		len = boundary(v, dev, piece->off + piece->len) - off;
		if (!r)
			r = use(v, off, piece->data ? (const char *)piece->data + at : NULL, len);
		at += len;
	}
	return r;
}

static int read_all(struct verify *v, struct dev *dev, const struct readout_range *ranges, size_t n)
{
	struct readout_piece piece;
	struct readout *ro;
	int r = readout_open(dev, ranges, n, &ro);

	if (r)
		return err_set(v->err, -r, "%s: %s", v->p->path, strerror(-r));
	while (!r && readout_next(ro, &piece))
		r = use_piece(v, dev, &piece);
	readout_close(ro);
	return r;
}

/* ---- all passes ---- */

/* What the jobs from `from` on that are of one device cover, put together; *end: behind the last.
 */
static size_t cover(const struct verify *v, size_t from, struct readout_range *ranges, size_t *end)
{
	size_t n = 0, i;

	for (i = from; i < v->njobs && v->jobs[i].dev == v->jobs[from].dev; i++) {
		const struct job *job = &v->jobs[i];

		if (n && job->start <= ranges[n - 1].end)
			ranges[n - 1].end = max64(ranges[n - 1].end, job->end);
		else
			ranges[n++] = (struct readout_range){job->start, job->end};
	}
	*end = i;
	return n;
}

static int run(struct verify *v)
{
	struct readout_range *ranges = calloc(v->njobs, sizeof *ranges);
	size_t end, n;
	int r = ranges ? 0 : err_set(v->err, ENOMEM, "%s: no memory", v->p->path);

	for (size_t i = 0; i < v->njobs && !r; i = end) {
		n = cover(v, i, ranges, &end);
		for (size_t k = 0; k < n; k++)
			v->total += ranges[k].end - ranges[k].start;
	}
	for (size_t i = 0; i < v->njobs && !r; i = end) {
		n = cover(v, i, ranges, &end);
		v->next = i;
		r = read_all(v, v->jobs[i].dev, ranges, n);
	}
	free(ranges);
	return r;
}

/* The device that wanted ones are of; the caller drops the reference. */
static int open_target(struct verify *v, bool whole, struct dev **out)
{
	int i, r;

	if (whole || v->how->part <= 0) {
		*out = dev_ref(whole ? v->p->image : v->p->disk);
		return 0;
	}
	i = disk_find_part(v->p, (uint32_t)v->how->part);
	if (i < 0)
		return err_set(v->err, ENOENT, "%s: no partition %d", v->p->path, v->how->part);
	r = disk_open_part(v->p, (size_t)i, out);
	return r ? err_set(v->err, -r, "%s: partition %d: %s", v->p->path, v->how->part,
	                   strerror(-r))
	         : 0;
}

int platter_verify(struct platter *p, const struct platter_verify *how,
                   const struct platter_progress *progress, struct platter_error *err)
{
	struct verify v = {.p = p, .how = how, .progress = progress, .err = err};
	/* Of a part of the disk nothing is stored. */
	bool whole = how->part < 0 && p->disk->size == p->image->size;
	struct dev *target = NULL;
	int r = open_target(&v, whole, &target);

	for (struct image *i = whole ? p->container : NULL; i && !r; i = i->outer)
		r = add_stored(&v, i);
	if (!r)
		r = add_wanted(&v, target);
	if (!r)
		r = check_names(&v);
	if (!r) {
		qsort(v.jobs, v.njobs, sizeof *v.jobs, in_order);
		r = run(&v);
	}
	for (size_t i = 0; i < v.njobs; i++)
		digest_free(v.jobs[i].digest);
	free(v.jobs);
	dev_unref(target);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "newfile.h"
#include "ondisk.h"

/* How much of the disk is looked at before the caller hears of it again. */
#define LOOK_STEP ((uint64_t)64 << 30)

bool export_zero(const char *buf, size_t len)
{
	return len == 0 || (buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0);
}

static int cannot_read(struct export_job *x, uint64_t len, uint64_t off, int r)
{
	return err_set(x->err, -r,
	               "%s: %llu bytes at %llu of %s and its overlay cannot be read: %s", x->dst,
	               (unsigned long long)len, (unsigned long long)off, x->p->path, strerror(-r));
}

static int check_stop(struct export_job *x)
{
	return x->stop && *x->stop ? err_set(x->err, EINTR, "%s: interrupted", x->dst) : 0;
}

/* Report how far it is, and hear whether that is far enough. */
static int step(struct export_job *x, uint64_t done)
{
	if (x->progress)
		x->progress->step(x->progress->arg, done, x->from->size);
	return check_stop(x);
}

/*
 * Filesystems may walk over all of a stretch to find its end, so nothing is asked twice: offsets
 * only grow. An image in one piece under an overlay in thousands is asked for its holes once.
 */
static int see(struct dev *dev, uint64_t off, struct export_seen *seen)
{
	struct dev_extent ext;
	int r;

	if (off < seen->end)
		return 0;
	r = dev_extent(dev, off, &ext);
	if (!r)
		*seen = (struct export_seen){.end = off + ext.length, .hole = ext.hole};
	return r;
}

/* Find out what begins at off: .disk. */
static int look(struct export_job *x, uint64_t off)
{
	uint64_t n = min64(x->from->size - off, LOOK_STEP);
	bool held = false;
	int r = 0;

	if (off < x->disk.end)
		return 0;
	if (x->p->overlay)
		r = overlay_held(x->p->overlay, off, n, &held, &n);
	if (r)
		return r;
	if (x->original) {
		x->disk = (struct export_seen){.end = off + n, .hole = !held};
		return 0;
	}
	if (held)
		return see(x->from, off, &x->disk);
	r = see(x->p->image, off, &x->image);
	x->disk = (struct export_seen){.end = min64(off + n, x->image.end), .hole = x->image.hole};
	return r;
}

int export_next(struct export_job *x, uint64_t off, uint64_t *found, size_t *len)
{
	uint64_t size = x->from->size, at;

	for (at = off; at < size; at = x->disk.end) {
		int r = step(x, at);

		if (r)
			return r;
		r = look(x, at);
		if (r)
			return cannot_read(x, size - at, at, r);
		if (!x->disk.hole)
			break;
	}
	*found = size;
	*len = 0;
	if (at < size) {
		/* off is a multiple already, so this does not go back behind it. */
		*found = align_down(at, EXPORT_UNIT);
		*len = (size_t)min64(align_up(x->disk.end - *found, EXPORT_UNIT), EXPORT_STEP);
	}
	return 0;
}

int export_read(struct export_job *x, struct dev *dev, void *buf, size_t len, uint64_t off)
{
	int r = dev_pread(dev, buf, len, off);

	return r ? cannot_read(x, len, off, r) : 0;
}

int export_write(struct export_job *x, const void *buf, size_t len, uint64_t off)
{
	int r = dev_pwrite(x->out, buf, len, off);

	return r ? err_set(x->err, -r, "%s: cannot be written: %s", x->dst, strerror(-r)) : 0;
}

/* What can be refused before anything is copied. */
static int check(struct platter *p, const char *dst, const struct platter_export *how,
                 struct platter_error *err)
{
	struct stat st;

	if (how->thin && how->format != PLATTER_EXPORT_QCOW2)
		return err_set(err, EINVAL, "%s: only qcow2 can be thin", dst);
	if (how->thin && !p->overlay)
		return err_set(err, EINVAL, "%s: without an overlay there is no difference", dst);
	/* newfile_place would say the same, but after all the copying. */
	if (lstat(dst, &st) == 0)
		return err_set(err, EEXIST, "%s: cannot be made: %s", dst, strerror(EEXIST));
	return 0;
}

/* On disk before it has a name, while it can still be given up. */
static int flush(struct export_job *x)
{
	int r = dev_flush(x->out);

	if (r)
		return err_set(x->err, -r, "%s: cannot be written: %s", x->dst, strerror(-r));
	r = step(x, x->from->size);
	if (!r && x->p->base_id && overlay_base_check(x->p->base_id))
		return err_set(x->err, ESTALE, "%s: %s changed while it was copied", x->dst,
		               x->p->path);
	return r;
}

static int copy(struct export_job *x, const struct platter_export *how)
{
	int r = dev_target(x->fd, DEV_SIZE_MAX, &x->out);

	x->buf = malloc(EXPORT_STEP);
	if (r || !x->buf)
		r = err_set(x->err, ENOMEM, "%s: no memory", x->dst);
	else
		r = how->format == PLATTER_EXPORT_QCOW2 ? export_qcow2(x) : export_raw(x);
	if (!r)
		r = flush(x);
	free(x->buf);
	dev_unref(x->out);
	return r;
}

int platter_export(struct platter *p, const char *dst, const struct platter_export *how,
                   const struct platter_progress *progress, struct platter_error *err)
{
	struct export_job x = {
		.p = p,
		.from = p->overlay ? overlay_dev(p->overlay) : p->image,
		.dst = dst,
		.stop = how->stop,
		.progress = progress,
		.err = err,
	};
	struct newfile file;
	int r = check(p, dst, how, err);

	if (!r)
		r = newfile_open(dst, 0666, &file, err);
	if (r)
		return r;
	if (how->thin)
		x.original = overlay_base_dev(p->base_id);
	x.fd = file.fd;
	r = copy(&x, how);
	if (!r)
		r = newfile_place(&file, false, err);
	newfile_drop(&file);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "newfile.h"
#include "ondisk.h"
#include "used.h"

/* Zeros are left out in units that filesystems allocate by. */
#define HOLE ((size_t)4096)

/* ---- formats ---- */

struct writer {
	const char *format, *compress; /* compress NULL: not */
	int (*write)(struct export_job *x);
	enum pack pack;
};

static const struct writer writers[] = {
	{"raw", NULL, export_raw, PACK_NONE},
	{"qcow2", NULL, export_qcow2, PACK_NONE},
	{"qcow2", "zlib", export_qcow2, PACK_DEFLATE_4K},
	{"qcow2", "zstd", export_qcow2, PACK_ZSTD},
	{"vdi", NULL, export_vdi, PACK_NONE},
	{"vmdk", NULL, export_vmdk, PACK_NONE},
	{"vmdk", "zlib", export_vmdk_stream, PACK_ZLIB},
	{"vhd", NULL, export_vhd, PACK_NONE},
	{"vhdx", NULL, export_vhdx, PACK_NONE},
};

#define WRITERS (sizeof writers / sizeof *writers)

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *format_of(const struct platter_export *how)
{
	return how->format ? how->format : "raw";
}

static const struct writer *find_writer(const struct platter_export *how)
{
	for (size_t i = 0; i < WRITERS; i++)
		if (same(writers[i].format, format_of(how)) &&
		    same(writers[i].compress, how->compress))
			return &writers[i];
	return NULL;
}

static bool known_format(const char *format)
{
	for (size_t i = 0; i < WRITERS; i++)
		if (same(writers[i].format, format))
			return true;
	return false;
}

int platter_export_check(const struct platter_export *how, struct platter_error *err)
{
	const struct writer *w = find_writer(how);

	if (!known_format(format_of(how)))
		return err_set(err, EINVAL,
		               "--format %s: not a format to write, which are raw, qcow2, vdi, "
		               "vmdk, vhd and vhdx",
		               how->format);
	if (!w)
		return err_set(err, EINVAL,
		               "--compress %s with --format %s: only qcow2 (zlib, zstd) and vmdk "
		               "(zlib) are compressed",
		               how->compress, format_of(how));
	if (how->thin && strcmp(w->format, "qcow2") != 0)
		return err_set(err, EINVAL, "--thin with --format %s: only qcow2 can be thin",
		               w->format);
	if (how->device && strcmp(w->format, "raw") != 0)
		return err_set(err, EINVAL, "--format %s: what is written to a block device is raw",
		               w->format);
	return pack_require(w->pack, err);
}

/* ---- what the formats use ---- */

bool export_zero(const char *buf, size_t len)
{
	return len == 0 || (buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0);
}

static int cannot_write(struct export_job *x, int r)
{
	return err_set(x->err, -r, "%s: cannot be written: %s", x->dst, strerror(-r));
}

int export_write(struct export_job *x, const void *buf, size_t len, uint64_t off)
{
	int r = dev_pwrite(x->out, buf, len, off);

	return r ? cannot_write(x, r) : 0;
}

int export_write_sparse(struct export_job *x, const void *buf, size_t len, uint64_t off)
{
	const char *p = buf;
	int r = 0;

	for (size_t at = 0, n; at < len && !r; at += n) {
		bool zero = export_zero(p + at, min64(HOLE, len - at));

		for (n = HOLE; n < len - at; n += HOLE)
			if (export_zero(p + at + n, min64(HOLE, len - at - n)) != zero)
				break;
		n = min64(n, len - at);
		if (!zero)
			r = export_write(x, p + at, n, off + at);
	}
	return r;
}

int export_set_size(struct export_job *x, uint64_t size)
{
	if (ftruncate(x->fd, (off_t)size) == 0)
		return 0;
	return err_set(x->err, errno, "%s: cannot be made of %llu bytes: %s", x->dst,
	               (unsigned long long)size, strerror(errno));
}

void export_note(struct export_job *x, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!x->how->note)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	x->how->note(x->how->note_arg, line);
}

int export_no_memory(struct export_job *x)
{
	return err_set(x->err, ENOMEM, "%s: no memory", x->dst);
}

uint64_t export_sectors(struct export_job *x)
{
	uint64_t sectors = align_up(x->from->size, 512) / 512;

	if (sectors * 512 != x->from->size)
		export_note(x,
		            "%s: %llu zeros follow the %llu bytes of the disk, for whole sectors",
		            x->dst, (unsigned long long)(sectors * 512 - x->from->size),
		            (unsigned long long)x->from->size);
	return sectors;
}

int export_check_size(struct export_job *x, const char *format, uint64_t max)
{
	if (x->from->size <= max)
		return 0;
	return err_set(x->err, EOVERFLOW, "%s: a disk of %llu bytes, in %s at most %llu", x->dst,
	               (unsigned long long)x->from->size, format, (unsigned long long)max);
}

int export_random(struct export_job *x, void *out, size_t len)
{
	if (getrandom(out, len, 0) == (ssize_t)len)
		return 0;
	return err_set(x->err, errno, "%s: no random numbers: %s", x->dst, strerror(errno));
}

/* ---- the source ---- */

static int open_window(struct export_job *x, struct dev *lower, uint64_t start, uint64_t size,
                       struct dev **out)
{
	return dev_window(lower, start, size, out) ? export_no_memory(x) : 0;
}

/* The partition, or the whole of the disk that p shows. */
static int choose_part(struct export_job *x, uint64_t *start, uint64_t *size)
{
	struct platter *p = x->p;
	int i = -1;

	*start = 0;
	*size = p->disk->size;
	if (x->how->part <= 0)
		return 0;
	i = disk_find_part(p, (uint32_t)x->how->part);
	if (i < 0)
		return err_set(x->err, ENOENT, "%s: no partition %d", p->path, x->how->part);
	*start = p->table.parts[i].start;
	*size = p->table.parts[i].usable;
	if (*size)
		return 0;
	return err_set(x->err, ENXIO, "%s: partition %d: %s", p->path, x->how->part,
	               p->table.parts[i].problem[0] ? p->table.parts[i].problem : "is empty");
}

/* Sizes and times of the image's files. A block device has neither that would tell anything. */
static uint64_t stamp(const struct export_job *x)
{
	uint64_t sum = 0;

	for (size_t i = 0; x->p && i < image_file_count(x->p->container); i++) {
		struct stat st;

		if (fstat(dev_file_fd(image_file(x->p->container, i)), &st) < 0)
			continue;
		sum = sum * 31 + (uint64_t)st.st_size;
		if (S_ISREG(st.st_mode))
			sum = sum * 31 + (uint64_t)st.st_mtim.tv_sec * 1000000000u +
			      (uint64_t)st.st_mtim.tv_nsec;
	}
	return sum;
}

static int open_source(struct export_job *x)
{
	struct platter *p = x->p;
	uint64_t start, size;
	int r = choose_part(x, &start, &size);

	x->stamp = stamp(x);
	if (!r)
		r = open_window(x, p->disk, start, size, &x->from);
	x->start = p->start + start;
	if (!r)
		r = open_window(x, p->image, x->start, size, &x->image);
	if (!r && x->how->thin)
		x->original = x->image;
	if (!r && x->how->used && used_open(p, start, size, x->how, &x->used) != 0)
		r = export_no_memory(x);
	return r;
}

static void close_source(struct export_job *x)
{
	used_close(x->used);
	dev_unref(x->image);
	dev_unref(x->from);
}

/* Whether what is copied is still what it was at first. With an overlay that knows better. */
static bool changed(const struct export_job *x)
{
	if (x->p && x->p->base_id)
		return overlay_base_check(x->p->base_id);
	return stamp(x) != x->stamp;
}

/* ---- the destination ---- */

int export_settle(struct export_job *x)
{
	int r = dev_flush(x->out);

	if (r)
		return cannot_write(x, r);
	if (x->progress && x->progress->step)
		x->progress->step(x->progress->arg, x->from->size, x->from->size);
	r = export_check_stop(x);
	if (!r && changed(x))
		return err_set(x->err, ESTALE, "%s: %s changed while it was copied", x->dst,
		               x->src);
	return r;
}

static int copy(struct export_job *x, uint64_t size)
{
	const struct writer *w = find_writer(x->how);
	int r = dev_target(x->fd, size, &x->out) ? export_no_memory(x) : 0;

	x->pack = w->pack;
	if (!r)
		r = w->write(x);
	/* On disk before it has a name, while it can still be given up. A device has been. */
	if (!r && !x->device)
		r = export_settle(x);
	dev_unref(x->out);
	return r;
}

static int to_new_file(struct export_job *x)
{
	struct newfile file;
	struct stat st;
	int r;

	/* newfile_place would say the same, but after all the copying. */
	if (lstat(x->dst, &st) == 0)
		return err_set(x->err, EEXIST, "%s: cannot be made: %s", x->dst, strerror(EEXIST));
	r = newfile_open(x->dst, 0666, &file, x->err);
	if (r)
		return r;
	x->fd = file.fd;
	r = copy(x, DEV_SIZE_MAX);
	if (!r)
		r = newfile_place(&file, false, x->err);
	newfile_drop(&file);
	return r;
}

static int to_device(struct export_job *x)
{
	uint64_t size;
	int r = export_open_device(x, &size);

	if (r)
		return r;
	r = copy(x, size);
	if (close(x->fd) < 0 && !r)
		r = cannot_write(x, -errno);
	return r;
}

int platter_export(struct platter *p, const char *dst, const struct platter_export *how,
                   const struct platter_progress *progress, struct platter_error *err)
{
	struct export_job x = {
		.p = p,
		.overlay = p->overlay,
		.src = p->path,
		.dst = dst,
		.device = how->device,
		.how = how,
		.progress = progress,
		.err = err,
	};
	int r = platter_export_check(how, err);

	if (!r && how->thin && !p->overlay)
		r = err_set(err, EINVAL, "%s: without an overlay there is no difference", dst);
	/* The backing file is all of the image. */
	if (!r && how->thin && (how->part > 0 || p->disk->size != p->image->size))
		r = err_set(err, EINVAL, "%s: only the whole disk can be thin", dst);
	if (!r)
		r = open_source(&x);
	if (!r)
		r = how->device ? to_device(&x) : to_new_file(&x);
	close_source(&x);
	return r;
}

int platter_create(const char *dst, uint64_t size, const struct platter_export *how,
                   struct platter_error *err)
{
	struct export_job x = {
		.src = "nothing",
		.dst = dst,
		.how = how,
		.err = err,
	};
	int r = platter_export_check(how, err);

	if (!r && (size == 0 || size > DEV_SIZE_MAX))
		r = err_set(err, EFBIG, "%s: a disk of %llu bytes, expected 1 to %llu", dst,
		            (unsigned long long)size, (unsigned long long)DEV_SIZE_MAX);
	if (!r && dev_blank(size, &x.from) != 0)
		r = export_no_memory(&x);
	if (r)
		return r;
	x.image = dev_ref(x.from);
	r = to_new_file(&x);
	close_source(&x);
	return r;
}

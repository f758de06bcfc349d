/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "disk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ondisk.h"

/* Unpacked chunks that are kept: a sixty-fourth of a GiB serves a directory walk and read-ahead
 * of every thread; what is raw in a file is in the kernel's cache. */
#define CACHE_BYTES ((size_t)16 << 20)

/* A damaged image is read over and over: ten lines a second tell enough. */
static bool log_is_full(struct platter *p)
{
	time_t now = time(NULL);

	if (__atomic_exchange_n(&p->log_second, now, __ATOMIC_RELAXED) != now)
		__atomic_store_n(&p->log_lines, 0, __ATOMIC_RELAXED);
	return __atomic_fetch_add(&p->log_lines, 1, __ATOMIC_RELAXED) >= 10;
}

void disk_log(struct platter *p, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!p->log || log_is_full(p))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	p->log(p->log_arg, line);
}

int disk_find_part(const struct platter *p, uint32_t number)
{
	for (size_t i = 0; i < p->table.nparts; i++)
		if (p->table.parts[i].number == number)
			return (int)i;
	return -1;
}

int disk_open_part(struct platter *p, size_t i, struct dev **out)
{
	return dev_window(p->disk, min64(p->table.parts[i].start, p->disk->size),
	                  p->table.parts[i].usable, out);
}

/* ---- opening ---- */

/* The absolute form of a path whose last component need not exist. */
static char *absolute(const char *path)
{
	char *full = realpath(path, NULL), *folder, *slash;

	if (full)
		return full;
	folder = strdup(path);
	if (!folder)
		return NULL;
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	full = realpath(slash ? folder : ".", NULL);
	free(folder);
	if (full) {
		const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
		char *joined;

		if (asprintf(&joined, "%s/%s", strcmp(full, "/") == 0 ? "" : full, name) < 0)
			joined = NULL;
		free(full);
		full = joined;
	}
	return full;
}

/*
 * The format is found once in the life of an overlay and written down in it: a guest that writes
 * another format's magic into a raw image must not change how it is read next time. So is the
 * snapshot in the image that it is over.
 */
static int recorded(const char *overlay, struct image_request *req, struct platter_error *err)
{
	struct ovl_header h;
	int r;

	if (!overlay)
		return 0;
	r = overlay_peek(overlay, &h, err);
	if (r == -ENOENT)
		return 0;
	if (r)
		err_prefix(err, "overlay %s", overlay);
	req->format_id = r ? 0 : le32_get(h.base.format);
	req->state = r ? 0 : le32_get(h.base.state);
	return r;
}

static int open_blank(struct platter *p, uint64_t size, struct platter_error *err)
{
	struct image_request req = {.format = "raw", .cache = p->cache};
	struct dev *zeros;
	int r;

	if (size > DEV_SIZE_MAX)
		return err_set(err, EFBIG, "a disk of %llu bytes, expected 1 to %llu",
		               (unsigned long long)size, (unsigned long long)DEV_SIZE_MAX);
	if (p->overlay_path && strcmp(p->overlay_path, "ram") != 0)
		return err_set(err, EINVAL, "there is no image that an overlay could be over");
	p->blank = true;
	r = dev_blank(size, &zeros);
	if (r)
		return err_set(err, -r, "no memory");
	r = image_open_dev(zeros, &req, &p->container, err);
	dev_unref(zeros);
	return r;
}

static int open_image(struct platter *p, const char *path, const struct platter_options *opt,
                      struct platter_error *err)
{
	const char *overlay = opt->overlay_ram ? NULL : p->overlay_path;
	struct image_request req = {.format = opt->format,
	                            .snapshot = opt->snapshot,
	                            .chain = opt->chain,
	                            .index_folder = opt->index_folder,
	                            .progress = opt->progress,
	                            .disk_number = opt->disk,
	                            .stop = opt->stop};
	const struct image *outermost;
	int r = opt->blank ? 0 : recorded(overlay, &req, err);

	if (r)
		return r;
	p->cache = cache_new(CACHE_BYTES);
	if (!p->cache)
		return err_set(err, ENOMEM, "no memory for the cache");
	req.cache = p->cache;
	r = opt->blank ? open_blank(p, opt->blank, err)
	               : image_open(path, &req, &p->container, err);
	if (r)
		return r;
	outermost = p->container;
	while (outermost->outer)
		outermost = outermost->outer;
	if (req.format_id && opt->format && strcmp(outermost->format->name, opt->format) != 0)
		return err_set(err, ESTALE,
		               "overlay %s was made for another container format than %s", overlay,
		               opt->format);
	p->image = p->container->disk;
	image_format_name(p->container, p->format_name, sizeof p->format_name);
	return 0;
}

static void check_base(void *arg)
{
	struct platter *p = arg;

	if (overlay_base_check(p->base_id))
		disk_log(p, "the image changed under its overlay: what only the image holds is no "
		            "longer served");
}

static void pass_on_log(void *arg, const char *line)
{
	disk_log(arg, "%s", line);
}

static int open_ram_overlay(struct platter *p, uint64_t max, struct platter_error *err)
{
	struct overlay_hooks hooks = {.before_flush = check_base, .log = pass_on_log, .arg = p};
	struct overlay_mode mode = {.max = max};
	struct overlay_io *io;
	struct ovl_header h;
	int r = overlay_base_open(p->container, &p->base_id, err);

	if (!r)
		r = ovl_header_init(&h, p->image->size, err);
	if (!r)
		r = overlay_base_record(p->base_id, &h.base, err);
	if (!r)
		overlay_base_watch(p->base_id, &h.base);
	if (!r)
		r = overlay_io_ram(le64_get(h.file_size), &io, err);
	if (r)
		return r;
	if (!max)
		mode.max = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
	return overlay_start(io, &h, 0, overlay_base_dev(p->base_id), mode, &hooks, &p->overlay,
	                     err);
}

static int open_file_overlay(struct platter *p, const struct platter_options *opt,
                             struct platter_error *err)
{
	struct overlay_hooks hooks = {.before_flush = check_base, .log = pass_on_log, .arg = p};
	struct overlay_request req = {.path = p->overlay_path,
	                              .read_only = opt->overlay_ro,
	                              .live = opt->overlay_live,
	                              .hint = p->path};
	int r = overlay_base_open(p->container, &p->base_id, err);

	if (r)
		return r;
	req.base = overlay_base_dev(p->base_id);
	req.id = p->base_id;
	r = overlay_open(&req, &hooks, &p->overlay, err);
	if (r)
		err_prefix(err, "overlay %s", p->overlay_path);
	return r;
}

/* The window that the user asked for, or all of it. */
static int open_window(struct platter *p, const struct platter_options *opt,
                       struct platter_error *err)
{
	struct dev *below = p->overlay ? overlay_dev(p->overlay) : p->image;
	uint64_t length = opt->length;
	int r;

	if (opt->start >= below->size)
		return err_set(err, EINVAL, "start=%llu, but the disk has %llu bytes",
		               (unsigned long long)opt->start, (unsigned long long)below->size);
	if (!length)
		length = below->size - opt->start;
	if (!range_ok(opt->start, length, below->size))
		return err_set(err, EINVAL,
		               "start=%llu and length=%llu, but the disk has %llu bytes",
		               (unsigned long long)opt->start, (unsigned long long)length,
		               (unsigned long long)below->size);
	p->start = opt->start;
	r = dev_window(below, opt->start, length, &p->disk);
	return r ? err_set(err, -r, "no memory") : 0;
}

static int check_options(const struct platter_options *opt, struct platter_error *err)
{
	uint32_t s = opt->sector;

	if (s && (s < 512 || s > 4096 || !is_pow2(s)))
		return err_set(err, EINVAL, "sector=%u, expected 512, 1024, 2048 or 4096", s);
	return 0;
}

/* When the image was last written to: what has no time of its own in there has this one. */
static struct timespec image_time(const struct platter *p)
{
	struct stat st;

	return fstat(dev_file_fd(image_file(p->container, 0)), &st) == 0 ? st.st_mtim
	                                                                 : (struct timespec){0};
}

static int open_all(struct platter *p, const char *path, const struct platter_options *opt,
                    struct platter_error *err)
{
	int r = check_options(opt, err);

	if (r)
		return r;
	p->path = opt->blank ? strdup(path) : absolute(path);
	if (opt->overlay_ram)
		p->overlay_path = strdup("ram");
	else if (opt->overlay)
		p->overlay_path = absolute(opt->overlay);
	if (!p->path)
		return err_set(err, errno, "%s", strerror(errno));
	if (!p->overlay_path && (opt->overlay || opt->overlay_ram))
		return err_set(err, errno, "overlay %s: %s", opt->overlay, strerror(errno));
	r = open_image(p, path, opt, err);
	if (!r)
		p->mtime = image_time(p);
	if (!r && opt->overlay_ram)
		r = open_ram_overlay(p, opt->overlay_max, err);
	else if (!r && opt->overlay)
		r = open_file_overlay(p, opt, err);
	if (!r)
		r = open_window(p, opt, err);
	return r ? r : disk_scan(p, opt->sector, err);
}

int platter_open(const char *path, const struct platter_options *opt, struct platter **out,
                 struct platter_error *err)
{
	struct platter *p = calloc(1, sizeof *p);
	int r;

	*out = NULL;
	if (!p)
		return err_set(err, ENOMEM, "%s: no memory", path);
	p->log = opt->log;
	p->log_arg = opt->log_arg;
	snprintf(p->tree_name, sizeof p->tree_name, "%s", opt->tree ? opt->tree : "");
	p->fs_options = (struct fs_options){
		.tree = p->tree_name[0] ? p->tree_name : NULL,
		.session = opt->session,
		.lower = opt->lower,
	};
	r = open_all(p, path, opt, err);
	if (r) {
		err_prefix(err, "%s", path);
		platter_abandon(p);
		return r;
	}
	*out = p;
	return 0;
}

void platter_abandon(struct platter *p)
{
	if (!p)
		return;
	dev_unref(p->disk);
	overlay_free(p->overlay);
	overlay_base_close(p->base_id);
	image_close(p->container);
	cache_free(p->cache);
	table_clear(&p->table);
	table_clear(&p->boot);
	free(p->parts);
	free(p->overlay_path);
	free(p->path);
	free(p);
}

int platter_close(struct platter *p)
{
	int r = p && p->overlay ? overlay_finish(p->overlay) : 0;

	platter_abandon(p);
	return r;
}

int platter_begin(struct platter *p)
{
	return p->overlay ? overlay_begin(p->overlay) : 0;
}

int platter_flush(struct platter *p)
{
	return p->overlay ? overlay_flush(p->overlay) : 0;
}

const char *platter_path(const struct platter *p)
{
	return p->path;
}

const char *platter_overlay_path(const struct platter *p)
{
	return p->overlay_path;
}

const char *platter_format(const struct platter *p)
{
	return p->format_name;
}

bool platter_writable(const struct platter *p)
{
	return dev_writable(p->disk);
}

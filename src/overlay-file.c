/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overlay files: making, opening under a lock, inspecting and removing them. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "overlay.h"

#define LOCK_WAIT_MS 10000
#define LOCK_STEP_MS 10

/* Whoever attached it last holds it until its daemon has flushed, which outlasts umount(8). */
static int lock(int fd, short type, int wait_ms)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
	struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000L};

	for (; fcntl(fd, F_OFD_SETLK, &l) < 0; wait_ms -= LOCK_STEP_MS) {
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		if (wait_ms <= 0)
			return -EBUSY;
		nanosleep(&step, NULL);
	}
	return 0;
}

static bool locked(int fd)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

static int open_regular(const char *path, int flags, struct overlay_io **io, struct stat *st,
                        struct platter_error *err)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), r;

	*io = NULL;
	if (fd < 0)
		return err_set(err, errno, "%s", strerror(errno));
	if (fstat(fd, st) < 0)
		r = err_set(err, errno, "%s", strerror(errno));
	else if (!S_ISREG(st->st_mode))
		r = err_set(err, EINVAL, "is not a regular file");
	else if ((r = overlay_io_file(fd, io)) != 0)
		err_set(err, -r, "%s", strerror(-r));
	if (r)
		close(fd);
	return r ? r : fd;
}

static int check_size(const struct ovl_header *h, const struct stat *st, struct platter_error *err)
{
	if ((uint64_t)st->st_size < le64_get(h->file_size))
		return err_set(err, EINVAL, "%llu bytes, its header says %llu: it was cut",
		               (unsigned long long)st->st_size,
		               (unsigned long long)le64_get(h->file_size));
	return 0;
}

int overlay_peek(const char *path, struct ovl_header *h, struct platter_error *err)
{
	struct overlay_io *io;
	struct stat st;
	int r = open_regular(path, O_RDONLY, &io, &st, err), slot;

	if (r < 0)
		return r;
	r = ovl_header_read(io, true, h, &slot, err);
	if (!r)
		r = check_size(h, &st, err);
	io->ops->close(io);
	return r;
}

/* ---- making ---- */

static void set_hint(struct ovl_header *h, const char *hint)
{
	size_t n = strnlen(hint, OVL_HINT_MAX);

	h->hint_len = le16_put((uint16_t)n);
	memset(h->hint, 0, sizeof h->hint);
	memcpy(h->hint, hint, n);
}

static int fill_new(int fd, const struct overlay_request *req, struct platter_error *err)
{
	struct overlay_io *io;
	struct ovl_header h;
	int r = ovl_header_init(&h, req->base->size, err), own;

	if (!r)
		r = overlay_base_record(req->id, &h.base, err);
	if (r)
		return r;
	set_hint(&h, req->hint);
	if (ftruncate(fd, (off_t)le64_get(h.file_size)) < 0)
		return err_set(err, errno, "%llu bytes, sparse: %s",
		               (unsigned long long)le64_get(h.file_size), strerror(errno));
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	r = own < 0 ? -errno : overlay_io_file(own, &io);
	if (r)
		return err_set(err, -r, "%s", strerror(-r));
	for (int slot = 0; slot < 2 && !r; slot++) {
		h.hseq = le64_put((uint64_t)slot + 1);
		r = ovl_header_write(io, &h, slot);
	}
	if (!r && fsync(fd) < 0)
		r = -errno;
	io->ops->close(io);
	return r ? err_set(err, -r, "%s", strerror(-r)) : 0;
}

static int sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return r;
}

/*
 * Make a whole overlay under another name and link it into place: a crash leaves none or a good
 * one, and one that somebody else made meanwhile stays.
 */
static int create(const struct overlay_request *req, struct platter_error *err)
{
	char *tmp;
	int fd, r;

	if (asprintf(&tmp, "%s.XXXXXX", req->path) < 0)
		return err_set(err, ENOMEM, "no memory");
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		r = err_set(err, errno, "cannot be made: %s", strerror(errno));
		free(tmp);
		return r;
	}
	r = fill_new(fd, req, err);
	if (!r && link(tmp, req->path) < 0 && errno != EEXIST)
		r = err_set(err, errno, "cannot be made: %s", strerror(errno));
	unlink(tmp);
	close(fd);
	free(tmp);
	if (!r && (r = sync_folder(req->path)) != 0)
		err_set(err, -r, "its folder cannot be synced: %s", strerror(-r));
	return r;
}

/* ---- opening ---- */

static int open_locked(struct overlay_io *io, int fd, const struct overlay_request *req,
                       const struct overlay_hooks *hooks, struct overlay **out,
                       struct platter_error *err)
{
	struct overlay_mode mode = {.read_only = req->read_only};
	struct ovl_header h;
	struct stat st;
	bool moved;
	int slot, r = lock(fd, req->read_only ? F_RDLCK : F_WRLCK, LOCK_WAIT_MS);

	if (r == -EBUSY)
		err_set(err, EBUSY, "is in use by another platter");
	else if (r)
		err_set(err, -r, "cannot be locked: %s", strerror(-r));
	else if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		r = err_set(err, ESTALE, "was removed meanwhile");
	else
		r = ovl_header_read(io, req->read_only, &h, &slot, err);
	if (!r)
		r = check_size(&h, &st, err);
	if (!r)
		r = overlay_base_match(req->id, &h.base, &moved, err);
	if (r) {
		io->ops->close(io);
		return r;
	}
	overlay_base_watch(req->id, &h.base);
	set_hint(&h, req->hint);
	return overlay_start(io, &h, slot, req->base, mode, hooks, out, err);
}

int overlay_open(const struct overlay_request *req, const struct overlay_hooks *hooks,
                 struct overlay **out, struct platter_error *err)
{
	int flags = req->read_only ? O_RDONLY : O_RDWR, fd;
	struct overlay_io *io;
	struct stat st;

	*out = NULL;
	fd = open_regular(req->path, flags, &io, &st, err);
	if (fd == -ENOENT && !req->read_only) {
		int r = create(req, err);

		if (r)
			return r;
		fd = open_regular(req->path, flags, &io, &st, err);
	}
	if (fd < 0)
		return fd;
	return open_locked(io, fd, req, hooks, out, err);
}

/* ---- looking at one, and removing it ---- */

static uint64_t count_bits(const struct ovl_page *page)
{
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof page->bits; i++)
		n += (unsigned)__builtin_popcount(page->bits[i]);
	return n;
}

/* Blocks that the map on disk says are here; pages in holes are skipped. */
static int count_blocks(struct overlay_io *io, const struct ovl_header *h, uint64_t *blocks)
{
	uint64_t map[2] = {le64_get(h->map_a), le64_get(h->map_b)};
	struct ovl_page pair[2];

	*blocks = 0;
	for (uint64_t i = 0, step; i < le64_get(h->npages); i += step) {
		struct dev_extent a, b;
		int r = io->ops->extent(io, map[0] + i * OVL_PAGE_SIZE, &a), slot;

		if (!r)
			r = io->ops->extent(io, map[1] + i * OVL_PAGE_SIZE, &b);
		if (r)
			return r;
		step = 1;
		if (a.hole && b.hole) {
			step = max64(1, min64(a.length, b.length) / OVL_PAGE_SIZE);
			continue;
		}
		for (slot = 0; slot < 2 && !r; slot++)
			r = io->ops->pread(io, &pair[slot], OVL_PAGE_SIZE,
			                   map[slot] + i * OVL_PAGE_SIZE);
		if (r)
			return r;
		slot = ovl_page_choose(h, i, pair);
		if (slot >= 0)
			*blocks += count_bits(&pair[slot]);
	}
	return 0;
}

/*
 * The path in the header is for people: an overlay that came from elsewhere may name any file in
 * it. What is looked at is a regular file of that name beside the overlay itself.
 */
static bool find_beside(const char *overlay, const char *hint, char *path, size_t size)
{
	const char *name = strrchr(hint, '/'), *slash = strrchr(overlay, '/');
	struct stat st;

	name = name ? name + 1 : hint;
	snprintf(path, size, "%.*s%s", slash ? (int)(slash + 1 - overlay) : 0, overlay, name);
	return *name && lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int platter_overlay_find_image(const char *overlay, char **image, struct platter_error *err)
{
	char path[4096], hint[OVL_HINT_MAX + 1] = "";
	struct ovl_header h;
	int r = overlay_peek(overlay, &h, err);

	*image = NULL;
	if (r) {
		err_prefix(err, "%s", overlay);
		return r;
	}
	memcpy(hint, h.hint, le16_get(h.hint_len));
	if (!find_beside(overlay, hint, path, sizeof path))
		return err_set(err, ENOENT,
		               "%s: its image, %s, is not beside it; --base says where it is",
		               overlay, hint);
	*image = strdup(path);
	return *image ? 0 : err_set(err, ENOMEM, "no memory");
}

static void look_at_base(const char *overlay, const struct ovl_header *h,
                         struct platter_overlay_status *st)
{
	struct platter_error err = {0};
	struct overlay_base *id = NULL;
	struct ovl_base rec = h->base;
	struct dev *file = NULL;
	char path[4096];
	bool moved;

	if (!find_beside(overlay, st->base, path, sizeof path)) {
		err_set(&err, ENOENT, "no image of that name is beside the overlay");
	} else if (dev_file_open(path, &file, &err) == 0) {
		st->base_found = true;
		/* For a raw image the file is the disk; the sample is of the disk. */
		if (overlay_base_open(file, file, le32_get(rec.format), &id, &err) == 0)
			st->fits = overlay_base_match(id, &rec, &moved, &err) == 0;
	}
	snprintf(st->misfit, sizeof st->misfit, "%.255s", err.text);
	overlay_base_close(id);
	dev_unref(file);
}

int platter_overlay_get_status(const char *path, struct platter_overlay_status *st,
                               struct platter_error *err)
{
	struct overlay_io *io;
	struct ovl_header h;
	struct stat s;
	int slot, r, fd;

	memset(st, 0, sizeof *st);
	fd = open_regular(path, O_RDONLY, &io, &s, err);
	if (fd < 0) {
		err_prefix(err, "%s", path);
		return fd;
	}
	r = ovl_header_read(io, true, &h, &slot, err);
	if (!r)
		r = check_size(&h, &s, err);
	if (!r && (r = count_blocks(io, &h, &st->blocks)) != 0)
		err_set(err, -r, "the map cannot be read: %s", strerror(-r));
	st->in_use = locked(fd);
	io->ops->close(io);
	if (r) {
		err_prefix(err, "%s", path);
		return r;
	}
	memcpy(st->base, h.hint, le16_get(h.hint_len));
	st->pid = h.state == OVL_OPEN ? le32_get(h.pid) : 0;
	st->clean = h.state != OVL_OPEN;
	st->virtual_size = le64_get(h.virtual_size);
	st->block_size = OVL_BLOCK;
	st->bytes_on_disk = (uint64_t)s.st_blocks * 512;
	st->created = (int64_t)(le64_get(h.created_ns) / 1000000000u);
	st->opened = (int64_t)(le64_get(h.opened_ns) / 1000000000u);
	/* The clean mark is the last thing that is written. */
	st->closed = st->clean ? s.st_mtim.tv_sec : 0;
	look_at_base(path, &h, st);
	return 0;
}

static bool is_still(const char *path, const struct stat *st)
{
	struct stat now;

	return lstat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

int platter_overlay_discard(const char *path, struct platter_error *err)
{
	struct overlay_io *io;
	struct ovl_header h;
	struct stat s;
	int fd = open_regular(path, O_RDWR, &io, &s, err), r, slot;

	if (fd < 0) {
		err_prefix(err, "%s", path);
		return fd;
	}
	r = lock(fd, F_WRLCK, 0);
	if (r)
		err_set(err, -r, r == -EBUSY ? "is in use" : "cannot be locked");
	else
		r = ovl_header_read(io, true, &h, &slot, err);
	if (!r && !is_still(path, &s))
		r = err_set(err, ESTALE, "is another file by now, or a symbolic link");
	if (!r && unlink(path) < 0)
		r = err_set(err, errno, "%s", strerror(errno));
	io->ops->close(io);
	if (r)
		err_prefix(err, "%s", path);
	return r;
}

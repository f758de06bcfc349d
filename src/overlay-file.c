/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overlay files: making them, and opening them under a lock. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "newfile.h"
#include "overlay.h"

#define LOCK_STEP_MS 10
/* How often a file may be replaced by another one between opening and locking it. */
#define REPLACED_MAX 10

/* Whoever attached it last holds it until its daemon has flushed, which outlasts umount(8). */
static int take_lock(int fd, enum ovl_lock kind, int wait_ms)
{
	struct flock l = {.l_type = kind == OVL_LOCK_SHARED ? F_RDLCK : F_WRLCK,
	                  .l_whence = SEEK_SET,
	                  .l_start = 0,
	                  .l_len = 1};
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

bool ovl_file_locked(const struct ovl_file *f)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	return fcntl(f->fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

/* Whether path still leads to the file that is open. */
static bool is_still(const char *path, const struct stat *st)
{
	struct stat now;

	return stat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

static int open_regular(const char *path, int flags, struct ovl_file *f, struct platter_error *err)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), r;

	*f = (struct ovl_file){.fd = fd};
	if (fd < 0)
		return err_set(err, errno, "%s", strerror(errno));
	if (fstat(fd, &f->st) < 0)
		r = err_set(err, errno, "%s", strerror(errno));
	else if (!S_ISREG(f->st.st_mode))
		r = err_set(err, EINVAL, "is not a regular file");
	else if ((r = overlay_io_file(fd, &f->io)) != 0)
		err_set(err, -r, "%s", strerror(-r));
	if (r)
		close(fd);
	return r;
}

static int check_size(const struct ovl_file *f, struct platter_error *err)
{
	if ((uint64_t)f->st.st_size < le64_get(f->h.file_size))
		return err_set(err, EINVAL, "%llu bytes, its header says %llu: it was cut",
		               (unsigned long long)f->st.st_size,
		               (unsigned long long)le64_get(f->h.file_size));
	return 0;
}

/*
 * It was not closed. If that was because writing failed, the system holds in its cache what never
 * reached the disk and believes it to be there. What can be written is, the rest is read anew.
 */
static int forget_cached(struct ovl_file *f, struct platter_error *err)
{
	if (fdatasync(f->fd) < 0)
		return err_set(err, errno, "cannot be written to: %s", strerror(errno));
	(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
	return ovl_header_read(f->io, false, &f->h, &f->slot, err);
}

static int lock_and_read(const char *path, enum ovl_lock kind, int wait_ms, struct ovl_file *f,
                         struct platter_error *err)
{
	int r = kind == OVL_LOCK_NONE ? 0 : take_lock(f->fd, kind, wait_ms);

	if (r == -EBUSY)
		return err_set(err, EBUSY, "is in use by another platter");
	if (r)
		return err_set(err, -r, "cannot be locked: %s", strerror(-r));
	/* What was waited for may have put another file here: a snapshot does, discard removes it.
	 */
	if (kind != OVL_LOCK_NONE && !is_still(path, &f->st))
		return err_set(err, ESTALE, "was replaced or removed meanwhile");
	if (fstat(f->fd, &f->st) < 0)
		return err_set(err, errno, "%s", strerror(errno));
	r = ovl_header_read(f->io, kind != OVL_LOCK_EXCLUSIVE, &f->h, &f->slot, err);
	if (!r && kind == OVL_LOCK_EXCLUSIVE && f->h.state == OVL_OPEN)
		r = forget_cached(f, err);
	return r;
}

int ovl_file_open_cut(const char *path, enum ovl_lock kind, int wait_ms, struct ovl_file *f,
                      struct platter_error *err)
{
	int flags = kind == OVL_LOCK_EXCLUSIVE ? O_RDWR : O_RDONLY, r = -ESTALE;

	for (int i = 0; i < REPLACED_MAX && r == -ESTALE; i++) {
		r = open_regular(path, flags, f, err);
		if (r)
			break;
		r = lock_and_read(path, kind, wait_ms, f, err);
		if (r)
			ovl_file_close(f);
	}
	return r;
}

int ovl_file_open(const char *path, enum ovl_lock kind, int wait_ms, struct ovl_file *f,
                  struct platter_error *err)
{
	int r = ovl_file_open_cut(path, kind, wait_ms, f, err);

	if (!r && (r = check_size(f, err)) != 0)
		ovl_file_close(f);
	return r;
}

void ovl_file_close(struct ovl_file *f)
{
	if (f->io)
		f->io->ops->close(f->io);
	*f = (struct ovl_file){.fd = -1};
}

int ovl_file_put_header(struct ovl_file *f)
{
	int r;

	f->h.hseq = le64_put(le64_get(f->h.hseq) + 1);
	r = ovl_header_write(f->io, &f->h, !f->slot);
	if (!r)
		r = f->io->ops->sync(f->io);
	if (!r)
		f->slot = !f->slot;
	return r;
}

bool platter_is_overlay(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char magic[2][sizeof OVL_MAGIC - 1] = {"", ""};
	struct stat st;
	bool is;

	if (fd < 0)
		return false;
	is = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	for (int i = 0; is && i < 2; i++)
		(void)!pread(fd, magic[i], sizeof magic[i], i * OVL_HEADER_1);
	close(fd);
	return is && (memcmp(magic[0], OVL_MAGIC, sizeof magic[0]) == 0 ||
	              memcmp(magic[1], OVL_MAGIC, sizeof magic[1]) == 0);
}

bool platter_overlay_in_use(const char *path)
{
	struct ovl_file f;
	bool locked;

	if (ovl_file_open_cut(path, OVL_LOCK_NONE, 0, &f, NULL) != 0)
		return false;
	locked = ovl_file_locked(&f);
	ovl_file_close(&f);
	return locked;
}

int overlay_peek(const char *path, struct ovl_header *h, struct platter_error *err)
{
	struct ovl_file f;
	int r = ovl_file_open(path, OVL_LOCK_NONE, 0, &f, err);

	if (r)
		return r;
	*h = f.h;
	ovl_file_close(&f);
	return 0;
}

/* ---- making ---- */

void ovl_header_set_hint(struct ovl_header *h, const char *hint)
{
	size_t n = strnlen(hint, OVL_HINT_MAX);

	h->hint_len = le16_put((uint16_t)n);
	memset(h->hint, 0, sizeof h->hint);
	memcpy(h->hint, hint, n);
}

void ovl_header_inherit(struct ovl_header *h, const struct ovl_header *from)
{
	h->base = from->base;
	h->hint_len = from->hint_len;
	memcpy(h->hint, from->hint, sizeof h->hint);
}

int ovl_file_format(int fd, struct ovl_header *h, struct overlay_io **io, struct platter_error *err)
{
	int own, r;

	*io = NULL;
	if (ftruncate(fd, (off_t)le64_get(h->file_size)) < 0)
		return err_set(err, errno, "%llu bytes, sparse: %s",
		               (unsigned long long)le64_get(h->file_size), strerror(errno));
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return err_set(err, errno, "%s", strerror(errno));
	r = overlay_io_file(own, io);
	if (r)
		close(own);
	for (int slot = 0; slot < 2 && !r; slot++) {
		h->hseq = le64_put((uint64_t)slot + 1);
		r = ovl_header_write(*io, h, slot);
	}
	if (!r)
		return 0;
	if (*io)
		(*io)->ops->close(*io);
	*io = NULL;
	return err_set(err, -r, "%s", strerror(-r));
}

int ovl_file_create(const char *path, struct ovl_header *h, bool replace, struct platter_error *err)
{
	struct overlay_io *io = NULL;
	struct newfile n;
	int r = newfile_open(path, OVL_FILE_MODE, &n, err);

	if (!r)
		r = ovl_file_format(n.fd, h, &io, err);
	if (!r)
		r = newfile_place(&n, replace, err);
	if (io)
		io->ops->close(io);
	newfile_drop(&n);
	return r;
}

static int create(const struct overlay_request *req, struct platter_error *err)
{
	struct ovl_header h;
	int r = ovl_header_init(&h, req->base->size, err);

	if (!r)
		r = overlay_base_record(req->id, &h.base, err);
	if (r)
		return r;
	ovl_header_set_hint(&h, req->hint);
	r = ovl_file_create(req->path, &h, false, err);
	/* One that somebody else made meanwhile is as good. */
	return r == -EEXIST ? 0 : r;
}

/* ---- opening ---- */

static int check_writable(const struct ovl_header *h, struct platter_error *err)
{
	if (h->state == OVL_SEALED)
		return err_set(err, EROFS,
		               "is a frozen layer; it can be looked at with -o ro, or be rolled "
		               "back to");
	if (le32_get(h->incompat) & OVL_INCOMPAT_COMMITTING)
		return err_set(err, EROFS,
		               "a commit of it was interrupted: platter commit finishes it; until "
		               "then it can be looked at with -o ro");
	return 0;
}

/*
 * While a commit changes the image, what can be known again is the disk as the overlay shows it:
 * the overlay holds every block that the commit touches.
 */
static int match_committing(struct overlay *o, const struct ovl_header *h,
                            struct platter_error *err)
{
	uint8_t sum[sizeof h->merged];
	int r = overlay_fingerprint(overlay_dev(o), le64_get(h->base.seed), sum);

	if (r)
		return err_set(err, -r, "the image cannot be fingerprinted: %s", strerror(-r));
	if (memcmp(sum, h->merged, sizeof sum) != 0)
		return err_set(err, ESTALE,
		               "the contents of the image are not those that a commit of the "
		               "overlay left");
	return 0;
}

static int start(struct ovl_file *f, const struct overlay_request *req,
                 const struct overlay_hooks *hooks, struct overlay **out, struct platter_error *err)
{
	bool committing = le32_get(f->h.incompat) & OVL_INCOMPAT_COMMITTING, moved;
	struct overlay_mode mode = {.read_only = req->read_only};
	int r = req->read_only ? 0 : check_writable(&f->h, err);

	if (!r && !committing)
		r = overlay_base_match(req->id, &f->h.base, &moved, err);
	if (!r && !req->read_only)
		overlay_finish_snapshot(req->path, &f->h);
	if (r)
		return r;
	if (!committing)
		overlay_base_watch(req->id, &f->h.base);
	ovl_header_set_hint(&f->h, req->hint);
	r = overlay_start_layered(req->path, f, req->live, req->base, mode, hooks, out, err);
	if (!r && committing) {
		r = match_committing(*out, &f->h, err);
		if (r) {
			overlay_free(*out);
			*out = NULL;
		}
	}
	return r;
}

int overlay_open(const struct overlay_request *req, const struct overlay_hooks *hooks,
                 struct overlay **out, struct platter_error *err)
{
	enum ovl_lock kind = req->live        ? OVL_LOCK_NONE
	                     : req->read_only ? OVL_LOCK_SHARED
	                                      : OVL_LOCK_EXCLUSIVE;
	struct ovl_file f;
	int r;

	*out = NULL;
	r = ovl_file_open(req->path, kind, OVL_LOCK_WAIT_MS, &f, err);
	if (r == -ENOENT && !req->read_only) {
		r = create(req, err);
		if (!r)
			r = ovl_file_open(req->path, kind, OVL_LOCK_WAIT_MS, &f, err);
	}
	if (r)
		return r;
	r = start(&f, req, hooks, out, err);
	if (r)
		ovl_file_close(&f);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translates FUSE requests to platter_tree_* calls; there is no logic of disks or filesystems in
 * here. The only file that includes FUSE's headers.
 *
 * Read-only trees never change, so everything is cached by the kernel for as long as it likes,
 * and there is nothing to do at open (ENOSYS says so once and for all). The nodes of a writable
 * tree overlap: they bypass the page cache (direct_io), so that what is read through one of them
 * is what was last written through any other.
 */
#include "config.h"

#define FUSE_USE_VERSION 312

#include "fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mounts.h"

/* "For ever", where nothing can change. */
#define LONG_TIMEOUT 1e6
/* Attributes of writable nodes: their times and room change. */
#define SHORT_TIMEOUT 1.0
/* What sync(2) cannot ask for, since it does not reach a FUSE daemon. */
#define FLUSH_SECONDS 5

#define WORKERS 10

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#define LEAK_IS_KNOWN(statement)                                                                   \
	do {                                                                                       \
		__lsan_disable();                                                                  \
		statement;                                                                         \
		__lsan_enable();                                                                   \
	} while (0)
#else
#define LEAK_IS_KNOWN(statement) statement
#endif

struct front {
	struct fuse_session *se;
	struct platter *p;
	struct platter_tree *tree;
	bool writable;
	double timeout;
	char *description;
	unsigned writers; /* descriptors open for writing */
	pthread_key_t buffer;

	pthread_mutex_t lock; /* of description and stopping */
	pthread_cond_t stop;
	bool stopping;
};

static struct front *front_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static void reply_error(fuse_req_t req, int r)
{
	fuse_reply_err(req, -r);
}

/* ---- looking ---- */

static void do_init(void *userdata, struct fuse_conn_info *conn)
{
	struct front *f = userdata;

	/* truncate(2) must not look like open(O_TRUNC), see do_setattr. */
	conn->want &= ~(unsigned)FUSE_CAP_ATOMIC_O_TRUNC;
	/* Splicing was measured to be slower than copying at every size. */
	conn->want &=
		~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	if (!f->writable)
		conn->want |= conn->capable & FUSE_CAP_CACHE_SYMLINKS;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct front *f = front_of(req);
	struct fuse_entry_param e = {.entry_timeout = LONG_TIMEOUT};
	platter_ino ino;
	int r = platter_tree_lookup(f->tree, parent, name, strlen(name), &ino, &e.attr);

	/* Number 0 is "no such name", and is remembered like an answer. */
	if (r && r != -ENOENT) {
		reply_error(req, r);
		return;
	}
	e.ino = r ? 0 : ino;
	e.attr_timeout = f->timeout;
	fuse_reply_entry(req, &e);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct front *f = front_of(req);
	struct stat st;
	int r = platter_tree_stat(f->tree, ino, &st);

	(void)fi;
	if (r)
		reply_error(req, r);
	else
		fuse_reply_attr(req, &st, f->timeout);
}

static void do_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[4096 + 1];
	size_t len;
	int r = platter_tree_readlink(front_of(req)->tree, ino, target, sizeof target - 1, &len);

	if (r) {
		reply_error(req, r);
		return;
	}
	target[len] = '\0';
	fuse_reply_readlink(req, target);
}

static void do_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct platter_info info;
	struct statvfs s = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255};

	(void)ino;
	platter_get_info(front_of(req)->p, &info);
	s.f_blocks = (info.virtual_size + 4095) / 4096;
	fuse_reply_statfs(req, &s);
}

struct filling {
	fuse_req_t req;
	char *buf;
	size_t size, used;
	bool plus;
	double timeout;
};

static int fill(void *arg, const char *name, platter_ino ino, const struct stat *st, uint64_t next)
{
	struct filling *d = arg;
	struct fuse_entry_param e = {.attr = *st,
	                             .attr_timeout = d->timeout,
	                             .entry_timeout = LONG_TIMEOUT};
	bool dots = name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
	size_t n, room = d->size - d->used;

	/* The dots are not looked up by being listed. */
	e.ino = dots ? 0 : ino;
	n = d->plus ? fuse_add_direntry_plus(d->req, d->buf + d->used, room, name, &e, (off_t)next)
	            : fuse_add_direntry(d->req, d->buf + d->used, room, name, st, (off_t)next);
	if (n > room)
		return 1;
	d->used += n;
	return 0;
}

static void read_directory(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
	struct front *f = front_of(req);
	struct filling d = {.req = req, .size = size, .plus = plus, .timeout = f->timeout};
	int r;

	d.buf = malloc(size);
	if (!d.buf) {
		reply_error(req, -ENOMEM);
		return;
	}
	r = platter_tree_readdir(f->tree, ino, (uint64_t)off, fill, &d);
	/* What came before an error is listed; the error comes with the next call, at its place. */
	if (r && d.used == 0)
		reply_error(req, r);
	else
		fuse_reply_buf(req, d.buf, d.used);
	free(d.buf);
}

static void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
	(void)fi;
	read_directory(req, ino, size, off, false);
}

static void do_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                           struct fuse_file_info *fi)
{
	(void)fi;
	read_directory(req, ino, size, off, true);
}

/* What `platter list` and `umount` ask the root. */
static void do_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
                     struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                     size_t out_size)
{
	struct front *f = front_of(req);
	size_t len;

	(void)arg;
	(void)fi;
	(void)flags;
	(void)in;
	(void)in_size;
	if (ino != FUSE_ROOT_ID || cmd != MOUNT_IOC_DESCRIBE) {
		fuse_reply_err(req, ENOTTY);
		return;
	}
	pthread_mutex_lock(&f->lock);
	len = strlen(f->description) + 1;
	fuse_reply_ioctl(req, 0, f->description, len < out_size ? len : out_size);
	pthread_mutex_unlock(&f->lock);
}

/* Nothing happens at open: the kernel asks once, and then keeps its caches from open to open. */
static void do_not_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, ENOSYS);
}

/* ---- reading ---- */

/* A buffer of this thread's own, at least size bytes: allocating one a request costs page faults.
 */
static void *buffer(struct front *f, size_t size)
{
	struct {
		size_t size;
		char data[];
	} *b = pthread_getspecific(f->buffer);

	if (b && b->size >= size)
		return b->data;
	free(b);
	b = malloc(sizeof *b + size);
	pthread_setspecific(f->buffer, b);
	if (!b)
		return NULL;
	b->size = size;
	return b->data;
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
	struct front *f = front_of(req);
	void *buf = buffer(f, size);
	size_t got;
	int r;

	(void)fi;
	r = buf ? platter_tree_read(f->tree, ino, buf, size, (uint64_t)off, &got) : -ENOMEM;
	if (r)
		reply_error(req, r);
	else
		fuse_reply_buf(req, buf, got);
}

static void do_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
                     struct fuse_file_info *fi)
{
	uint64_t found;
	int r;

	(void)fi;
	if (whence != SEEK_DATA && whence != SEEK_HOLE) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	r = platter_tree_seek(front_of(req)->tree, ino, (uint64_t)off, whence == SEEK_DATA, &found);
	if (r)
		reply_error(req, r);
	else
		fuse_reply_lseek(req, (off_t)found);
}

/* ---- writing ---- */

static bool opens_for_writing(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY;
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct front *f = front_of(req);
	struct stat st;
	int r = platter_tree_stat(f->tree, ino, &st);

	if (!r && opens_for_writing(fi) && !(st.st_mode & 0200))
		r = -EACCES;
	if (r) {
		reply_error(req, r);
		return;
	}
	if (opens_for_writing(fi))
		__atomic_add_fetch(&f->writers, 1, __ATOMIC_RELAXED);
	fi->direct_io = 1;
	/* The kernel could not deliver it: take the count back. */
	if (fuse_reply_open(req, fi) == -ENOENT && opens_for_writing(fi))
		__atomic_sub_fetch(&f->writers, 1, __ATOMIC_RELAXED);
}

static void do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct front *f = front_of(req);
	int r = 0;

	(void)ino;
	if (opens_for_writing(fi) && __atomic_sub_fetch(&f->writers, 1, __ATOMIC_ACQ_REL) == 0)
		r = platter_flush(f->p);
	reply_error(req, r);
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
	struct front *f = front_of(req);
	struct stat st;
	int r = platter_tree_stat(f->tree, ino, &st);

	/* As on a disk: what fits is written, ENOSPC is for what begins at the end. */
	if (!r && off < st.st_size && (off_t)size > st.st_size - off)
		size = (size_t)(st.st_size - off);
	if (!r)
		r = platter_tree_write(f->tree, ino, buf, size, (uint64_t)off);
	/* The kernel does not send an FSYNC for O_SYNC on a direct_io file. */
	if (!r && (fi->flags & O_DSYNC))
		r = platter_flush(f->p);
	if (r)
		reply_error(req, r);
	else
		fuse_reply_write(req, size);
}

static void do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	reply_error(req, platter_flush(front_of(req)->p));
}

/* What `platter status DIR` asks for, so that the file shows what was written so far. */
static void do_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	do_fsync(req, ino, datasync, fi);
}

static void do_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
                         struct fuse_file_info *fi)
{
	struct front *f = front_of(req);
	struct stat st;
	int r = platter_tree_stat(f->tree, ino, &st);

	(void)fi;
	if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) &&
	    (mode & ~FALLOC_FL_KEEP_SIZE) != FALLOC_FL_ZERO_RANGE)
		r = -EOPNOTSUPP;
	else if (!r && !(mode & FALLOC_FL_KEEP_SIZE) &&
	         (off > st.st_size || len > st.st_size - off))
		r = -ENOSPC;
	else if (!r && off >= st.st_size)
		r = 0;
	else if (!r)
		r = platter_tree_zero(f->tree, ino, (uint64_t)off,
		                      (uint64_t)(len < st.st_size - off ? len : st.st_size - off));
	reply_error(req, r);
}

/*
 * A node's size is its partition's. open(O_TRUNC) arrives as "set the size to 0" on no file handle
 * and is let pass without effect, so that cp and dd can write to nodes; everything else that would
 * change a node is refused.
 */
static void do_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                       struct fuse_file_info *fi)
{
	struct front *f = front_of(req);
	struct stat st;
	int r = platter_tree_stat(f->tree, ino, &st);

	if (!r && (to_set & FUSE_SET_ATTR_SIZE) && attr->st_size != st.st_size &&
	    (fi || attr->st_size != 0))
		r = -EPERM;
	if (!r && (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
		r = -EPERM;
	if (r)
		reply_error(req, r);
	else
		fuse_reply_attr(req, &st, f->timeout);
}

static void refuse_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                         dev_t rdev)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)rdev;
	fuse_reply_err(req, EPERM);
}

static void refuse_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent;
	(void)name;
	(void)mode;
	fuse_reply_err(req, EPERM);
}

static void refuse_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

static const struct fuse_lowlevel_ops read_only_ops = {
	.init = do_init,
	.lookup = do_lookup,
	.getattr = do_getattr,
	.readlink = do_readlink,
	.opendir = do_not_open,
	.readdir = do_readdir,
	.readdirplus = do_readdirplus,
	.ioctl = do_ioctl,
	.statfs = do_statfs,
	.open = do_not_open,
	.read = do_read,
	.lseek = do_lseek,
};

static const struct fuse_lowlevel_ops writable_ops = {
	.init = do_init,
	.lookup = do_lookup,
	.getattr = do_getattr,
	.setattr = do_setattr,
	.readlink = do_readlink,
	.readdir = do_readdir,
	.readdirplus = do_readdirplus,
	.ioctl = do_ioctl,
	.statfs = do_statfs,
	.open = do_open,
	.release = do_release,
	.read = do_read,
	.write = do_write,
	.fsync = do_fsync,
	.fsyncdir = do_fsyncdir,
	.fallocate = do_fallocate,
	.lseek = do_lseek,
	.mknod = refuse_mknod,
	.mkdir = refuse_mkdir,
	.unlink = refuse_unlink,
	.rmdir = refuse_unlink,
};

/* ---- the session ---- */

static int add_options(struct fuse_args *args, const struct cli *cli, const struct front *f)
{
	char *opts = NULL, *name = NULL;
	int r = fuse_opt_add_arg(args, "platter");

	if (!r && asprintf(&name, "fsname=%s", platter_path(f->p)) < 0)
		name = NULL;
	if (!r)
		r = name ? 0 : -1;
	if (!r)
		r = fuse_opt_add_opt(&opts, f->writable ? "rw" : "ro");
	if (!r)
		r = fuse_opt_add_opt(&opts, "subtype=platter,nosuid,nodev");
	if (!r)
		r = fuse_opt_add_opt_escaped(&opts, name);
	/* Others see files as their modes allow; the one who mounts sees everything. */
	if (!r && cli->allow_other)
		r = fuse_opt_add_opt(&opts, "allow_other,default_permissions");
	if (!r && cli->allow_root)
		r = fuse_opt_add_opt(&opts, "allow_root");
	if (!r)
		r = fuse_opt_add_arg(args, "-o");
	if (!r)
		r = fuse_opt_add_arg(args, opts);
	if (!r && cli->debug)
		r = fuse_opt_add_arg(args, "-d");
	free(name);
	free(opts);
	return r;
}

/* What libfuse said last: it names a reason where its functions only fail. */
static char said[256];

static void keep_what_is_said(enum fuse_log_level level, const char *fmt, va_list ap)
{
	size_t n;

	(void)level;
	vsnprintf(said, sizeof said, fmt, ap);
	for (n = strlen(said); n && said[n - 1] == '\n'; n--)
		said[n - 1] = '\0';
}

struct front *front_mount(const struct cli *cli, struct platter *p, struct platter_tree *tree,
                          const char *dir)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct front *f = calloc(1, sizeof *f);
	const struct fuse_lowlevel_ops *ops;
	int r;

	if (!f || pthread_key_create(&f->buffer, free) != 0) {
		free(f);
		complain("%s: no memory", dir);
		return NULL;
	}
	f->p = p;
	f->tree = tree;
	f->writable = platter_tree_writable(tree);
	f->timeout = f->writable ? SHORT_TIMEOUT : LONG_TIMEOUT;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->stop, NULL);
	ops = f->writable ? &writable_ops : &read_only_ops;
	if (add_options(&args, cli, f) == 0)
		f->se = fuse_session_new(&args, ops, sizeof *ops, f);
	fuse_opt_free_args(&args);
	if (!f->se) {
		complain("%s: libfuse gave no session", dir);
		front_free(f);
		return NULL;
	}
	if (!cli->debug)
		fuse_set_log_func(keep_what_is_said);
	/* Its copy of the path is freed only together with detaching. */
	LEAK_IS_KNOWN(r = fuse_session_mount(f->se, "."));
	if (r != 0) {
		complain("%s: cannot be mounted on%s%s", dir, said[0] ? ": " : "", said);
		front_free(f);
		return NULL;
	}
	return f;
}

void front_describe(struct front *f, char *description)
{
	pthread_mutex_lock(&f->lock);
	free(f->description);
	f->description = description;
	pthread_mutex_unlock(&f->lock);
}

/* sync(2) ends at the kernel's caches and never reaches a daemon: flush without being asked. */
static void *flush_now_and_then(void *arg)
{
	struct front *f = arg;
	struct timespec next;

	pthread_mutex_lock(&f->lock);
	while (!f->stopping) {
		clock_gettime(CLOCK_REALTIME, &next);
		next.tv_sec += FLUSH_SECONDS;
		if (pthread_cond_timedwait(&f->stop, &f->lock, &next) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&f->lock);
		platter_flush(f->p);
		pthread_mutex_lock(&f->lock);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

static int run_loop(struct front *f)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int r;

	if (!config)
		return -ENOMEM;
	fuse_loop_cfg_set_max_threads(config, WORKERS);
	r = fuse_session_loop_mt(f->se, config);
	fuse_loop_cfg_destroy(config);
	return r;
}

int front_serve(struct front *f)
{
	pthread_t flusher;
	bool flushing;
	int r;

	if (fuse_set_signal_handlers(f->se) != 0)
		return -EIO;
	flushing = f->writable && pthread_create(&flusher, NULL, flush_now_and_then, f) == 0;
	r = run_loop(f);
	if (flushing) {
		pthread_mutex_lock(&f->lock);
		f->stopping = true;
		pthread_cond_signal(&f->stop);
		pthread_mutex_unlock(&f->lock);
		pthread_join(flusher, NULL);
	}
	fuse_remove_signal_handlers(f->se);
	return r;
}

void front_free(struct front *f)
{
	if (!f)
		return;
	if (f->se)
		fuse_session_destroy(f->se);
	free(f->description);
	pthread_key_delete(f->buffer);
	pthread_cond_destroy(&f->stop);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

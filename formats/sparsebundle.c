/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Apple's sparse bundle, .sparsebundle: a folder. There is no specification; this is from
 * hdiutil(1) and the .sparsebundle chapter of the keramics project's format notes. Info.plist says
 * how large the disk is and how large its bands are; the band of number n is the file bands/N, n in
 * lower-case hexadecimal digits without leading zeros. A band that is not there is zeros, and so is
 * what lies between the end of a band's file and that of the band. `token` is empty, or holds the
 * keys of an encrypted bundle.
 *
 * A bundle of Time Machine has hundreds of thousands of bands, so that none is opened before it is
 * read, and only a few are kept open.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers.h"
#include "fileio.h"
#include "ondisk.h"
#include "plist.h"

#define SECTOR    512u
#define PLIST_MAX ((size_t)64 << 10)

/* hdiutil makes no bands smaller than 1 MiB; tiny ones would cost an open for every few bytes. */
#define BAND_MIN ((uint64_t)64 << 10)

/* A band's file that is open, or was. */
struct slot {
	uint64_t band;
	int fd; /* -1: none */
	unsigned users;
	uint64_t last; /* when it was last used, on the clock of struct bands */
};

/* As many as threads read at once, and some. */
#define SLOTS 32

struct bands {
	struct dev dev;
	int folder;
	uint64_t band;        /* bytes */
	pthread_mutex_t lock; /* of what follows */
	uint64_t clock;
	struct slot slots[SLOTS];
};

/* ---- the bands as a device ---- */

/* -ENOENT: the band is not there. */
static int open_band(const struct bands *b, uint64_t band)
{
	char name[24];
	struct stat st;
	int fd;

	snprintf(name, sizeof name, "%" PRIx64, band);
	/* A device might do something when it is opened, and a FIFO would wait. */
	if (fstatat(b->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EIO;
	fd = openat(b->folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) { /* another one by now */
		close(fd);
		return -EIO;
	}
	return fd;
}

/* The slot of that band, or of the one that was not used for longest; NULL when all are in use. */
static struct slot *choose(struct bands *b, uint64_t band)
{
	struct slot *oldest = NULL;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &b->slots[i];

		if (s->fd >= 0 && s->band == band)
			return s;
		if (!s->users && (!oldest || s->last < oldest->last))
			oldest = s;
	}
	return oldest;
}

/* A descriptor of the band, to be given back with put; *slot is NULL when it is in none. */
static int get(struct bands *b, uint64_t band, struct slot **slot)
{
	struct slot *s;
	int fd;

	pthread_mutex_lock(&b->lock);
	s = choose(b, band);
	fd = s && s->fd >= 0 && s->band == band ? s->fd : open_band(b, band);
	if (s && fd >= 0) {
		if (s->fd >= 0 && s->fd != fd)
			close(s->fd);
		s->fd = fd;
		s->band = band;
		s->users++;
		s->last = ++b->clock;
	}
	pthread_mutex_unlock(&b->lock);
	*slot = s;
	return fd;
}

static void put(struct bands *b, struct slot *slot, int fd)
{
	if (!slot) {
		close(fd);
		return;
	}
	pthread_mutex_lock(&b->lock);
	slot->users--;
	pthread_mutex_unlock(&b->lock);
}

/* len bytes of a band's file at off; zeros behind its end. */
static int read_file(int fd, void *buf, size_t len, uint64_t off)
{
	struct stat st;
	uint64_t size;
	size_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	size = (uint64_t)st.st_size;
	n = off < size ? (size_t)min64(len, size - off) : 0;
	memset((char *)buf + n, 0, len - n);
	return n ? fileio_pread(fd, buf, n, off) : 0;
}

static int bands_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	struct bands *b = (struct bands *)dev;

	while (len) {
		uint64_t in = off % b->band;
		size_t n = (size_t)min64(len, b->band - in);
		struct slot *slot;
		int fd = get(b, off / b->band, &slot), r = fd;

		if (fd == -ENOENT) {
			memset(buf, 0, n);
			r = 0;
		} else if (fd >= 0) {
			r = read_file(fd, buf, n, in);
			put(b, slot, fd);
		}
		if (r)
			return r;
		buf = (char *)buf + n;
		off += n;
		len -= n;
	}
	return 0;
}

/* The stretch of a band's file that begins at off; what lies behind its end is a hole. */
static int extent_of_file(int fd, uint64_t off, struct dev_extent *ext)
{
	struct stat st;
	off_t next;

	if (fstat(fd, &st) < 0)
		return -errno;
	ext->hole = off >= (uint64_t)st.st_size;
	if (ext->hole)
		return 0;
	next = lseek(fd, (off_t)off, SEEK_DATA);
	if (next < 0)
		/* No more data, or SEEK_DATA is not supported: then it is all data. */
		ext->hole = errno == ENXIO;
	else if ((uint64_t)next > off)
		ext->hole = true;
	else
		next = lseek(fd, (off_t)off, SEEK_HOLE);
	if (next > (off_t)off)
		ext->length = min64(ext->length, (uint64_t)next - off);
	return 0;
}

static int bands_extent(struct dev *dev, uint64_t off, struct dev_extent *ext)
{
	struct bands *b = (struct bands *)dev;
	struct slot *slot;
	int fd = get(b, off / b->band, &slot), r = fd;

	*ext = (struct dev_extent){.length = b->band - off % b->band, .hole = true};
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	r = extent_of_file(fd, off % b->band, ext);
	put(b, slot, fd);
	return r;
}

static void bands_close(struct dev *dev)
{
	struct bands *b = (struct bands *)dev;

	for (size_t i = 0; i < SLOTS; i++)
		if (b->slots[i].fd >= 0)
			close(b->slots[i].fd);
	close(b->folder);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static const struct dev_ops bands_ops = {
	.pread = bands_pread,
	.extent = bands_extent,
	.close = bands_close,
};

/* ---- the bundle ---- */

struct info {
	uint64_t size, band, version;
	bool bundle; /* it says that it is a sparse bundle */
};

static int read_member(struct plist *p, struct info *info, struct platter_error *err)
{
	static const char type[] = "com.apple.diskimage.sparsebundle";
	uint64_t *number = plist_is(p, "size")                          ? &info->size
	                   : plist_is(p, "band-size")                   ? &info->band
	                   : plist_is(p, "bundle-backingstore-version") ? &info->version
	                                                                : NULL;
	bool is_type = plist_is(p, "diskimage-bundle-type");
	int r = plist_next(p, err);

	if (number && r == PLIST_INTEGER)
		return plist_integer(p, number, err);
	if (is_type && r == PLIST_STRING)
		info->bundle = plist_is(p, type);
	return plist_skip(p, r, err);
}

static int read_info(struct dev *file, struct info *info, struct platter_error *err)
{
	struct plist p;
	void *text;
	int r = dev_read_table(file, 0, file->size, 1, PLIST_MAX, "Info.plist", &text, err);

	if (r)
		return r;
	r = plist_begin(&p, text, (size_t)file->size, err);
	if (!r)
		r = plist_next(&p, err);
	if (r >= 0)
		r = r == PLIST_DICT ? 0 : err_set(err, EINVAL, "property list: expected a dict");
	while (!r && (r = plist_next(&p, err)) == PLIST_KEY)
		r = read_member(&p, info, err);
	free(text);
	if (r < 0)
		err_prefix(err, "Info.plist");
	return r < 0 ? r : 0;
}

static int check_info(const struct info *info, struct platter_error *err)
{
	if (!info->bundle)
		return err_set(err, EINVAL, "Info.plist is not that of a sparse bundle");
	if (info->version > 1)
		return err_set(err, EOPNOTSUPP,
		               "sparse bundle of backing store version %" PRIu64 ", at most 1",
		               info->version);
	if (info->size == 0 || info->size % SECTOR || info->size > DEV_SIZE_MAX)
		return err_set(err, EINVAL,
		               "a disk of %" PRIu64 " bytes, expected 512-byte sectors, at most "
		               "%" PRIu64 " bytes",
		               info->size, DEV_SIZE_MAX);
	if (info->band < BAND_MIN || info->band % SECTOR || info->band > DEV_SIZE_MAX)
		return err_set(err, EINVAL,
		               "bands of %" PRIu64 " bytes, expected at least %" PRIu64
		               " in 512-byte sectors",
		               info->band, BAND_MIN);
	return 0;
}

static int check_token(struct image *image, struct platter_error *err)
{
	struct dev *token;
	int r = chain_open(image->chain, "token", "token", &token, err);

	if (r == -ENOENT)
		return 0;
	if (!r && token->size)
		return err_set(err, EOPNOTSUPP,
		               "an encrypted sparse bundle (a token of %" PRIu64
		               " bytes): not supported",
		               token->size);
	return r;
}

static int make_bands(struct image *image, const struct info *info, struct platter_error *err)
{
	struct bands *b;
	int folder, r = chain_open_folder(image->chain, "folder", "bands", &folder, err);

	if (r)
		return r;
	b = calloc(1, sizeof *b);
	if (!b) {
		close(folder);
		return err_set(err, ENOMEM, "no memory");
	}
	dev_init(&b->dev, &bands_ops, info->size);
	pthread_mutex_init(&b->lock, NULL);
	b->folder = folder;
	b->band = info->band;
	for (size_t i = 0; i < SLOTS; i++)
		b->slots[i].fd = -1;
	image->self = &b->dev;
	image->size = info->size;
	image->packed = true; /* the bands are no files of the chain */
	return 0;
}

static int bundle_open(struct image *image, struct platter_error *err)
{
	struct info info = {0};
	int r;

	if (!chain_is_bundle(image->chain))
		return DRIVER_NOT_MINE;
	r = read_info(image->file, &info, err);
	if (!r)
		r = check_info(&info, err);
	if (!r)
		r = check_token(image, err);
	return r ? r : make_bands(image, &info, err);
}

static int bundle_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	struct dev *bands = self;

	(void)node;
	*run = (struct run){
		.kind = RUN_RAW,
		.length = bands->size - off,
		.dev = bands,
		.offset = off,
	};
	return 0;
}

static void bundle_close(void *self)
{
	dev_unref(self);
}

const struct format_driver format_sparsebundle = {
	.name = "sparsebundle",
	.id = 11,
	.bundle = "Info.plist",
	.open = bundle_open,
	.map = bundle_map,
	.close = bundle_close,
};

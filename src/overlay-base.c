/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Knowing an overlay's image again. Sizes must match; when the times and the inode do too, the
 * image is taken to be untouched, else a fingerprint of what it holds decides.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifdef HAVE_LIBCRYPTO
#include <openssl/evp.h>
#endif

#include "overlay.h"

/* QEMU's lock bytes (block/file-posix.c): 100 + n, permission n is held; 200 + n, it is not
 * shared with others. */
#define QEMU_HAS_READ    100
#define QEMU_HAS_WRITE   101
#define QEMU_BARS_WRITE  201
#define QEMU_BARS_RESIZE 203

#define SAMPLE_END    ((size_t)1 << 20)
#define SAMPLE_BLOCKS 64

struct overlay_base {
	struct dev dev; /* of the guarded disk */
	struct image *image;
	bool lost;            /* the image is no longer what it was */
	pthread_mutex_t lock; /* of watched */
	struct ovl_base watched;
};

static struct overlay_base *from_dev(struct dev *dev)
{
	return (struct overlay_base *)dev;
}

static bool is_lost(struct overlay_base *b)
{
	return __atomic_load_n(&b->lost, __ATOMIC_RELAXED);
}

static int guarded_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	struct overlay_base *b = from_dev(dev);

	return is_lost(b) ? -EIO : dev_pread(b->image->disk, buf, len, off);
}

static int guarded_extent(struct dev *dev, uint64_t off, struct dev_extent *ext)
{
	struct overlay_base *b = from_dev(dev);

	return is_lost(b) ? -EIO : dev_extent(b->image->disk, off, ext);
}

static uint64_t guarded_room(struct dev *dev)
{
	return dev_room(from_dev(dev)->image->disk);
}

static void guarded_close(struct dev *dev)
{
	struct overlay_base *b = from_dev(dev);

	pthread_mutex_destroy(&b->lock);
	free(b);
}

static const struct dev_ops guarded_ops = {
	.pread = guarded_pread,
	.extent = guarded_extent,
	.room = guarded_room,
	.close = guarded_close,
};

static void set_lock(struct image *image, off_t byte)
{
	struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	/* Advice to others: where a filesystem knows no locks, nobody would look for them. */
	for (size_t i = 0; i < image_file_count(image); i++)
		(void)fcntl(dev_file_fd(image_file(image, i)), F_OFD_SETLK, &l);
}

static int check_unlocked(struct image *image, off_t byte, const char *what,
                          struct platter_error *err)
{
	for (size_t i = 0; i < image_file_count(image); i++) {
		struct flock l = {.l_type = F_WRLCK,
		                  .l_whence = SEEK_SET,
		                  .l_start = byte,
		                  .l_len = 1};

		if (fcntl(dev_file_fd(image_file(image, i)), F_OFD_GETLK, &l) == 0 &&
		    l.l_type != F_UNLCK)
			return err_set(err, EBUSY, "%s (QEMU's lock on byte %d)", what, (int)byte);
	}
	return 0;
}

int overlay_base_open(struct image *image, struct overlay_base **out, struct platter_error *err)
{
	struct overlay_base *b;
	int r;

	*out = NULL;
	set_lock(image, QEMU_HAS_READ);
	set_lock(image, QEMU_BARS_WRITE);
	set_lock(image, QEMU_BARS_RESIZE);
	r = check_unlocked(image, QEMU_HAS_WRITE, "another program has the image open for writing",
	                   err);
	if (r)
		return r;
	b = calloc(1, sizeof *b);
	if (!b)
		return err_set(err, ENOMEM, "no memory");
	dev_init(&b->dev, &guarded_ops, image->size);
	b->image = image;
	pthread_mutex_init(&b->lock, NULL);
	*out = b;
	return 0;
}

void overlay_base_close(struct overlay_base *b)
{
	if (b)
		dev_unref(&b->dev);
}

struct dev *overlay_base_dev(struct overlay_base *b)
{
	return &b->dev;
}

int overlay_base_become_writer(struct overlay_base *b, struct platter_error *err)
{
	struct flock shared = {.l_type = F_UNLCK,
	                       .l_whence = SEEK_SET,
	                       .l_start = QEMU_BARS_WRITE,
	                       .l_len = QEMU_BARS_RESIZE - QEMU_BARS_WRITE + 1};
	int r;

	/* First show what is wanted, then look: of two who do so at once, one sees the other. */
	set_lock(b->image, QEMU_HAS_WRITE);
	r = check_unlocked(b->image, QEMU_HAS_WRITE,
	                   "another program has the image open for writing", err);
	/* Only a raw image is ever written to, and that is one file. */
	(void)fcntl(dev_file_fd(image_file(b->image, 0)), F_OFD_SETLK, &shared);
	if (!r)
		r = check_unlocked(b->image, QEMU_BARS_WRITE,
		                   "another program relies on the image not being written to", err);
	return r;
}

#ifdef HAVE_LIBCRYPTO

static bool add_range(EVP_MD_CTX *md, struct dev *disk, void *buf, uint64_t off, size_t len)
{
	return dev_pread(disk, buf, len, off) == 0 && EVP_DigestUpdate(md, buf, len) == 1;
}

/* splitmix64 (Steele, Lea, Flood 2014): enough to choose blocks. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* sha256 of the first MiB, the last MiB and 64 blocks in between that seed chooses. */
int overlay_fingerprint(struct dev *disk, uint64_t seed, uint8_t sum[32])
{
	uint64_t size = disk->size, blocks = align_up(size, OVL_BLOCK) / OVL_BLOCK;
	size_t end = (size_t)min64(SAMPLE_END, size);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	void *buf = malloc(SAMPLE_END);
	bool memory = md && buf;
	bool ok = memory && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	          add_range(md, disk, buf, 0, end) && add_range(md, disk, buf, size - end, end);

	for (int i = 0; i < SAMPLE_BLOCKS && ok; i++) {
		uint64_t off = next_random(&seed) % blocks * OVL_BLOCK;

		ok = add_range(md, disk, buf, off, (size_t)min64(OVL_BLOCK, size - off));
	}
	ok = ok && EVP_DigestFinal_ex(md, sum, NULL) == 1;
	EVP_MD_CTX_free(md);
	free(buf);
	return ok ? 0 : memory ? -EIO : -ENOMEM;
}

#else

int overlay_fingerprint(struct dev *disk, uint64_t seed, uint8_t sum[32])
{
	(void)disk;
	(void)seed;
	memset(sum, 0, 32);
	return 0;
}

#endif

static uint64_t ns(struct timespec t)
{
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* All of rec but the sums and the seed: of several files, their size together and the latest times.
 */
static int measure(struct overlay_base *b, struct ovl_base *rec)
{
	uint64_t size = 0, mtime = 0, ctime = 0;

	for (size_t i = 0; i < image_file_count(b->image); i++) {
		struct dev *file = image_file(b->image, i);
		struct stat st;

		if (dev_file_fd(file) < 0) { /* no file, so nobody can change it */
			size += file->size;
			continue;
		}
		if (fstat(dev_file_fd(file), &st) < 0)
			return -errno;
		/* A sum that wraps is as good as another: it only has to be the same again. */
		size += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : file->size;
		mtime = max64(mtime, ns(st.st_mtim));
		ctime = max64(ctime, ns(st.st_ctim));
		if (i == 0) {
			rec->dev = le64_put(S_ISREG(st.st_mode) ? st.st_dev : st.st_rdev);
			rec->ino = le64_put(st.st_ino);
		}
	}
	rec->virtual_size = le64_put(b->image->size);
	rec->file_size = le64_put(size);
	rec->mtime_ns = le64_put(mtime);
	rec->ctime_ns = le64_put(ctime);
	rec->format = le32_put(image_format_id(b->image));
	rec->state = le32_put(b->image->state);
	return 0;
}

int overlay_base_record(struct overlay_base *b, struct ovl_base *rec, struct platter_error *err)
{
	int r = measure(b, rec);

	if (!r)
		r = overlay_fingerprint(b->image->disk, le64_get(rec->seed), rec->quick);
	return r ? err_set(err, -r, "the image cannot be fingerprinted: %s", strerror(-r)) : 0;
}

static bool same64(le64 a, le64 b)
{
	return memcmp(a.b, b.b, sizeof a.b) == 0;
}

static bool on_block_device(const struct overlay_base *b)
{
	return dev_file_sector(image_file(b->image, 0)) != 0;
}

/* Whether the times and the inode vouch for the contents. A block device's do not. */
static bool untouched(struct overlay_base *b, const struct ovl_base *now,
                      const struct ovl_base *rec)
{
	return !on_block_device(b) && same64(now->mtime_ns, rec->mtime_ns) &&
	       same64(now->ctime_ns, rec->ctime_ns) && same64(now->dev, rec->dev) &&
	       same64(now->ino, rec->ino);
}

/* 0: the contents are those of rec; -ESTALE: not; or they cannot be read. */
static int same_contents(struct overlay_base *b, const struct ovl_base *rec)
{
	uint8_t sum[sizeof rec->quick];
	int r = overlay_fingerprint(b->image->disk, le64_get(rec->seed), sum);

	return r ? r : memcmp(sum, rec->quick, sizeof sum) == 0 ? 0 : -ESTALE;
}

static bool fingerprinted(const struct ovl_base *rec)
{
	static const uint8_t none[sizeof rec->quick];

	return memcmp(rec->quick, none, sizeof none) != 0;
}

int overlay_base_match(struct overlay_base *b, struct ovl_base *rec, bool *moved,
                       struct platter_error *err)
{
	struct ovl_base now = *rec;
	int r = measure(b, &now);

	*moved = false;
	if (r)
		return err_set(err, -r, "the image: %s", strerror(-r));
	if (!same64(now.virtual_size, rec->virtual_size) || !same64(now.file_size, rec->file_size))
		return err_set(err, ESTALE, "made for an image of %llu bytes, this one has %llu",
		               (unsigned long long)le64_get(rec->file_size),
		               (unsigned long long)le64_get(now.file_size));
	if (le32_get(rec->format) != image_format_id(b->image))
		return err_set(err, ESTALE, "made for an image of format %u, this one has %u",
		               le32_get(rec->format), image_format_id(b->image));
	if (le32_get(rec->state) != b->image->state)
		return err_set(err, ESTALE, "made for another snapshot in the image");
	if (untouched(b, &now, rec))
		return 0;
#ifndef HAVE_LIBCRYPTO
	return err_set(err, ESTALE,
	               "the image was moved or touched since, and this build has no "
	               "libcrypto (Debian: libssl-dev) to compare its contents");
#endif
	if (!fingerprinted(rec))
		return err_set(err, ESTALE,
		               "the image was moved or touched since, and the overlay "
		               "holds no fingerprint to compare its contents with");
	r = same_contents(b, rec);
	if (r == -ESTALE)
		return err_set(err, ESTALE,
		               "the contents of the image are not those that the "
		               "overlay was made for");
	if (r)
		return err_set(err, -r, "the image cannot be fingerprinted: %s", strerror(-r));
	*rec = now;
	*moved = true;
	return 0;
}

void overlay_base_watch(struct overlay_base *b, const struct ovl_base *rec)
{
	b->watched = *rec;
}

/* Whether the file is as it was when it was last looked at. */
static bool intact(struct overlay_base *b)
{
	struct ovl_base now = b->watched;
	bool ok;

	if (measure(b, &now) != 0)
		return false;
	if (!same64(now.file_size, b->watched.file_size))
		return false;
	ok = on_block_device(b) || same64(now.mtime_ns, b->watched.mtime_ns) ||
	     (fingerprinted(&b->watched) && same_contents(b, &b->watched) == 0);
	if (ok)
		b->watched = now;
	return ok;
}

bool overlay_base_check(struct overlay_base *b)
{
	bool changed = false;

	pthread_mutex_lock(&b->lock);
	if (!b->lost && !intact(b)) {
		__atomic_store_n(&b->lost, true, __ATOMIC_RELAXED);
		changed = true;
	}
	pthread_mutex_unlock(&b->lock);
	return changed;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "indexcache.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "fileio.h"
#include "newfile.h"
#include "ondisk.h"

/* Samples of the file: its ends, and so many pieces in between. */
#define ENDS   ((size_t)64 << 10)
#define PIECES 62
#define PIECE  ((size_t)4096)

struct index_header {
	uint8_t magic[8];    /* +0x00 */
	le32 id;             /* +0x08 whose index, and in which version */
	le32 samples;        /* +0x0c CRC-32C of the file's samples */
	le64 dev, ino, size; /* +0x10 of the file */
	le64 sec, nsec;      /* +0x28 its time of last change */
	le64 len;            /* +0x38 bytes that follow */
	le32 sum;            /* +0x40 CRC-32C of them */
	le32 header_sum;     /* +0x44 CRC-32C of the header up to here */
};

_Static_assert(sizeof(struct index_header) == 0x48, "no padding");
_Static_assert(offsetof(struct index_header, header_sum) == 0x44, "the last field");

static const uint8_t magic[8] = "PLATIDX1";

static uint64_t piece_at(uint64_t size, unsigned i)
{
	return size / (PIECES + 1) * (i + 1);
}

static bool sample(struct dev *file, uint32_t *sum)
{
	uint8_t *buf = malloc(2 * ENDS + PIECES * PIECE);
	size_t end = (size_t)min64(ENDS, file->size), n = 0;
	bool good = buf && dev_pread(file, buf, end, 0) == 0 &&
	            dev_pread(file, buf + end, end, file->size - end) == 0;

	n = 2 * end;
	for (unsigned i = 0; good && i < PIECES && file->size > 2 * ENDS; i++, n += PIECE)
		good = dev_pread(file, buf + n, PIECE, piece_at(file->size, i)) == 0;
	if (good)
		*sum = crc32c(buf, n);
	free(buf);
	return good;
}

/* The header of an index of this file, but for what it says about the index. */
static bool describe(const struct image *image, uint32_t id, struct index_header *h)
{
	int fd = dev_file_fd(image->file);
	uint32_t samples;
	struct stat st;

	if (!image->index_folder || fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    !sample(image->file, &samples))
		return false;
	*h = (struct index_header){
		.id = le32_put(id),
		.samples = le32_put(samples),
		.dev = le64_put(st.st_dev),
		.ino = le64_put(st.st_ino),
		.size = le64_put(image->file->size),
		.sec = le64_put((uint64_t)st.st_mtim.tv_sec),
		.nsec = le64_put((uint64_t)st.st_mtim.tv_nsec),
	};
	memcpy(h->magic, magic, sizeof magic);
	return true;
}

/* One name for each file and driver, so that an index of what the file was is replaced. */
static char *index_path(const struct image *image, const struct index_header *h)
{
	char *path;

	if (asprintf(&path, "%s/%08x-%llx-%llx.index", image->index_folder, le32_get(h->id),
	             (unsigned long long)le64_get(h->dev),
	             (unsigned long long)le64_get(h->ino)) < 0)
		return NULL;
	return path;
}

/* Nobody else can put files there. */
static bool own_folder(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool own_file(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return false;
	*size = (uint64_t)st.st_size;
	return true;
}

static bool read_index(int fd, const struct index_header *want, uint8_t **data, size_t *len)
{
	struct index_header h;
	uint64_t size;

	if (!own_file(fd, &size) || size < sizeof h || size - sizeof h > INDEXCACHE_MAX ||
	    fileio_pread(fd, &h, sizeof h, 0) != 0 ||
	    crc32c(&h, offsetof(struct index_header, header_sum)) != le32_get(h.header_sum) ||
	    memcmp(&h, want, offsetof(struct index_header, len)) != 0 ||
	    le64_get(h.len) != size - sizeof h)
		return false;
	*len = (size_t)(size - sizeof h);
	*data = malloc(*len ? *len : 1);
	if (!*data)
		return false;
	if (fileio_pread(fd, *data, *len, sizeof h) == 0 && crc32c(*data, *len) == le32_get(h.sum))
		return true;
	free(*data);
	return false;
}

bool indexcache_load(const struct image *image, uint32_t id, uint8_t **data, size_t *len)
{
	struct index_header h;
	char *path = describe(image, id, &h) ? index_path(image, &h) : NULL;
	bool good = false;
	int fd = -1;

	if (path && own_folder(image->index_folder))
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		good = read_index(fd, &h, data, len);
		if (good)
			(void)!futimens(fd, NULL); /* used now */
		close(fd);
	}
	free(path);
	return good;
}

/* ---- writing ---- */

/* The folder, and the one that it is in (~/.cache of a new user). */
static bool make_folder(const char *path)
{
	char *parent = strdup(path), *slash = parent ? strrchr(parent, '/') : NULL;

	if (slash && slash != parent && mkdir(path, 0700) < 0) {
		*slash = '\0';
		mkdir(parent, 0700);
		mkdir(path, 0700);
	}
	free(parent);
	return own_folder(path);
}

/* Bytes and number of the indexes in the folder, and the name of the one used longest ago. */
static void survey(DIR *dir, unsigned *files, uint64_t *bytes, char oldest[256])
{
	struct timespec when = {0};
	struct dirent *e;
	struct stat st;

	*files = 0;
	*bytes = 0;
	oldest[0] = '\0';
	rewinddir(dir);
	while ((e = readdir(dir))) {
		if (!strstr(e->d_name, ".index") ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		++*files;
		*bytes += (uint64_t)st.st_size;
		if (!oldest[0] || st.st_mtim.tv_sec < when.tv_sec ||
		    (st.st_mtim.tv_sec == when.tv_sec && st.st_mtim.tv_nsec < when.tv_nsec)) {
			when = st.st_mtim;
			snprintf(oldest, 256, "%s", e->d_name);
		}
	}
}

static void prune(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned files, tries = 2 * INDEXCACHE_FILES;
	char oldest[256];
	uint64_t bytes;

	if (!dir)
		return;
	do {
		survey(dir, &files, &bytes, oldest);
		if (files <= INDEXCACHE_FILES && bytes <= INDEXCACHE_BYTES)
			break;
	} while (unlinkat(dirfd(dir), oldest, 0) == 0 && --tries);
	closedir(dir);
}

static void write_index(const char *path, const struct index_header *h, const uint8_t *data,
                        size_t len)
{
	struct newfile n;

	if (newfile_open(path, 0600, &n, NULL) != 0)
		return;
	if (fileio_pwrite(n.fd, h, sizeof *h, 0) == 0 &&
	    fileio_pwrite(n.fd, data, len, sizeof *h) == 0)
		(void)newfile_place(&n, true, NULL);
	newfile_drop(&n);
}

void indexcache_store(const struct image *image, uint32_t id, const uint8_t *data, size_t len)
{
	struct index_header h;
	char *path;

	if (len > INDEXCACHE_MAX || !describe(image, id, &h) || !make_folder(image->index_folder))
		return;
	h.len = le64_put(len);
	h.sum = le32_put(crc32c(data, len));
	h.header_sum = le32_put(crc32c(&h, offsetof(struct index_header, header_sum)));
	path = index_path(image, &h);
	if (path) {
		write_index(path, &h, data, len);
		prune(image->index_folder);
	}
	free(path);
}

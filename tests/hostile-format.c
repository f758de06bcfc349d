/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostile-format cut FORMAT FILE...         every length below the file's, to a table of 4096
 *                                           lengths near the ends and 512 evenly in between
 * hostile-format mutate FORMAT FILE SEED N  N damaged copies: bytes, words and fields set to what
 *                                           hurts, in the parts of the file that are not zeros
 * hostile-format unread FORMAT FILE...      each read that opening it takes fails once: it is then
 *                                           refused, and for that reason
 * hostile-format replay FORMAT FILE...      the file as it is; a fuzzer's finding, or its seed
 *
 * FORMAT is a driver's name, or "any". Fails when a driver crashes, hangs, breaks a rule (see
 * formatdrive.h), takes more than a second or more than 192 MiB for one input. cut also says how
 * many lengths were refused, and fails when none of those in the first half of the file was.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"
#include "drivers.h"
#include "formatdrive.h"
#include "image.h"
#include "ondisk.h"

#define SECONDS_MAX 1.0
#define MEMORY_MAX  ((size_t)192 << 10) /* KiB of peak, the process included */
#define FILE_MAX    ((size_t)64 << 20)

#if defined __SANITIZE_ADDRESS__
#define SLOWER       10.0
#define COUNT_MEMORY 0
#else
#define SLOWER       1.0
#define COUNT_MEMORY 1
#endif

static const char *doing;

static void hung(int sig)
{
	(void)sig;
	fprintf(stderr, "hostile-format: hangs: %s\n", doing);
	_exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 0 when it opened. */
static int one(const char *format, const uint8_t *data, size_t len, const char *what)
{
	struct dev *dev = formatdrive_input(data, len);
	struct platter_error err;
	double start = now(), took;
	int r;

	doing = what;
	alarm(60);
	r = formatdrive(dev, strcmp(format, "any") == 0 ? NULL : format, &err);
	alarm(0);
	took = now() - start;
	dev_unref(dev);
	if (took > SECONDS_MAX * SLOWER) {
		fprintf(stderr, "hostile-format: %s: %.1f s of CPU time\n", what, took);
		exit(1);
	}
	if (getenv("VERBOSE"))
		printf("%s: %s\n", what, r ? err.text : "opened");
	return r;
}

static uint8_t *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(FILE_MAX);

	if (!f || !data) {
		perror(path);
		exit(2);
	}
	*len = fread(data, 1, FILE_MAX, f);
	fclose(f);
	return data;
}

/* What is refused as it is would be refused cut as well. Here there are no other files, so those
 * that name some are not found. */
static void check_seed(const char *format, const char *path, const uint8_t *data, size_t len)
{
	int r = one(format, data, len, path);

	if (r && r != -ENOENT) {
		fprintf(stderr, "hostile-format: %s: is refused as it is: %s\n", path,
		        strerror(-r));
		exit(1);
	}
}

static int cut(const char *format, const char *path)
{
	size_t len, refused = 0, tried = 0, early = 0;
	uint8_t *data = read_file(path, &len);
	char what[256];

	check_seed(format, path, data, len);
	for (size_t n = 1; n < len; n++) {
		/* Near the ends each, elsewhere some: tables stand at the ends. */
		if (n > 4096 && len - n > 4096 && n % (len / 512 + 1) != 0)
			continue;
		snprintf(what, sizeof what, "%s cut to %zu of %zu bytes", path, n, len);
		tried++;
		if (one(format, data, n, what) != 0) {
			refused++;
			early += n <= len / 2;
		}
	}
	free(data);
	printf("%s: %zu of %zu lengths refused\n", path, refused, tried);
	if (!early) {
		fprintf(stderr, "hostile-format: %s: no length in its first half is refused\n",
		        path);
		return 1;
	}
	return 0;
}

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* A place in the file where something is said: most of an image is zeros or data. */
static size_t place(const uint8_t *data, size_t len, uint64_t *rng)
{
	size_t at = 0;

	for (int i = 0; i < 64; i++) {
		uint64_t r = next(rng);
		/* Headers and footers more often than the middle. */
		size_t span = r & 1 ? (size_t)min64(len, 1024) : len;

		at = (size_t)(next(rng) % span);
		if ((r & 6) == 6)
			at = len - 1 - at;
		if (data[at])
			break;
	}
	return at;
}

static void damage(uint8_t *data, size_t len, uint64_t *rng)
{
	static const uint64_t hurts[] = {0,
	                                 1,
	                                 0x7f,
	                                 0xff,
	                                 0x7fff,
	                                 0xffff,
	                                 0x7fffffff,
	                                 0xffffffff,
	                                 0x80000000,
	                                 0x7fffffffffffffff,
	                                 0xffffffffffffffff,
	                                 0x8000000000000000,
	                                 0xfffffffffffff000,
	                                 0x100000000,
	                                 512};
	static const size_t widths[] = {1, 2, 4, 8};
	unsigned times = 1 + (unsigned)(next(rng) % 3);

	while (times--) {
		size_t at = place(data, len, rng), width = widths[next(rng) % 4];
		uint64_t v = next(rng) & 1 ? hurts[next(rng) % (sizeof hurts / sizeof *hurts)]
		                           : next(rng);
		bool big = next(rng) & 1;

		if (next(rng) % 8 == 0) {
			data[at] ^= (uint8_t)(1u << next(rng) % 8);
			continue;
		}
		at = at / width * width;
		for (size_t i = 0; i < width && at + i < len; i++)
			data[at + i] = (uint8_t)(v >> 8 * (big ? width - 1 - i : i));
	}
}

static int mutate(const char *format, const char *path, uint64_t seed, unsigned long count)
{
	size_t len, opened = 0;
	uint8_t *data = read_file(path, &len), *copy = malloc(len);
	char what[256];

	if (!copy || len == 0)
		return 2;
	check_seed(format, path, data, len);
	for (unsigned long i = 0; i < count; i++) {
		uint64_t rng = seed + i;

		memcpy(copy, data, len);
		damage(copy, len, &rng);
		snprintf(what, sizeof what, "%s, mutation %llu", path,
		         (unsigned long long)(seed + i));
		opened += one(format, copy, len, what) == 0;
	}
	printf("%s: %lu mutations, %zu opened\n", path, count, opened);
	free(copy);
	free(data);
	return 0;
}

/* ---- a device one of whose reads fails ---- */

struct failing {
	struct dev dev;
	struct dev *lower;
	unsigned left; /* reads before that one */
	bool met;
	uint64_t at;
};

static int failing_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	struct failing *f = (struct failing *)dev;

	if (f->left-- == 0) {
		f->met = true;
		f->at = off;
		return -EIO;
	}
	return dev_pread(f->lower, buf, len, off);
}

static void failing_close(struct dev *dev)
{
	(void)dev;
}

static const struct dev_ops failing_ops = {.pread = failing_pread, .close = failing_close};

/* Whether it opens although a read fails, or is refused for something else. *met: one has failed.
 */
static bool takes_unread(const char *format, struct dev *lower, unsigned reads, bool *met)
{
	struct failing f = {.lower = lower, .left = reads};
	struct cache *cache = cache_new((size_t)16 << 20);
	struct image_request req = {.cache = cache};
	struct platter_error err = {.text = ""};
	struct image *image;
	int r;

	if (!cache)
		abort();
	req.format = strcmp(format, "any") == 0 ? NULL : format;
	dev_init(&f.dev, &failing_ops, lower->size);
	r = image_open_dev(&f.dev, &req, &image, &err);
	image_close(image);
	cache_free(cache);
	*met = f.met;
	if (!f.met || (r == -EIO && strstr(err.text, strerror(EIO))))
		return false;
	fprintf(stderr, "hostile-format: read %u, at %llu, failed: %s\n", reads,
	        (unsigned long long)f.at, r ? err.text : "opened");
	return true;
}

static int unread(const char *format, const char *path)
{
	size_t len;
	uint8_t *data = read_file(path, &len);
	struct dev *dev = formatdrive_input(data, len);
	unsigned reads = 0;
	bool met = true;
	int r = 0;

	check_seed(format, path, data, len);
	doing = path;
	alarm(60);
	while (met && reads < 4096)
		r |= takes_unread(format, dev, reads++, &met);
	alarm(0);
	dev_unref(dev);
	free(data);
	return r;
}

static int replay(const char *format, const char *path)
{
	size_t len;
	uint8_t *data = read_file(path, &len);

	one(format, data, len, path);
	free(data);
	return 0;
}

/* A driver that is not there would refuse everything. */
static bool known(const char *format)
{
	for (size_t i = 0; format_drivers[i]; i++)
		if (strcmp(format_drivers[i]->name, format) == 0)
			return true;
	return strcmp(format, "any") == 0;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	int r = 0;

	signal(SIGALRM, hung);
	if (argc > 2 && !known(argv[2])) {
		fprintf(stderr, "hostile-format: no driver %s\n", argv[2]);
		return 2;
	}
	if (argc == 6 && strcmp(argv[1], "mutate") == 0)
		r = mutate(argv[2], argv[3], strtoull(argv[4], NULL, 0), strtoul(argv[5], NULL, 0));
	else if (argc > 3 && strcmp(argv[1], "cut") == 0)
		for (int i = 3; i < argc && !r; i++)
			r = cut(argv[2], argv[i]);
	else if (argc > 3 && strcmp(argv[1], "unread") == 0)
		for (int i = 3; i < argc; i++)
			r |= unread(argv[2], argv[i]);
	else if (argc > 3 && strcmp(argv[1], "replay") == 0)
		for (int i = 3; i < argc && !r; i++)
			r = replay(argv[2], argv[i]);
	else {
		fprintf(stderr, "usage: see the head of hostile-format.c\n");
		return 2;
	}
	if (COUNT_MEMORY && getrusage(RUSAGE_SELF, &usage) == 0 &&
	    (size_t)usage.ru_maxrss > MEMORY_MAX) {
		fprintf(stderr, "hostile-format: %ld KiB of memory\n", usage.ru_maxrss);
		return 1;
	}
	return r;
}

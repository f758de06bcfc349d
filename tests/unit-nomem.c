/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Nth allocation of the library fails, for each N until none is left to fail: every call then
 * works, or says ENOMEM, with a reason where it gives reasons; all memory and descriptors are
 * given back; and the overlay holds what was flushed.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ondisk.h"
#include "platter.h"
#include "testdev.h"

#define SIZE ((size_t)4 << 20)
#define AT   ((uint64_t)1 << 20)

/* ---- allocations, by ld's --wrap ---- */

static unsigned long count, fail_at; /* fail_at 0: none */
static long live;                    /* blocks that were not given back */

static bool denied(void)
{
	if (!fail_at || ++count != fail_at)
		return false;
	errno = ENOMEM;
	return true;
}

static void *counted(void *p)
{
	live += p != NULL;
	return p;
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

#define REAL(type, name, ...)                                                                      \
	type __real_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

REAL(void *, malloc, size_t n)
{
	return denied() ? NULL : counted(__real_malloc(n));
}

REAL(void *, calloc, size_t n, size_t size)
{
	return denied() ? NULL : counted(__real_calloc(n, size));
}

REAL(void *, reallocarray, void *p, size_t n, size_t size)
{
	void *grown = denied() ? NULL : __real_reallocarray(p, n, size);

	return p ? grown : counted(grown);
}

REAL(char *, strdup, const char *s)
{
	return denied() ? NULL : counted(__real_strdup(s));
}

REAL(char *, realpath, const char *path, char *out)
{
	return denied() ? NULL : counted(__real_realpath(path, out));
}

REAL(int, vasprintf, char **out, const char *fmt, va_list ap)
{
	int n = denied() ? -1 : __real_vasprintf(out, fmt, ap);

	live += n >= 0;
	return n;
}

#define ASPRINTF(name, ...)                                                                        \
	int name(char **out, __VA_ARGS__, ...);                                                    \
	int name(char **out, __VA_ARGS__, ...)                                                     \
	{                                                                                          \
		va_list ap;                                                                        \
		int n;                                                                             \
                                                                                                   \
		va_start(ap, fmt);                                                                 \
		n = __wrap_vasprintf(out, fmt, ap);                                                \
		va_end(ap);                                                                        \
		return n;                                                                          \
	}

ASPRINTF(__wrap_asprintf, const char *fmt)

/* With _FORTIFY_SOURCE. */
ASPRINTF(__wrap___asprintf_chk, int flag __attribute__((unused)), const char *fmt)

int __wrap___vasprintf_chk(char **out, int flag, const char *fmt, va_list ap);

int __wrap___vasprintf_chk(char **out, int flag, const char *fmt, va_list ap)
{
	(void)flag;
	return __wrap_vasprintf(out, fmt, ap);
}

/* Its buffer is counted when it is made: by then it is the caller's, also when closing fails. */
REAL(FILE *, open_memstream, char **text, size_t *size)
{
	FILE *f = denied() ? NULL : __real_open_memstream(text, size);

	live += f != NULL;
	return f;
}

REAL(void *, mmap, void *p, size_t len, int prot, int flags, int fd, off_t off)
{
	return denied() ? MAP_FAILED : __real_mmap(p, len, prot, flags, fd, off);
}

REAL(void *, blkid_new_probe, void)
{
	return denied() ? NULL : __real_blkid_new_probe();
}

#ifdef HAVE_LIBCRYPTO
REAL(void *, EVP_MD_CTX_new, void)
{
	return denied() ? NULL : __real_EVP_MD_CTX_new();
}
#endif

REAL(void, free, void *p)
{
	live -= p != NULL;
	__real_free(p);
}

/* ---- what is done without memory ---- */

static int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int no_memory(int r)
{
	CHECK(r == 0 || r == -ENOMEM);
	return r;
}

/* For calls that fill err. */
static int no_memory_said(int r, const struct platter_error *err)
{
	CHECK(no_memory(r) == 0 || err->code == ENOMEM);
	CHECK(r == 0 || strstr(err->text, "emory"));
	return r;
}

static char *info; /* of the first time, when nothing failed */

static int same_info(struct platter *p)
{
	char *text = platter_info_json(p);

	if (!text)
		return -ENOMEM;
	if (!info)
		info = __real_strdup(text);
	CHECK(strcmp(text, info) == 0);
	__wrap_free(text);
	return 0;
}

static int count_entry(void *arg, const char *name, platter_ino ino, const struct stat *st,
                       uint64_t next)
{
	(void)name;
	(void)ino;
	(void)st;
	(void)next;
	++*(int *)arg;
	return 0;
}

static int read_node(struct platter_tree *tree, platter_ino ino)
{
	static char buf[65536];
	size_t got = 1;
	int r = 0;

	for (uint64_t off = 0; !r && got; off += got)
		r = platter_tree_read(tree, ino, buf, sizeof buf, off, &got);
	return r;
}

/* Read and, where it can be, write the node called name, in memory that stays the same. */
static int use(struct platter *p, struct platter_tree *tree, const char *name, bool *flushed)
{
	static char data[20000];
	int entries = 0, r;
	platter_ino ino;
	struct stat st;

	r = no_memory(platter_tree_readdir(tree, 1, 0, count_entry, &entries));
	if (!r)
		r = no_memory(platter_tree_lookup(tree, 1, name, strlen(name), &ino, &st));
	if (!r)
		r = no_memory(read_node(tree, ino));
	if (r || !platter_writable(p))
		return r;
	memset(data, 'd', sizeof data);
	r = no_memory(platter_tree_write(tree, ino, data, sizeof data, AT + 5));
	if (!r)
		r = no_memory(platter_tree_zero(tree, ino, AT + 5000, 9000));
	if (!r)
		r = no_memory(platter_flush(p));
	*flushed = r == 0;
	return r;
}

static int attach(struct platter *p, bool *flushed)
{
	struct platter_view view = {0};
	struct platter_error err = {0};
	struct platter_tree *tree;
	int r = no_memory_said(platter_attach(p, PLATTER_PART_ALL, &view, &tree, &err), &err);

	if (!r) {
		r = use(p, tree, "disk", flushed);
		platter_tree_close(tree);
	}
	return r;
}

/* From open to close. *flushed: everything was written and flushed. */
static int session(const char *image, const struct platter_options *opt, bool *flushed)
{
	struct platter_error err = {0};
	struct platter *p;
	int r = no_memory_said(platter_open(image, opt, &p, &err), &err), closed;

	*flushed = false;
	if (r) {
		CHECK(!p && strncmp(err.text, image, strlen(image)) == 0);
		return r;
	}
	r = no_memory(platter_begin(p));
	if (!r)
		r = same_info(p);
	if (!r)
		r = attach(p, flushed);
	closed = no_memory(platter_close(p));
	return r ? r : closed;
}

/* ---- the images ---- */

static void make_image(const char *path)
{
	/* A partition of a type that says nothing, and one in an extended partition. */
	static const uint8_t mbr[] = {
		0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8,    0, 0, 0, 8, 0, 0,
		0, 0, 0, 0, 0x05, 0, 0, 0, 0, 0x10, 0, 0, 0, 8, 0, 0,
	};
	static const uint8_t ebr[] = {0, 0, 0, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 0, 4, 0, 0};
	static const uint8_t magic[] = {0x55, 0xaa};
	char block[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	memset(block, 'b', sizeof block);
	for (size_t at = 1536; at < SIZE; at += at == 1536 ? 2560 : sizeof block)
		CHECK(pwrite(fd, block, at == 1536 ? 2560 : sizeof block, (off_t)at) > 0);
	for (int i = 0; i < 2; i++) {
		off_t at = i ? 0x1000 * 512 : 0;

		memset(block, 0, 512);
		CHECK(pwrite(fd, block, 512, at) == 512);
		CHECK(pwrite(fd, i ? ebr : mbr, i ? sizeof ebr : sizeof mbr, at + 446) > 0);
		CHECK(pwrite(fd, magic, 2, at + 510) == 2);
	}
	close(fd);
}

/* Over the other image, which has all of its bytes; with a snapshot. */
static void make_qcow2(const char *path, const char *base)
{
	enum { CLUSTER = 65536, L1 = CLUSTER, SNAPSHOTS = 2 * CLUSTER };
	static const char format[] = "raw";
	be32 head[] = {
		be32_put(0x514649fb),
		be32_put(3),
		be32_put(0),
		be32_put(512), /* the backing file's name */
		be32_put((uint32_t)strlen(base)),
		be32_put(16),
		be32_put(0),
		be32_put(SIZE),
		be32_put(0),
		be32_put(1), /* of L1 */
		be32_put(0),
		be32_put(L1),
		be32_put(0),
		be32_put(0),
		be32_put(0),
		be32_put(1), /* snapshot */
		be32_put(0),
		be32_put(SNAPSHOTS),
		be32_put(0),
		be32_put(0),
		be32_put(0),
		be32_put(0),
		be32_put(0),
		be32_put(0),
		be32_put(4),
		be32_put(104),
		be32_put(0xe2792aca),
		be32_put(sizeof format - 1),
	};
	struct {
		be32 l1[3];
		be16 id_length, name_length;
		be32 rest[6];
		char id[1], name[4];
	} snapshot = {{be32_put(0), be32_put(L1), be32_put(1)},
	              be16_put(1),
	              be16_put(4),
	              {{{0}}},
	              "1",
	              "name"};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && ftruncate(fd, 3 * CLUSTER) == 0);
	CHECK(pwrite(fd, head, sizeof head, 0) == sizeof head);
	CHECK(pwrite(fd, format, sizeof format - 1, sizeof head) > 0);
	CHECK(pwrite(fd, base, strlen(base), 512) > 0);
	CHECK(pwrite(fd, &snapshot, sizeof snapshot, SNAPSHOTS) == sizeof snapshot);
	close(fd);
}

/* What the image has under an overlay, of which maybe nothing was written. */
static void overlay_holds(const char *image, const struct platter_options *opt, bool flushed)
{
	struct platter_view view = {0};
	struct platter_error err = {0};
	struct platter_tree *tree;
	struct platter *p;
	platter_ino ino;
	struct stat st;
	char buf[20000];
	size_t got;

	CHECK(platter_open(image, opt, &p, &err) == 0);
	CHECK(platter_attach(p, 0, &view, &tree, &err) == 0);
	CHECK(platter_tree_lookup(tree, 1, "disk", 4, &ino, &st) == 0);
	CHECK(platter_tree_read(tree, ino, buf, sizeof buf, AT + 5, &got) == 0);
	CHECK(got == sizeof buf);
	for (size_t i = 0; i < sizeof buf; i++) {
		bool zeroed = i >= 4995 && i < 13995;

		CHECK(buf[i] == (zeroed ? 0 : 'd') ||
		      (!flushed && (buf[i] == 'b' || buf[i] == 'd')));
	}
	platter_tree_close(tree);
	CHECK(platter_close(p) == 0);
}

static int files(void)
{
	DIR *dir = opendir(".");
	int n = -2;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* opt->overlay: whether it exists before. */
static void each_allocation_fails(const char *image, const struct platter_options *opt, bool exists)
{
	unsigned long n = 0;
	bool flushed;
	int r, left;

	CHECK(session(image, opt, &flushed) == 0); /* libraries set themselves up; info is known */
	left = files();
	do {
		int descriptors;
		long before = live;

		if (opt->overlay && !exists)
			unlink(opt->overlay);
		descriptors = open_descriptors();
		count = 0;
		fail_at = ++n;
		r = session(image, opt, &flushed);
		fail_at = 0;
		if (live != before || open_descriptors() != descriptors)
			fprintf(stderr, "without allocation %lu:\n", n);
		CHECK(live == before && open_descriptors() == descriptors);
		CHECK(r != 0 || count != n); /* else it did not matter, and would not be needed */
		if (opt->overlay)
			overlay_holds(image, opt, flushed);
		CHECK(files() == left);
	} while (count >= n);
	CHECK(n > 10);
	fprintf(stderr, "%s%s: %lu allocations\n", image, opt->overlay ? ", overlay" : "", n - 1);
	__real_free(info);
	info = NULL;
}

int main(void)
{
	struct platter_options plain = {0}, overlay = {.overlay = "changes"},
			       ram = {.overlay_ram = true};
	char dir[32];

	snprintf(dir, sizeof dir, "unit-nomem.%d", (int)getpid());
	CHECK(mkdir(dir, 0700) == 0 && chdir(dir) == 0);
	make_image("disk.img");
	each_allocation_fails("disk.img", &plain, false);
	each_allocation_fails("disk.img", &ram, false);
	each_allocation_fails("disk.img", &overlay, false);
	each_allocation_fails("disk.img", &overlay, true);
	unlink("changes");
	make_qcow2("over.qcow2", "disk.img");
	each_allocation_fails("over.qcow2", &plain, false);
	each_allocation_fails("over.qcow2", &ram, false);
	unlink("over.qcow2");
	unlink("disk.img");
	CHECK(chdir("..") == 0 && rmdir(dir) == 0);
	return 0;
}

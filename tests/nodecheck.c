/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nodecheck MODEL SECONDS SEED NODE START [NODE START]...
 *
 * Threads do random things to nodes of one disk at once, each with its own descriptors, and look
 * at the results through any node. MODEL is a file with what the disk holds, START where a node
 * begins on the disk; the model is kept up to date, so that it is what the disk must hold at the
 * end and at the next attach.
 *
 * The disk is cut into pieces of odd sizes, and every piece belongs to one thread, who alone
 * changes it. Most blocks at the edges of pieces thus have bytes of two. The first sector belongs
 * to nobody: it is the partition table.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define THREADS     6
#define NODES       8
#define SMALL_PIECE 1237    /* several in a block */
#define LARGE_PIECE 1300021 /* has whole granules of the overlay's map inside */
#define LARGE_EVERY 401

struct node {
	const char *path;
	off_t start, size;
};

struct piece {
	off_t start, size;
	pthread_mutex_t lock; /* the owner changes it, or somebody compares it with the model */
};

struct client {
	unsigned id;
	uint64_t random;
	int fd[NODES];
	char *buf; /* LARGE_PIECE bytes */
	unsigned long done;
	const char *doing;
};

/* Where an operation works: bytes of a piece, as a node has them. */
struct place {
	struct piece *piece;
	unsigned node;
	off_t at, len; /* on the disk */
};

static struct node nodes[NODES];
static unsigned node_count;
static struct piece *pieces;
static size_t piece_count;
static char *model;
static off_t disk_size;
static time_t end;
static atomic_size_t hot;

static void failed(const struct client *c, const struct place *p, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

static void failed(const struct client *c, const struct place *p, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "thread %u, operation %lu, %s", c->id, c->done, c->doing);
	if (p)
		fprintf(stderr, " of %lld bytes at %lld of the disk through %s", (long long)p->len,
		        (long long)p->at, nodes[p->node].path);
	fputs(": ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* ---- choosing ---- */

static uint64_t next_random(struct client *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random >> 11;
}

static off_t below(struct client *c, off_t limit)
{
	return (off_t)(next_random(c) % (uint64_t)limit);
}

/* A length that is small as often as it is large, or ends with blocks and sectors. */
static off_t choose_length(struct client *c, off_t limit)
{
	static const off_t sizes[] = {16, 512, 4096, 5000, 65536, LARGE_PIECE};
	off_t most = sizes[below(c, sizeof sizes / sizeof *sizes)];

	return 1 + below(c, most < limit ? most : limit);
}

static void choose_node(struct client *c, struct place *p)
{
	do
		p->node = (unsigned)below(c, node_count);
	while (p->at < nodes[p->node].start ||
	       p->at + p->len > nodes[p->node].start + nodes[p->node].size);
}

static struct place choose(struct client *c, struct piece *piece)
{
	struct place p = {.piece = piece};

	p.len = choose_length(c, piece->size);
	p.at = piece->start + below(c, piece->size - p.len + 1);
	if (below(c, 3) == 0) { /* as filesystems do: from a block on */
		off_t up = (p.at + 4095) / 4096 * 4096;

		if (up + p.len <= piece->start + piece->size)
			p.at = up;
	}
	choose_node(c, &p);
	return p;
}

/*
 * Mostly all threads are at work on neighbouring pieces, and go on to the next before long: what
 * can go wrong in a block that nobody wrote to before goes wrong once.
 */
static struct piece *own_piece(struct client *c)
{
	size_t rows = piece_count / THREADS, row = (size_t)below(c, (off_t)rows);
	struct piece *p;

	if (below(c, 10))
		row = atomic_fetch_add(&hot, 1) / 24 % rows;
	p = &pieces[row * THREADS + c->id];
	if (below(c, 20) == 0)
		while (p->size <= SMALL_PIECE && p + THREADS < pieces + piece_count)
			p += THREADS;
	return p;
}

static off_t in_node(const struct place *p)
{
	return p->at - nodes[p->node].start;
}

/* ---- operations on a locked piece ---- */

static void compare(struct client *c, const struct place *p)
{
	ssize_t n = pread(c->fd[p->node], c->buf, (size_t)p->len, in_node(p));

	if (n != p->len)
		failed(c, p, "read %zd: %s", n, n < 0 ? strerror(errno) : "short");
	for (off_t i = 0; i < p->len; i++)
		if (c->buf[i] != model[p->at + i])
			failed(c, p, "byte %lld is %02x, must be %02x", (long long)i,
			       (unsigned char)c->buf[i], (unsigned char)model[p->at + i]);
}

static void do_write(struct client *c, const struct place *p)
{
	uint64_t fill = below(c, 8) ? next_random(c) : 0;
	size_t first = (size_t)below(c, p->len + 1);
	struct iovec parts[2] = {{c->buf, first}, {c->buf + first, (size_t)p->len - first}};
	ssize_t n;

	for (off_t i = 0; i < p->len; i++)
		c->buf[i] = (char)((fill * (uint64_t)(i + 1)) >> 24);
	n = below(c, 4) ? pwrite(c->fd[p->node], c->buf, (size_t)p->len, in_node(p))
	                : pwritev(c->fd[p->node], parts, 2, in_node(p));
	if (n != p->len)
		failed(c, p, "wrote %zd: %s", n, n < 0 ? strerror(errno) : "short");
	memcpy(model + p->at, c->buf, (size_t)p->len);
}

static void do_zero(struct client *c, const struct place *p)
{
	int mode = below(c, 2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;

	if (fallocate(c->fd[p->node], mode, in_node(p), p->len) < 0)
		failed(c, p, "mode %d: %s", mode, strerror(errno));
	memset(model + p->at, 0, (size_t)p->len);
}

/* A hole reads as zeros, and data ends somewhere. */
static void do_seek(struct client *c, const struct place *p)
{
	off_t at = in_node(p), data = lseek(c->fd[p->node], at, SEEK_DATA), hole;

	if (data < 0 && errno == ENXIO)
		data = nodes[p->node].size;
	hole = lseek(c->fd[p->node], at, SEEK_HOLE);
	if (data < at || hole < at || hole > nodes[p->node].size)
		failed(c, p, "data at %lld, a hole at %lld", (long long)data, (long long)hole);
	if (data > at && hole > at)
		failed(c, p, "neither data nor hole");
	for (off_t i = 0; i < p->len && i < data - at; i++)
		if (model[p->at + i])
			failed(c, p, "byte %lld is %02x, in a hole", (long long)i,
			       (unsigned char)model[p->at + i]);
}

static void do_fsync(struct client *c, const struct place *p)
{
	int fd = c->fd[p->node];

	if ((below(c, 2) ? fsync(fd) : fdatasync(fd)) < 0)
		failed(c, p, "%s", strerror(errno));
}

static void must_refuse(struct client *c, const struct place *p, const char *what, int r)
{
	c->doing = what;
	if (r == 0)
		failed(c, p, "was not refused");
}

static void do_refused(struct client *c, const struct place *p)
{
	int fd = c->fd[p->node];
	off_t whole = p->len / 4096 * 4096 + 4096;

	must_refuse(c, p, "collapse",
	            fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, in_node(p) & ~4095, whole));
	must_refuse(c, p, "insert",
	            fallocate(fd, FALLOC_FL_INSERT_RANGE, in_node(p) & ~4095, whole));
	must_refuse(c, p, "truncate", ftruncate(fd, in_node(p)));
	must_refuse(c, p, "extend", ftruncate(fd, nodes[p->node].size + p->len));
	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED)
		must_refuse(c, p, "a shared mmap", 0);
}

static void open_node(struct client *c, unsigned n)
{
	static const int flags[] = {0, 0, 0, O_DSYNC, O_TRUNC, O_DIRECT};

	c->fd[n] = open(nodes[n].path, O_RDWR | O_CLOEXEC | flags[below(c, 6)]);
	if (c->fd[n] < 0)
		failed(c, NULL, "opening %s: %s", nodes[n].path, strerror(errno));
}

static void do_reopen(struct client *c, const struct place *p)
{
	if (close(c->fd[p->node]) < 0)
		failed(c, p, "%s", strerror(errno));
	open_node(c, p->node);
}

static const struct operation {
	const char *name;
	void (*run)(struct client *c, const struct place *p);
	bool anywhere; /* also on pieces of other threads */
	unsigned weight;
} operations[] = {
	{"write", do_write, false, 40},     {"read", compare, true, 30},
	{"zero", do_zero, false, 10},       {"seek", do_seek, true, 10},
	{"fsync", do_fsync, false, 2},      {"refused", do_refused, true, 1},
	{"reopening", do_reopen, false, 2},
};

/* ---- threads ---- */

static const struct operation *choose_operation(struct client *c)
{
	const struct operation *op = operations;
	off_t n = below(c, 95);

	for (; n >= op->weight; op++)
		n -= op->weight;
	return op;
}

/* Bytes of many pieces, which others may be changing: only that it works. */
static void read_across(struct client *c)
{
	struct place p = {.len = 1 + below(c, LARGE_PIECE - 1)};

	c->doing = "reading";
	p.at = below(c, disk_size - p.len);
	choose_node(c, &p);
	if (pread(c->fd[p.node], c->buf, (size_t)p.len, in_node(&p)) != p.len)
		failed(c, &p, "%s", strerror(errno));
}

static void *work(void *arg)
{
	struct client *c = arg;

	for (; time(NULL) < end; c->done++) {
		const struct operation *op = choose_operation(c);
		struct place p = choose(c, op->anywhere ? &pieces[below(c, (off_t)piece_count)]
		                                        : own_piece(c));

		c->doing = op->name;
		pthread_mutex_lock(&p.piece->lock);
		op->run(c, &p);
		if (op->run == do_write || op->run == do_zero) {
			choose_node(c, &p);
			compare(c, &p);
		}
		pthread_mutex_unlock(&p.piece->lock);
		if (below(c, 20) == 0)
			read_across(c);
	}
	return NULL;
}

static void start(struct client *c, unsigned id, uint64_t seed)
{
	*c = (struct client){.id = id, .doing = "starting"};
	c->random = (seed * THREADS + id + 1) * 0x9e3779b97f4a7c15u;
	c->buf = malloc(LARGE_PIECE);
	if (!c->buf)
		failed(c, NULL, "no memory");
	for (unsigned n = 0; n < node_count; n++)
		open_node(c, n);
}

static void compare_all(struct client *c)
{
	c->doing = "reading at the end";
	for (unsigned n = 0; n < node_count; n++) {
		off_t node_end = nodes[n].start + nodes[n].size;
		struct place p = {.node = n, .at = nodes[n].start};

		for (; p.at < node_end; p.at += p.len) {
			p.len = node_end - p.at < LARGE_PIECE ? node_end - p.at : LARGE_PIECE;
			compare(c, &p);
		}
	}
}

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static void open_model(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	disk_size = st.st_size;
	model = mmap(NULL, (size_t)disk_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (model == MAP_FAILED)
		die(path);
	close(fd);
}

static void cut_into_pieces(void)
{
	off_t at = 512;

	pieces = calloc((size_t)(disk_size / SMALL_PIECE) + 1, sizeof *pieces);
	if (!pieces)
		die("pieces");
	for (; at < disk_size; piece_count++) {
		struct piece *p = &pieces[piece_count];

		p->start = at;
		p->size = piece_count % LARGE_EVERY == LARGE_EVERY - 1 ? LARGE_PIECE : SMALL_PIECE;
		if (p->size > disk_size - at)
			p->size = disk_size - at;
		pthread_mutex_init(&p->lock, NULL);
		at += p->size;
	}
}

int main(int argc, char **argv)
{
	static struct client clients[THREADS];
	pthread_t threads[THREADS];
	unsigned long done = 0;
	struct stat st;

	if (argc < 6 || argc % 2 || (argc - 4) / 2 > NODES)
		return 99;
	open_model(argv[1]);
	cut_into_pieces();
	for (int i = 4; i < argc; i += 2) {
		if (stat(argv[i], &st) < 0)
			die(argv[i]);
		nodes[node_count++] = (struct node){argv[i], atoll(argv[i + 1]), st.st_size};
	}
	end = time(NULL) + atoi(argv[2]);
	for (unsigned i = 0; i < THREADS; i++) {
		start(&clients[i], i, strtoull(argv[3], NULL, 10));
		if (pthread_create(&threads[i], NULL, work, &clients[i]))
			die("a thread");
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		done += clients[i].done;
	}
	compare_all(&clients[0]);
	printf("%lu operations by %d threads, seed %s\n", done, THREADS, argv[3]);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* info: what is in an image, for people (a bar and a table) or as JSON. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "text.h"

static void human(uint64_t bytes, char *out, size_t size)
{
	static const char units[][4] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	size_t u = 0;

	for (; v >= 1024 && u + 1 < sizeof units / sizeof *units; u++)
		v /= 1024;
	snprintf(out, size, v < 10 && u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

/* Strings of the image on a terminal. */
static const char *shown(const char *text, char *buf, size_t size)
{
	text_plain(text, strlen(text), buf, size);
	return buf;
}

/* ---- the bar ---- */

struct piece {
	uint64_t start, size;
	int part; /* index, or -1 for a gap */
};

static int by_start(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static size_t gather(struct platter *p, const struct platter_info *info, struct piece *pieces)
{
	size_t n = 0;

	for (size_t i = 0; i < info->nparts; i++) {
		struct platter_part_info part;

		platter_get_part(p, i, &part);
		if (!part.container && part.size && part.start < info->virtual_size)
			pieces[n++] = (struct piece){part.start, part.size, (int)i};
	}
	for (size_t i = 0; i < info->ngaps; i++) {
		platter_get_gap(p, i, &pieces[n].start, &pieces[n].size);
		pieces[n++].part = -1;
	}
	qsort(pieces, n, sizeof *pieces, by_start);
	return n;
}

static unsigned columns(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20)
		return w.ws_col;
	return 80;
}

/* A piece's number in the middle of its stretch of the bar, if it fits there. */
static void put_piece(const struct piece *piece, const char *label, unsigned width, bool colour)
{
	static const int colours[] = {44, 42, 45, 46, 43, 41};
	unsigned len = (unsigned)strlen(label);

	if (piece->part < 0) {
		for (unsigned i = 0; i < width; i++)
			putchar('.');
		return;
	}
	if (colour)
		printf("\033[30;%dm", colours[(size_t)piece->part % 6]);
	if (len + 2 > width)
		len = 0;
	for (unsigned i = 0; i < width; i++) {
		unsigned at = (width - len) / 2;

		if (len && i >= at && i < at + len)
			putchar(label[i - at]);
		else
			putchar(i == 0 ? '[' : i + 1 == width ? ']' : colour ? ' ' : '=');
	}
	if (colour)
		fputs("\033[0m", stdout);
}

static void put_bar(struct platter *p, const struct platter_info *info)
{
	struct piece *pieces = calloc(info->nparts + info->ngaps + 1, sizeof *pieces);
	unsigned width = columns() - 2, at = 0;
	bool colour = !getenv("NO_COLOR");
	size_t n = pieces ? gather(p, info, pieces) : 0;

	for (size_t i = 0; i < n && at < width; i++) {
		struct platter_part_info part;
		char label[16] = "";
		double end = (double)pieces[i].start + (double)pieces[i].size;
		unsigned to = (unsigned)(end / (double)info->virtual_size * width + 0.5);

		/* Whatever is there shows, be it ever so small. */
		if (to <= at)
			to = at + (pieces[i].part >= 0);
		if (to > width)
			to = width;
		if (pieces[i].part >= 0) {
			platter_get_part(p, (size_t)pieces[i].part, &part);
			snprintf(label, sizeof label, "%" PRIu32, part.number);
		}
		put_piece(&pieces[i], label, to - at, colour);
		at = to;
	}
	if (n)
		puts("\n");
	free(pieces);
}

/* ---- the table ---- */

static void put_fs(const struct platter_fs_info *fs)
{
	char buf[512];

	if (!fs->type[0])
		return;
	printf("%s", shown(fs->type, buf, sizeof buf));
	if (fs->label[0])
		printf(" \"%s\"", shown(fs->label, buf, sizeof buf));
	if (fs->uuid[0])
		printf(" %s", shown(fs->uuid, buf, sizeof buf));
}

static void put_parts(struct platter *p, const struct platter_info *info)
{
	char size[16], buf[512];

	if (info->nparts)
		printf("%4s %14s %14s %9s  %-24s %s\n", "#", "start", "bytes", "size", "type",
		       "holds");
	for (size_t i = 0; i < info->nparts; i++) {
		struct platter_part_info part;

		platter_get_part(p, i, &part);
		human(part.size, size, sizeof size);
		printf("%4" PRIu32 " %14" PRIu64 " %14" PRIu64 " %9s  %-24.24s ", part.number,
		       part.start, part.size, size,
		       shown(part.type_name[0] ? part.type_name : part.type, buf, sizeof buf));
		put_fs(&part.fs);
		if (part.name[0])
			printf(" name \"%s\"", shown(part.name, buf, sizeof buf));
		if (part.bootable)
			fputs(" bootable", stdout);
		putchar('\n');
		if (part.problem[0])
			printf("     ! %s\n", shown(part.problem, buf, sizeof buf));
	}
}

static void put_rest(struct platter *p, const struct platter_info *info)
{
	char size[16];

	for (size_t i = 0; i < info->ngaps; i++) {
		uint64_t start, len;

		platter_get_gap(p, i, &start, &len);
		human(len, size, sizeof size);
		printf("%4s %14" PRIu64 " %14" PRIu64 " %9s  free or table\n", "-", start, len,
		       size);
	}
	for (size_t i = 0; i < info->nboots; i++) {
		struct platter_part_info boot;

		platter_get_boot(p, i, &boot);
		human(boot.size, size, sizeof size);
		printf("boot %2" PRIu32 " %11" PRIu64 " %14" PRIu64 " %9s  %s\n", boot.number,
		       boot.start, boot.size, size, boot.type_name);
	}
	for (size_t i = 0; i < info->ntracks; i++) {
		struct platter_track_info track;

		platter_get_track(p, i, &track);
		human(track.size, size, sizeof size);
		printf("track %2" PRIu32 " %25" PRIu64 " %9s  %s\n", track.number, track.size, size,
		       track.audio ? "audio" : "data");
	}
}

/* ---- what the container says ---- */

static void put_snapshots(struct platter *p, size_t count)
{
	char size[16], id[128], name[1024], when[64];

	for (size_t i = 0; i < count; i++) {
		struct platter_snapshot_info s;
		struct tm tm;
		time_t t;

		platter_get_snapshot(p, i, &s);
		t = (time_t)s.created;
		human(s.size, size, sizeof size);
		if (!localtime_r(&t, &tm) || !strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm))
			when[0] = '\0';
		printf("snapshot %s \"%s\", %s, %s%s\n", shown(s.id, id, sizeof id),
		       shown(s.name, name, sizeof name), when, size, s.shown ? ", shown here" : "");
	}
}

static void put_container(struct platter *p, const struct platter_info *info)
{
	char buf[1024];

	for (size_t i = 0; i < info->nparents; i++) {
		const char *name;
		char format[64];

		platter_get_parent(p, i, &name, format, sizeof format);
		printf("  on %s (%s)\n", shown(name, buf, sizeof buf), format);
	}
	for (size_t i = 0; i < info->nnotes; i++)
		printf("  ! %s\n", shown(platter_get_note(p, i), buf, sizeof buf));
	put_snapshots(p, info->nsnapshots);
}

static void put_text(struct platter *p)
{
	struct platter_info info;
	char size[16], buf[1024];

	platter_get_info(p, &info);
	human(info.virtual_size, size, sizeof size);
	printf("%s: %s, %s (%" PRIu64 " bytes), sectors of %" PRIu32 ", table %s",
	       shown(platter_path(p), buf, sizeof buf), info.format, size, info.virtual_size,
	       info.sector_size, info.scheme);
	if (info.fs.type[0]) {
		fputs(", whole disk: ", stdout);
		put_fs(&info.fs);
	}
	putchar('\n');
	put_container(p, &info);
	for (size_t i = 0; i < info.nproblems; i++)
		printf("  ! %s\n", shown(platter_get_problem(p, i), buf, sizeof buf));
	if (isatty(STDOUT_FILENO))
		put_bar(p, &info);
	put_parts(p, &info);
	put_rest(p, &info);
}

int cmd_info(struct cli *cli)
{
	struct platter *p = cli_open(cli, cli->args[0]);
	int status = EXIT_OK;
	char *json;

	if (!p)
		return cli->open_status;
	if (cli->json) {
		json = platter_info_json(p);
		if (json)
			fputs(json, stdout);
		else
			status = EXIT_SYSTEM;
		free(json);
	} else {
		put_text(p);
	}
	if (platter_close(p) != 0 || status) {
		complain("%s: cannot be described or closed", cli->args[0]);
		return EXIT_SYSTEM;
	}
	return EXIT_OK;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* platter: the table of commands, and finding the one that is meant. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"
#include "text.h"

static const struct command commands[] = {
	{"mount", cmd_mount, OPT_IMAGE | OPT_OVERLAY | OPT_SERVE, 1, 2, "[OPTIONS] IMAGE [DIR]",
         "show the files inside an image"},
	{"attach", cmd_attach, OPT_IMAGE | OPT_OVERLAY | OPT_SERVE, 1, 2, "[OPTIONS] IMAGE [DIR]",
         "show the disk and its partitions as file nodes"},
	{"umount", cmd_umount, OPT_UMOUNT, 0, 1, "[-l] DIR | IMAGE | --all",
         "detach, and return when everything is on disk"},
	{"list", cmd_list, OPT_JSON, 0, 0, "[--json]", "what is mounted"},
	{"info", cmd_info, OPT_IMAGE | OPT_OVERLAY | OPT_LOOK | OPT_JSON, 1, 1,
         "[OPTIONS] [--json] IMAGE", "container, partition table, gaps and filesystems"},
	{"ls", cmd_ls, OPT_IMAGE | OPT_OVERLAY | OPT_LOOK | OPT_LIST, 1, 2,
         "[OPTIONS] [-lR] IMAGE [PATH]", "list files inside, without mounting"},
	{"cat", cmd_cat, OPT_IMAGE | OPT_OVERLAY | OPT_LOOK, 1, 2, "[OPTIONS] IMAGE [PATH]",
         "write a file (or with -p and no PATH a partition) to stdout"},
	{"cp", cmd_cp, OPT_IMAGE | OPT_OVERLAY | OPT_LOOK | OPT_COPY, 3, -1,
         "[OPTIONS] [-r] IMAGE PATH... DEST", "copy files out, without mounting"},
	{"status", cmd_status, OPT_JSON, 1, 1, "[--json] OVERLAY | DIR", "what an overlay holds"},
	{"diff", cmd_diff, OPT_DIFF | OPT_JSON | OPT_PART | OPT_BASE, 1, 1,
         "[OPTIONS] OVERLAY | DIR", "what an overlay changes, by bytes or by files"},
	{"discard", cmd_discard, OPT_YES, 1, 1, "[--yes] OVERLAY",
         "remove an overlay and the changes in it"},
	{"check", cmd_check, OPT_REPAIR, 1, 1, "[--repair] OVERLAY", "whether an overlay is sound"},
	{"keep", cmd_keep, 0, 2, 2, "DIR FILE", "make the overlay in memory of a mount a file"},
	{"commit", cmd_commit, OPT_YES | OPT_BASE | OPT_UNDO, 1, 1, "[--yes] [--undo FILE] OVERLAY",
         "write the changes into a raw image"},
	{"snapshot", cmd_snapshot, 0, 2, 2, "OVERLAY NAME", "freeze what an overlay holds"},
	{"rollback", cmd_rollback, OPT_YES, 2, 2, "[--yes] OVERLAY NAME", "go back to a snapshot"},
	{"flatten", cmd_flatten, 0, 1, 1, "OVERLAY", "merge an overlay's snapshots into it"},
	{"export", cmd_export, OPT_NEW | OPT_PACK | OPT_THIN | OPT_BASE, 2, 2,
         "[--format F] [--compress C] [--thin] OVERLAY DST", "image and changes as a new file"},
	{"convert", cmd_convert,
         OPT_IMAGE | OPT_OVERLAY | OPT_LOOK | OPT_NEW | OPT_PACK | OPT_USED | OPT_BASE | OPT_YES, 2,
         2, "[--format F] [--compress C] [--used] [-p N] SRC DST",
         "any image, device or overlay as a new image"},
	{"create", cmd_create, OPT_NEW, 2, 2, "[--format F] DST SIZE", "an empty image"},
	{"verify", cmd_verify, OPT_IMAGE | OPT_JSON | OPT_HASH, 1, 1,
         "[OPTIONS] [--hash NAME] IMAGE", "check, or compute, checksums of the disk"},
};

#define COMMANDS (sizeof commands / sizeof *commands)

/* Files that one image may consist of (chain.h), and some for everything else. */
#define DESCRIPTORS (4096 + 256)

void complain(const char *fmt, ...)
{
	char text[4096], line[sizeof text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* One line, whatever names in it hold. */
	text_plain(text, strlen(text), line, sizeof line);
	fprintf(stderr, "platter: %s\n", line);
}

int complain_error(const struct platter_error *err)
{
	complain("%s", err->text);
	return err->code == ENOTUNIQ ? EXIT_USAGE : err->code == EINTR ? EXIT_USER : EXIT_IMAGE;
}

int copy_status(int r)
{
	bool system = r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -EACCES || r == -EFBIG ||
	              r == -EEXIST;

	return system ? EXIT_SYSTEM : EXIT_IMAGE;
}

static void help(void)
{
	puts("platter: disk images as virtual drives, without root, driver or VM\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  platter %-8s %-34s %s\n", commands[i].name, commands[i].synopsis,
		       commands[i].summary);
	puts("\nOptions that take part in opening an image:\n"
	     "  -p, --partition N       only this partition (0: the whole disk)\n"
	     "      --overlay[=FILE]    take writes into FILE (IMAGE.overlay beside the image);\n"
	     "                          ram or ram:SIZE keeps them in memory\n"
	     "  -o OPT[,OPT]            uid= gid= umask= allow_other allow_root ro part= start= "
	     "length=\n"
	     "                          layout=auto|single|multi sector= tree=rr|joliet|plain "
	     "session=\n"
	     "                          map=lower disk= overlay=\n"
	     "      --format FMT        container format, instead of detecting it\n"
	     "      --chain=no|DIR      where files that an image names are looked for\n"
	     "      --snapshot NAME     the disk as it was at a snapshot inside the image\n"
	     "      --hash NAME[,NAME]  md5, sha1, sha256, sha512, crc32 (verify)\n"
	     "  -f, -d                  stay in the foreground; with FUSE's debug output\n"
	     "  -q, -v, -h, -V          quiet, verbose, this help, the version\n"
	     "\nplatter(1) has the whole story.");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static bool asked_for(const char *arg, const char *shorter, const char *longer)
{
	return strcmp(arg, shorter) == 0 || strcmp(arg, longer) == 0;
}

/* With one of them closed, an image would become standard output. */
static void hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	if (fd >= 3)
		close(fd);
}

/* An image may consist of more files than a shell lets a program open by default. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(int argc, char **argv)
{
	const struct command *command;
	struct cli cli;
	int status;

	if (argc < 2) {
		complain("no command; platter -h lists them");
		return EXIT_USAGE;
	}
	if (asked_for(argv[1], "-h", "--help") || strcmp(argv[1], "help") == 0) {
		help();
		return EXIT_OK;
	}
	if (asked_for(argv[1], "-V", "--version")) {
		puts("platter " PACKAGE_VERSION);
		return EXIT_OK;
	}
	command = find(argv[1]);
	if (command) {
		argc--;
		argv++;
	} else if (argc < 3) {
		complain("%s: no such command; platter -h lists them", argv[1]);
		return EXIT_USAGE;
	} else { /* the bare form, IMAGE DIR [-o OPTS], that mount(8) calls */
		command = find("mount");
	}
	status = cli_parse(command, argc, argv, &cli);
	/* To diff(1) and who calls it, 1 is an answer. */
	if (status && (command->options & OPT_DIFF))
		status = EXIT_SYSTEM;
	if (status == EXIT_OK && !cli.answered)
		status = command->run(&cli);
	cli_free(&cli);
	return status;
}

int main(int argc, char **argv)
{
	int status;

	hold_standard_descriptors();
	allow_descriptors();
	/* What threads take for a chunk and others give back: in an arena for each thread it adds
	 * up to twice the cache, and what it costs to share one cannot be measured. */
	mallopt(M_ARENA_MAX, 1);
	/* A limit on file sizes is an error of the write, not the end of the program. */
	signal(SIGXFSZ, SIG_IGN);
	status = run(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain("standard output: %s", strerror(errno));
		return status > EXIT_SYSTEM ? status : EXIT_SYSTEM;
	}
	return status;
}

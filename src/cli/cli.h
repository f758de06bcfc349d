/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands share: the command line as parsed, exit statuses, messages. */
#ifndef PLATTER_CLI_H
#define PLATTER_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "platter.h"

/* Exit statuses, as mount(8)'s. */
enum {
	EXIT_OK = 0,
	EXIT_USAGE = 1,
	EXIT_SYSTEM = 2,
	EXIT_BUG = 4,
	EXIT_USER = 8,
	EXIT_IMAGE = 32, /* a mount that failed, an image that cannot be used */
};

/* Options that not every command takes: command.options says which it does. */
enum {
	OPT_IMAGE = 1 << 0, /* how an image is opened: -p -o --format --chain */
	OPT_OVERLAY = 1 << 1,
	OPT_SERVE = 1 << 2, /* -f -d */
	OPT_JSON = 1 << 3,
	OPT_LIST = 1 << 4,   /* -l -R */
	OPT_COPY = 1 << 5,   /* -r */
	OPT_UMOUNT = 1 << 6, /* -l --all */
	OPT_YES = 1 << 7,
	OPT_LOOK = 1 << 8,    /* only looks: an overlay is not made and not changed */
	OPT_BASE = 1 << 9,    /* --base */
	OPT_UNDO = 1 << 10,   /* --undo */
	OPT_REPAIR = 1 << 11, /* --repair */
	OPT_NEW = 1 << 12,    /* --format is that of a new file */
	OPT_PART = 1 << 13,   /* -p */
	OPT_DIFF = 1 << 14,   /* --files --tar; exit statuses are those of diff(1) */
	OPT_THIN = 1 << 15,   /* --thin */
	OPT_PACK = 1 << 16,   /* --compress */
	OPT_USED = 1 << 17,   /* --used */
	OPT_HASH = 1 << 18,   /* --hash */
};

/* Kinds of checksums there are. */
#define CLI_HASHES_MAX 5

struct cli {
	struct platter_options open; /* what belongs to the image */
	struct platter_view view;
	int part;            /* PLATTER_PART_ALL when none was named */
	bool overlay_beside; /* --overlay without a value */

	bool foreground, debug, quiet, verbose;
	bool allow_other, allow_root;
	bool json, longer, recursive, lazy, all, yes, repair, files;

	const char *undo;       /* file for the old blocks of a commit */
	const char *new_format; /* of the file that is made, NULL: not said */
	const char *compress;   /* and how its contents are packed */
	bool thin, used;
	const char *base; /* the image under an overlay that is not beside it */
	const char *tar;  /* where changed files go, as an archive */

	const char *hashes[CLI_HASHES_MAX]; /* checksums to compute */
	size_t nhashes;

	int open_status;     /* the exit status when cli_open failed */
	bool answered;       /* -h or -V: there is nothing more to do */
	char *owned_overlay; /* what open.overlay points to */
	char *owned_folder;  /* what open.index_folder points to */
	char **args;         /* operands */
	int nargs;
};

struct command {
	const char *name;
	int (*run)(struct cli *cli); /* returns the exit status */
	unsigned options;
	int min_args, max_args; /* max -1: any number */
	const char *synopsis, *summary;
};

/* "platter: ..." on stderr, one line. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* complain() about err; returns EXIT_IMAGE, EXIT_USAGE for what the library calls ambiguous, or
 * EXIT_USER when it was stopped. */
int complain_error(const struct platter_error *err);

/* The exit status when copying failed with -errno r: trouble with the destination is the system's,
 * all other the image's. */
int copy_status(int r);

/*
 * Parse argv, whose first element is the command's name. 0, or an exit status after the message.
 * cli_free in any case.
 */
int cli_parse(const struct command *command, int argc, char **argv, struct cli *cli);
void cli_free(struct cli *cli);

/* A number of bytes: decimal or 0x, with an optional K, M, G, T or P (powers of 1024). */
bool cli_parse_bytes(const char *text, uint64_t *out);

/* What an image's name begins with that is no file but a disk in memory. */
#define CLI_RAM "ram:"

/* Open the image named by path as the options say; NULL after the message. */
struct platter *cli_open(struct cli *cli, const char *path);

int cmd_mount(struct cli *cli);
int cmd_attach(struct cli *cli);
int cmd_umount(struct cli *cli);
int cmd_list(struct cli *cli);
int cmd_info(struct cli *cli);
int cmd_ls(struct cli *cli);
int cmd_cat(struct cli *cli);
int cmd_cp(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_discard(struct cli *cli);
int cmd_keep(struct cli *cli);
int cmd_check(struct cli *cli);
int cmd_commit(struct cli *cli);
int cmd_snapshot(struct cli *cli);
int cmd_rollback(struct cli *cli);
int cmd_flatten(struct cli *cli);
int cmd_export(struct cli *cli);
int cmd_verify(struct cli *cli);
int cmd_diff(struct cli *cli);
int cmd_convert(struct cli *cli);
int cmd_create(struct cli *cli);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: options, -o lists and numbers. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli.h"
#include "err.h"
#include "interrupt.h"
#include "progress.h"

/* ---- values ---- */

bool cli_parse_bytes(const char *text, uint64_t *out)
{
	static const char units[] = "KMGTP";
	const char *unit;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoull(text, &end, strncasecmp(text, "0x", 2) == 0 ? 16 : 10);
	if (errno)
		return false;
	if (*end == '\0')
		return true;
	unit = strchr(units, toupper((unsigned char)*end));
	if (!unit || end[1])
		return false;
	return !__builtin_mul_overflow(*out, (uint64_t)1 << (10 * (unit - units + 1)), out);
}

static bool parse_number(const char *text, int base, uint32_t max, uint32_t *out)
{
	unsigned long v;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	v = strtoul(text, &end, base);
	if (errno || *end || v > max)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool parse_part(struct cli *cli, const char *text)
{
	uint32_t n;

	if (!parse_number(text, 10, 1 << 20, &n))
		return false;
	cli->part = (int)n;
	return true;
}

static bool parse_overlay(struct cli *cli, const char *text)
{
	struct platter_options *o = &cli->open;

	free(cli->owned_overlay);
	cli->owned_overlay = NULL;
	o->overlay = NULL;
	o->overlay_ram = cli->overlay_beside = false;
	o->overlay_max = 0;
	if (!text) {
		cli->overlay_beside = true;
	} else if (strcmp(text, "ram") == 0) {
		o->overlay_ram = true;
	} else if (strncmp(text, "ram:", 4) == 0) {
		o->overlay_ram = true;
		return cli_parse_bytes(text + 4, &o->overlay_max) && o->overlay_max > 0;
	} else {
		o->overlay = cli->owned_overlay = strdup(text);
		return *text && o->overlay;
	}
	return true;
}

static bool parse_layout(struct cli *cli, const char *text)
{
	static const char *const names[] = {
		[PLATTER_LAYOUT_AUTO] = "auto",
		[PLATTER_LAYOUT_SINGLE] = "single",
		[PLATTER_LAYOUT_MULTI] = "multi",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(text, names[i]) == 0) {
			cli->view.layout = (enum platter_layout)i;
			return true;
		}
	return false;
}

static bool parse_tree(struct cli *cli, const char *text)
{
	static const char *const names[] = {"rr", "joliet", "plain", "udf", "hfs"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(text, names[i]) == 0) {
			cli->open.tree = names[i];
			return true;
		}
	return false;
}

/* A list of checksums' names; one that is named twice is computed once. */
static bool parse_hashes(struct cli *cli, const char *text)
{
	static const char *const names[CLI_HASHES_MAX] = {"md5", "sha1", "sha256", "sha512",
	                                                  "crc32"};
	size_t len, i, k;

	do {
		len = strcspn(text, ",");
		for (i = 0; i < CLI_HASHES_MAX; i++)
			if (strlen(names[i]) == len && strncasecmp(names[i], text, len) == 0)
				break;
		if (i == CLI_HASHES_MAX)
			return false;
		for (k = 0; k < cli->nhashes && cli->hashes[k] != names[i]; k++)
			;
		if (k == cli->nhashes)
			cli->hashes[cli->nhashes++] = names[i];
		text += len;
	} while (*text++ == ',');
	return true;
}

/* ---- -o ---- */

/* What mount(8) adds or passes through; it means nothing here. */
static bool ignored(const char *name)
{
	static const char *const names[] = {
		"rw",      "dev",      "suid",       "exec",       "nodev",
		"nosuid",  "noexec",   "noatime",    "relatime",   "atime",
		"_netdev", "nofail",   "user",       "users",      "nouser",
		"auto",    "noauto",   "owner",      "defaults",   "async",
		"sync",    "diratime", "nodiratime", "norelatime", "strictatime",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strncmp(name, "x-", 2) == 0;
}

static bool parse_flag(struct cli *cli, const char *name)
{
	if (strcmp(name, "ro") == 0)
		cli->open.overlay_ro = true;
	else if (strcmp(name, "allow_other") == 0)
		cli->allow_other = true;
	else if (strcmp(name, "allow_root") == 0)
		cli->allow_root = true;
	else if (strcmp(name, "overlay") == 0)
		return parse_overlay(cli, NULL);
	else
		return ignored(name);
	return true;
}

/* *known: whether there is such an option; the result: whether its value is good. */
static bool parse_pair(struct cli *cli, const char *name, const char *value, bool *known)
{
	struct platter_options *o = &cli->open;
	struct platter_view *v = &cli->view;

	*known = true;
	if (strcmp(name, "uid") == 0)
		return v->force_uid = parse_number(value, 10, UINT32_MAX - 1, &v->uid);
	if (strcmp(name, "gid") == 0)
		return v->force_gid = parse_number(value, 10, UINT32_MAX - 1, &v->gid);
	if (strcmp(name, "umask") == 0)
		return parse_number(value, 8, 0777, &v->umask);
	if (strcmp(name, "part") == 0)
		return parse_part(cli, value);
	if (strcmp(name, "start") == 0 || strcmp(name, "offset") == 0)
		return cli_parse_bytes(value, &o->start);
	if (strcmp(name, "length") == 0 || strcmp(name, "sizelimit") == 0)
		return cli_parse_bytes(value, &o->length) && o->length > 0;
	if (strcmp(name, "layout") == 0)
		return parse_layout(cli, value);
	if (strcmp(name, "sector") == 0)
		return parse_number(value, 10, 4096, &o->sector) && o->sector >= 512 &&
		       (o->sector & (o->sector - 1)) == 0;
	if (strcmp(name, "tree") == 0)
		return parse_tree(cli, value);
	if (strcmp(name, "session") == 0)
		return parse_number(value, 10, 99, &o->session) && o->session > 0;
	if (strcmp(name, "disk") == 0)
		return parse_number(value, 10, 255, &o->disk) && o->disk > 0;
	if (strcmp(name, "map") == 0)
		return o->lower = strcmp(value, "lower") == 0;
	if (strcmp(name, "overlay") == 0)
		return parse_overlay(cli, value);
	/* libmount passes on who mounted. */
	*known = strncmp(name, "x-", 2) == 0 || strcmp(name, "user") == 0;
	return *known;
}

static int parse_one(struct cli *cli, char *item)
{
	char *value = strchr(item, '=');
	bool known, good;

	if (!value) {
		if (parse_flag(cli, item))
			return EXIT_OK;
		complain("-o %s: no such option, or it needs a value", item);
		return EXIT_USAGE;
	}
	*value++ = '\0';
	good = parse_pair(cli, item, value, &known);
	if (!known)
		complain("-o %s=%s: no such option", item, value);
	else if (!good)
		complain("-o %s=%s: not a value of this option", item, value);
	return good ? EXIT_OK : EXIT_USAGE;
}

/* A list as in fstab: a backslash takes the next character as it is. */
static int parse_list(struct cli *cli, const char *list)
{
	char *item = malloc(strlen(list) + 1);
	int status = item ? EXIT_OK : EXIT_SYSTEM;
	size_t n = 0;

	for (const char *p = list; status == EXIT_OK; p++) {
		if (*p && *p != ',') {
			if (*p == '\\' && p[1])
				p++;
			item[n++] = *p;
			continue;
		}
		item[n] = '\0';
		if (n)
			status = parse_one(cli, item);
		n = 0;
		if (!*p)
			break;
	}
	free(item);
	return status;
}

/* ---- options ---- */

enum {
	LONG_OVERLAY = 256,
	LONG_FORMAT,
	LONG_CHAIN,
	LONG_SNAPSHOT,
	LONG_JSON,
	LONG_ALL,
	LONG_YES,
	LONG_BASE,
	LONG_UNDO,
	LONG_REPAIR,
	LONG_THIN,
	LONG_FILES,
	LONG_TAR,
	LONG_HASH,
	LONG_COMPRESS,
	LONG_USED,
};

static const struct option long_options[] = {
	{"partition", required_argument, NULL, 'p'},
	{"overlay", optional_argument, NULL, LONG_OVERLAY},
	{"format", required_argument, NULL, LONG_FORMAT},
	{"chain", required_argument, NULL, LONG_CHAIN},
	{"snapshot", required_argument, NULL, LONG_SNAPSHOT},
	{"json", no_argument, NULL, LONG_JSON},
	{"all", no_argument, NULL, LONG_ALL},
	{"yes", no_argument, NULL, LONG_YES},
	{"base", required_argument, NULL, LONG_BASE},
	{"undo", required_argument, NULL, LONG_UNDO},
	{"repair", no_argument, NULL, LONG_REPAIR},
	{"thin", no_argument, NULL, LONG_THIN},
	{"files", no_argument, NULL, LONG_FILES},
	{"tar", required_argument, NULL, LONG_TAR},
	{"hash", required_argument, NULL, LONG_HASH},
	{"compress", required_argument, NULL, LONG_COMPRESS},
	{"used", no_argument, NULL, LONG_USED},
	{"foreground", no_argument, NULL, 'f'},
	{"debug", no_argument, NULL, 'd'},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"recursive", no_argument, NULL, 'r'},
	{"lazy", no_argument, NULL, 'l'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

/* The commands that an option belongs to, as bits of command.options; all bits: every one. */
static unsigned belongs_to(int c)
{
	switch (c) {
	case 'p':
		return OPT_IMAGE | OPT_PART;
	case 'o':
	case LONG_CHAIN:
	case LONG_SNAPSHOT:
		return OPT_IMAGE;
	case LONG_FORMAT:
		return OPT_IMAGE | OPT_NEW;
	case LONG_OVERLAY:
		return OPT_OVERLAY;
	case 'f':
	case 'd':
		return OPT_SERVE;
	case LONG_JSON:
		return OPT_JSON;
	case 'l':
		return OPT_LIST | OPT_UMOUNT;
	case 'R':
		return OPT_LIST;
	case 'r':
		return OPT_COPY;
	case LONG_ALL:
		return OPT_UMOUNT;
	case LONG_YES:
		return OPT_YES;
	case LONG_BASE:
		return OPT_BASE;
	case LONG_UNDO:
		return OPT_UNDO;
	case LONG_REPAIR:
		return OPT_REPAIR;
	case LONG_THIN:
		return OPT_THIN;
	case LONG_COMPRESS:
		return OPT_PACK;
	case LONG_USED:
		return OPT_USED;
	case LONG_FILES:
	case LONG_TAR:
		return OPT_DIFF;
	case LONG_HASH:
		return OPT_HASH;
	default:
		return ~0u;
	}
}

static bool takes(const struct command *command, int c)
{
	unsigned to = belongs_to(c);

	return to == ~0u || (command->options & to);
}

static int check_chain(const char *value)
{
	struct stat st;

	if (strcmp(value, "no") == 0 || (stat(value, &st) == 0 && S_ISDIR(st.st_mode)))
		return EXIT_OK;
	complain("--chain=%s: no such directory", value);
	return EXIT_USAGE;
}

static int bad_value(const char *option, const char *value)
{
	complain("%s %s: not a value of this option", option, value);
	return EXIT_USAGE;
}

static int take(struct cli *cli, const struct command *command, int c)
{
	switch (c) {
	case 'p':
		return parse_part(cli, optarg) ? EXIT_OK : bad_value("-p", optarg);
	case 'o':
		return parse_list(cli, optarg);
	case LONG_OVERLAY:
		return parse_overlay(cli, optarg) ? EXIT_OK : bad_value("--overlay", optarg);
	case LONG_FORMAT:
		if (command->options & OPT_NEW)
			cli->new_format = optarg;
		else
			cli->open.format = optarg;
		return EXIT_OK;
	case LONG_SNAPSHOT:
		cli->open.snapshot = optarg;
		return EXIT_OK;
	case LONG_CHAIN:
		cli->open.chain = optarg;
		return check_chain(optarg);
	case LONG_JSON:
		cli->json = true;
		return EXIT_OK;
	case LONG_ALL:
		cli->all = true;
		return EXIT_OK;
	case LONG_YES:
		cli->yes = true;
		return EXIT_OK;
	case LONG_BASE:
		cli->base = optarg;
		return EXIT_OK;
	case LONG_UNDO:
		cli->undo = optarg;
		return EXIT_OK;
	case LONG_REPAIR:
		cli->repair = true;
		return EXIT_OK;
	case LONG_THIN:
		cli->thin = true;
		return EXIT_OK;
	case LONG_FILES:
		cli->files = true;
		return EXIT_OK;
	case LONG_TAR:
		cli->tar = optarg;
		return EXIT_OK;
	case LONG_HASH:
		return parse_hashes(cli, optarg) ? EXIT_OK : bad_value("--hash", optarg);
	case LONG_COMPRESS:
		cli->compress = optarg;
		return EXIT_OK;
	case LONG_USED:
		cli->used = true;
		return EXIT_OK;
	case 'f':
		cli->foreground = true;
		return EXIT_OK;
	case 'd':
		cli->foreground = cli->debug = true;
		return EXIT_OK;
	case 'q':
		cli->quiet = true;
		return EXIT_OK;
	case 'v':
		cli->verbose = true;
		return EXIT_OK;
	case 'l':
		if (command->options & OPT_UMOUNT)
			cli->lazy = true;
		else
			cli->longer = true;
		return EXIT_OK;
	default: /* r, R */
		cli->recursive = true;
		return EXIT_OK;
	}
}

static int check_operands(const struct command *command, struct cli *cli)
{
	bool missing = cli->nargs < command->min_args ||
	               ((command->options & OPT_UMOUNT) && cli->nargs == 0 && !cli->all);

	if (missing)
		complain("%s: too few operands; platter %s %s", command->name, command->name,
		         command->synopsis);
	else if (command->max_args >= 0 && cli->nargs > command->max_args)
		complain("%s: %s is one operand too many; platter %s %s", command->name,
		         cli->args[command->max_args], command->name, command->synopsis);
	else
		return EXIT_OK;
	return EXIT_USAGE;
}

/* What getopt_long looked at last, and not the value that came with it. */
static const char *last_option(char **argv)
{
	return argv[optind - (optarg && optarg == argv[optind - 1] ? 2 : 1)];
}

/* Where indexes are kept (XDG Base Directory Specification); NULL where there is no such place. */
static char *index_folder(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *folder = NULL;
	int n = 0;

	if (cache && cache[0] == '/')
		n = asprintf(&folder, "%s/platter", cache);
	else if (home && home[0] == '/')
		n = asprintf(&folder, "%s/.cache/platter", home);
	return n < 0 ? NULL : folder;
}

int cli_parse(const struct command *command, int argc, char **argv, struct cli *cli)
{
	int c, status = EXIT_OK;

	*cli = (struct cli){.part = PLATTER_PART_ALL};
	cli->owned_folder = index_folder();
	cli->open.index_folder = cli->owned_folder;
	cli->view.uid = getuid();
	cli->view.gid = getgid();
	cli->open.overlay_ro = command->options & OPT_LOOK;
	opterr = 0;
	optind = 1;
	while (status == EXIT_OK &&
	       (c = getopt_long(argc, argv, ":p:o:fdqvlRrhV", long_options, NULL)) != -1) {
		if (c == 'h') {
			printf("platter %s %s\n  %s\n", command->name, command->synopsis,
			       command->summary);
			cli->answered = true;
			return EXIT_OK;
		}
		if (c == 'V') {
			puts("platter " PACKAGE_VERSION);
			cli->answered = true;
			return EXIT_OK;
		}
		if (c == ':') {
			complain("%s: needs a value", argv[optind - 1]);
			return EXIT_USAGE;
		}
		if (c == '?' || !takes(command, c)) {
			complain("%s: %s: no such option", command->name, last_option(argv));
			return EXIT_USAGE;
		}
		status = take(cli, command, c);
	}
	cli->args = argv + optind;
	cli->nargs = argc - optind;
	return status == EXIT_OK ? check_operands(command, cli) : status;
}

void cli_free(struct cli *cli)
{
	free(cli->owned_overlay);
	free(cli->owned_folder);
	cli->owned_overlay = NULL;
	cli->owned_folder = NULL;
}

static bool name_overlay(struct cli *cli, const char *path)
{
	struct stat st;

	/* What is beside a device node is /dev: no place to keep anything. */
	if (stat(path, &st) == 0 && S_ISBLK(st.st_mode)) {
		complain("%s: is a block device, --overlay=FILE must say where its overlay is",
		         path);
		return false;
	}
	if (asprintf(&cli->owned_overlay, "%s.overlay", path) < 0) {
		cli->owned_overlay = NULL;
		complain("%s: no memory", path);
		return false;
	}
	cli->open.overlay = cli->owned_overlay;
	return true;
}

/* ram:SIZE: no image, but memory. A file of that name is ./ram:SIZE. */
static bool take_ram(struct cli *cli, const char *path)
{
	if (!cli_parse_bytes(path + strlen(CLI_RAM), &cli->open.blank) || !cli->open.blank) {
		complain("%s: not a size", path);
		return false;
	}
	if (cli->overlay_beside || cli->open.overlay) {
		complain("%s: is in memory, and takes no --overlay", path);
		return false;
	}
	cli->open.overlay_ram = !cli->open.overlay_ro;
	return true;
}

struct platter *cli_open(struct cli *cli, const char *path)
{
	struct progress bar;
	struct platter_progress progress = {.step = progress_step, .arg = &bar};
	struct platter_error err;
	struct platter *p;
	int r;

	cli->open_status = EXIT_IMAGE;
	if (strncmp(path, CLI_RAM, strlen(CLI_RAM)) == 0 && !take_ram(cli, path))
		return NULL;
	if (cli->overlay_beside && !name_overlay(cli, path))
		return NULL;
	cli->open.progress = &progress;
	cli->open.stop = &interrupted;
	progress_begin(&bar, 0, cli->quiet);
	interrupt_catch();
	r = platter_open(path, &cli->open, &p, &err);
	interrupt_release();
	if (bar.total)
		progress_end(&bar);
	cli->open.progress = NULL;
	cli->open.stop = NULL;
	if (!r && interrupted) {
		platter_close(p);
		r = err_set(&err, EINTR, "%s: interrupted", path);
	}
	if (r) {
		cli->open_status = complain_error(&err);
		return NULL;
	}
	return p;
}

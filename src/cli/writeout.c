/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "writeout.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "interrupt.h"
#include "progress.h"

static const struct {
	const char *extension, *format;
} extensions[] = {
	{"qcow2", "qcow2"}, {"vdi", "vdi"}, {"vmdk", "vmdk"}, {"vhd", "vhd"},
	{"vhdx", "vhdx"},   {"raw", "raw"}, {"img", "raw"},   {"iso", "raw"},
	{"dd", "raw"},      {"bin", "raw"}, {"ima", "raw"},   {"dsk", "raw"},
};

/* By the extension of dst; a name without one is raw. NULL: an extension that says nothing. */
static const char *format_of(const char *dst)
{
	const char *slash = strrchr(dst, '/'), *name = slash ? slash + 1 : dst;
	const char *dot = strrchr(name, '.');

	if (!dot || dot == name)
		return "raw";
	for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
		if (strcasecmp(dot + 1, extensions[i].extension) == 0)
			return extensions[i].format;
	return NULL;
}

int writeout_choose(struct cli *cli, const char *dst, struct platter_export *how)
{
	struct platter_error err;
	int r;

	how->format = cli->new_format;
	how->compress = cli->compress;
	how->thin = cli->thin;
	how->used = cli->used;
	how->note = writeout_note;
	how->note_arg = cli;
	if (!how->format && how->device)
		how->format = "raw";
	else if (!how->format && how->thin)
		how->format = "qcow2";
	else if (!how->format)
		how->format = format_of(dst);
	if (!how->format) {
		complain("%s: its extension is that of no format that is written; --format says "
		         "which it is to be",
		         dst);
		return EXIT_USAGE;
	}
	r = platter_export_check(how, &err);
	if (r)
		complain("%s", err.text);
	return r == -EINVAL ? EXIT_USAGE : r ? EXIT_IMAGE : EXIT_OK;
}

void writeout_note(void *arg, const char *line)
{
	const struct cli *cli = arg;

	if (!cli->quiet)
		complain("%s", line);
}

int writeout_copy(struct cli *cli, struct platter *p, const char *dst, struct platter_export *how)
{
	struct progress bar;
	struct platter_progress progress = {.step = progress_step, .arg = &bar};
	struct platter_error err;
	int r;

	/* The new file may have a temporary name, which has to go. */
	interrupt_catch();
	how->stop = &interrupted;
	progress_begin(&bar, 0, cli->quiet);
	r = platter_export(p, dst, how, &progress, &err);
	progress_end(&bar);
	interrupt_release();
	if (!r)
		return EXIT_OK;
	complain("%s", err.text);
	return r == -EINTR ? EXIT_USER : copy_status(r);
}

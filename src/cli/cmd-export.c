/* SPDX-License-Identifier: GPL-2.0-or-later */
/* export: an image with the changes of an overlay, as a new file. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "cli.h"
#include "overlays.h"
#include "progress.h"

static volatile int interrupted;

static void note_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/*
 * The new file may have a temporary name, which has to go. The second signal ends the program at
 * once, and what is ignored (nohup) stays so.
 */
static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction act = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND}, old;

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &act, NULL);
}

/* The format of the new file: thin is only possible in one. */
static int choose(struct cli *cli, struct platter_export *how)
{
	bool raw = cli->new_format && strcmp(cli->new_format, "raw") == 0;

	if (raw && cli->thin) {
		complain("export: --thin with --format raw: only qcow2 can be thin");
		return EXIT_USAGE;
	}
	if (cli->new_format && !raw && strcmp(cli->new_format, "qcow2") != 0) {
		complain("--format %s: not a format to export to, which are raw and qcow2",
		         cli->new_format);
		return EXIT_USAGE;
	}
	how->thin = cli->thin;
	how->format =
		cli->thin || (cli->new_format && !raw) ? PLATTER_EXPORT_QCOW2 : PLATTER_EXPORT_RAW;
	return EXIT_OK;
}

static int export_to(struct cli *cli, struct platter *p, const struct platter_export *how)
{
	struct progress bar;
	struct platter_progress progress = {.step = progress_step, .arg = &bar};
	struct platter_error err;
	int r;

	catch_signals();
	progress_begin(&bar, 0, cli->quiet);
	r = platter_export(p, cli->args[1], how, &progress, &err);
	progress_end(&bar);
	if (!r)
		return EXIT_OK;
	complain("%s", err.text);
	return r == -EINTR ? EXIT_USER : copy_status(r);
}

int cmd_export(struct cli *cli)
{
	struct platter_export how = {.stop = &interrupted};
	struct overlay_operand o = {0};
	struct platter *p = NULL;
	int status = choose(cli, &how);

	if (status)
		return status;
	status = overlay_operand_find(cli, cli->args[0], &o);
	if (!status && o.mounted) {
		complain("%s: is attached: umount it first", cli->args[0]);
		status = EXIT_IMAGE;
	}
	if (!status)
		status = overlay_operand_open(cli, &o, &p, NULL);
	overlay_operand_free(&o);
	if (!status)
		status = export_to(cli, p, &how);
	platter_abandon(p);
	return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status and discard: an overlay from outside. */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "json.h"
#include "overlays.h"

static void print_time(const char *what, int64_t at)
{
	time_t t = (time_t)at;
	char text[64];
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	printf("%-14s %s\n", what, text);
}

static void print_layers(const char *what, const struct platter_overlay_layer *layers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%-14s %s: %llu blocks, %llu bytes\n", i ? "" : what, layers[i].name,
		       (unsigned long long)layers[i].blocks,
		       (unsigned long long)layers[i].bytes_on_disk);
}

static void print_status(const char *path, const struct platter_overlay_status *st)
{
	printf("%-14s %s\n", "overlay", path);
	printf("%-14s %s\n", "image", st->base);
	if (st->fits)
		printf("%-14s yes\n", "fits");
	else
		printf("%-14s no: %s\n", "fits", st->misfit);
	printf("%-14s %llu bytes\n", "disk", (unsigned long long)st->virtual_size);
	printf("%-14s %llu blocks of %u bytes\n", "holds", (unsigned long long)st->blocks,
	       st->block_size);
	printf("%-14s %llu bytes\n", "takes", (unsigned long long)st->bytes_on_disk);
	print_layers("on snapshots", st->layers, st->nlayers);
	print_layers("others", st->others, st->nothers);
	print_time("made", st->created);
	print_time("last opened", st->opened);
	if (st->in_use && st->pid)
		printf("%-14s yes, by process %u\n", "in use", st->pid);
	else
		printf("%-14s %s\n", "in use", st->in_use ? "yes" : "no");
	if (st->frozen)
		printf("%-14s yes: it is a snapshot\n", "frozen");
	if (st->committing)
		printf("%-14s was interrupted; platter commit finishes it\n", "commit");
	if (st->clean)
		print_time("closed cleanly", st->closed);
	else if (!st->in_use)
		printf("%-14s no: everything that an fsync covered is there\n", "closed cleanly");
}

static void put_layers(struct json *j, const char *key, const struct platter_overlay_layer *layers,
                       size_t n)
{
	json_open(j, key, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, NULL, '{');
		json_string(j, "name", layers[i].name);
		json_number(j, "blocks", layers[i].blocks);
		json_number(j, "bytes_on_disk", layers[i].bytes_on_disk);
		json_number(j, "created", (uint64_t)layers[i].created);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void print_status_json(const char *path, const struct platter_overlay_status *st)
{
	struct json j = {.out = stdout};

	json_open(&j, NULL, '{');
	json_string(&j, "overlay", path);
	json_string_or_null(&j, "image", st->base);
	json_bool(&j, "fits", st->fits);
	json_string_or_null(&j, "misfit", st->misfit);
	json_number(&j, "virtual_size", st->virtual_size);
	json_number(&j, "block_size", st->block_size);
	json_number(&j, "blocks", st->blocks);
	json_number(&j, "bytes_on_disk", st->bytes_on_disk);
	json_number(&j, "created", (uint64_t)st->created);
	json_number(&j, "opened", (uint64_t)st->opened);
	json_bool(&j, "clean", st->clean);
	if (st->closed)
		json_number(&j, "closed", (uint64_t)st->closed);
	else
		json_null(&j, "closed");
	json_bool(&j, "in_use", st->in_use);
	if (st->pid)
		json_number(&j, "pid", st->pid);
	else
		json_null(&j, "pid");
	json_bool(&j, "frozen", st->frozen);
	json_bool(&j, "committing", st->committing);
	put_layers(&j, "layers", st->layers, st->nlayers);
	put_layers(&j, "others", st->others, st->nothers);
	json_close(&j, '}');
	putchar('\n');
}

int cmd_status(struct cli *cli)
{
	struct platter_overlay_status st;
	struct overlay_operand o;
	struct platter_error err;
	int status = overlay_operand_find(cli, cli->args[0], &o);

	if (status == EXIT_OK && platter_overlay_get_status(o.overlay, &st, &err) != 0)
		status = complain_error(&err);
	else if (status == EXIT_OK && cli->json)
		print_status_json(o.overlay, &st);
	else if (status == EXIT_OK)
		print_status(o.overlay, &st);
	overlay_operand_free(&o);
	return status;
}

int cmd_discard(struct cli *cli)
{
	const char *path = cli->args[0];
	struct platter_overlay_status st;
	struct platter_error err;
	char what[2048];
	int status;

	if (platter_overlay_get_status(path, &st, &err) != 0)
		return complain_error(&err);
	snprintf(what, sizeof what,
	         "%.900s with %llu changed blocks of %.900s%s is removed for ever", path,
	         (unsigned long long)st.blocks, st.base,
	         st.nlayers && !st.frozen ? " and all its snapshots" : "");
	status = overlay_consent(cli, "discard", what);
	if (status == EXIT_OK && platter_overlay_discard(path, &err) != 0)
		status = complain_error(&err);
	return status;
}

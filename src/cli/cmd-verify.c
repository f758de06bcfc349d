/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify: the checksums that an image stores against what it holds, or any of its disk. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "progress.h"
#include "text.h"

struct verifying {
	const char *image;
	struct progress bar;
	bool differs;    /* one is not as stored */
	struct json *js; /* NULL: lines */
};

/* What a sum is of, in words. */
static void describe(const struct platter_sum *sum, char *out, size_t size)
{
	if (sum->what[0])
		text_plain(sum->what, strlen(sum->what), out, size);
	else if (sum->whole)
		snprintf(out, size, "the disk");
	else
		snprintf(out, size, "bytes %" PRIu64 " to %" PRIu64, sum->start,
		         sum->start + sum->length);
}

static void put_line(const struct verifying *v, const struct platter_sum *sum)
{
	char what[256];

	if (!sum->stored[0]) {
		printf("%s  %s\n", sum->value, v->image);
		return;
	}
	describe(sum, what, sizeof what);
	if (strcmp(sum->value, sum->stored) == 0)
		printf("%s of %s: %s, as stored\n", sum->digest, what, sum->value);
	else
		printf("%s of %s: %s, but %s is stored\n", sum->digest, what, sum->value,
		       sum->stored);
}

static void put_json(struct json *js, const struct platter_sum *sum)
{
	json_open(js, NULL, '{');
	json_string(js, "digest", sum->digest);
	json_string_or_null(js, "what", sum->what);
	json_number(js, "start", sum->start);
	json_number(js, "length", sum->length);
	json_string(js, "value", sum->value);
	json_string_or_null(js, "stored", sum->stored);
	if (sum->stored[0])
		json_bool(js, "same", strcmp(sum->value, sum->stored) == 0);
	else
		json_null(js, "same");
	json_close(js, '}');
}

static void tell(void *arg, const struct platter_sum *sum)
{
	struct verifying *v = arg;

	if (sum->stored[0] && strcmp(sum->value, sum->stored) != 0)
		v->differs = true;
	progress_end(&v->bar);
	if (v->js)
		put_json(v->js, sum);
	else
		put_line(v, sum);
}

static int verify(struct cli *cli, struct platter *p, struct verifying *v)
{
	struct platter_verify how = {
		.digests = cli->hashes,
		.ndigests = cli->nhashes,
		.part = cli->part,
		.tell = tell,
		.arg = v,
	};
	struct platter_progress progress = {.step = progress_step, .arg = &v->bar};
	struct platter_error err;
	int r;

	progress_begin(&v->bar, 0, cli->quiet);
	r = platter_verify(p, &how, &progress, &err);
	progress_end(&v->bar);
	return r ? complain_error(&err) : v->differs ? EXIT_IMAGE : EXIT_OK;
}

static int verify_json(struct cli *cli, struct platter *p, struct verifying *v)
{
	struct json js = {.out = stdout};
	int status;

	v->js = &js;
	json_open(&js, NULL, '{');
	json_string(&js, "path", platter_path(p));
	json_string(&js, "format", platter_format(p));
	json_open(&js, "sums", '[');
	status = verify(cli, p, v);
	json_close(&js, ']');
	json_bool(&js, "good", status == EXIT_OK);
	json_close(&js, '}');
	putchar('\n');
	return status;
}

int cmd_verify(struct cli *cli)
{
	struct verifying v = {.image = cli->args[0]};
	struct platter *p = cli_open(cli, cli->args[0]);
	int status;

	if (!p)
		return cli->open_status;
	status = cli->json ? verify_json(cli, p, &v) : verify(cli, p, &v);
	platter_abandon(p);
	return status;
}

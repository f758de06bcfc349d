/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "digest.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#ifdef HAVE_LIBCRYPTO
#include <openssl/evp.h>
#endif

struct digest {
#ifdef HAVE_LIBCRYPTO
	EVP_MD_CTX *ctx; /* NULL: one of ours */
#endif
	uint32_t sum; /* so far, of those that are ours */
	bool dc42;    /* not CRC-32 */
	bool half;    /* dc42: there is a first byte of a word ... */
	uint8_t high; /* ... this one */
};

/* libcrypto's names for ours. */
static const struct {
	const char *name, *evp;
} names[] = {
	{"crc32", NULL},           {"dc42", NULL},       {"md5", "MD5"},
	{"sha1", "SHA1"},          {"sha256", "SHA256"}, {"sha512", "SHA512"},
	{"blake2b", "BLAKE2b512"},
};

static int begin(struct digest *d, const char *name, const char *evp, struct platter_error *err)
{
	if (!evp)
		return 0;
#ifdef HAVE_LIBCRYPTO
	d->ctx = EVP_MD_CTX_new();
	if (!d->ctx)
		return err_set(err, ENOMEM, "no memory");
	if (EVP_DigestInit_ex(d->ctx, EVP_get_digestbyname(evp), NULL) != 1)
		return err_set(err, EOPNOTSUPP, "%s: libcrypto does not provide it", name);
	return 0;
#else
	(void)d;
	return err_set(err, EOPNOTSUPP,
	               "%s: needs libcrypto, which this build lacks (Debian: libssl-dev)", name);
#endif
}

int digest_new(const char *name, struct digest **out, struct platter_error *err)
{
	size_t i = 0, n = sizeof names / sizeof *names;
	int r;

	*out = NULL;
	while (i < n && strcmp(names[i].name, name) != 0)
		i++;
	if (i == n)
		return err_set(err, EINVAL, "%s: no such checksum", name);
	*out = calloc(1, sizeof **out);
	if (!*out)
		return err_set(err, ENOMEM, "no memory");
	(*out)->dc42 = strcmp(name, "dc42") == 0;
	r = begin(*out, name, names[i].evp, err);
	if (r) {
		digest_free(*out);
		*out = NULL;
	}
	return r;
}

/* Words of 16 bits are added, and the sum is rotated. */
static void add_dc42(struct digest *d, const uint8_t *p, size_t len)
{
	for (; len; p++, len--) {
		d->half = !d->half;
		if (d->half) {
			d->high = *p;
			continue;
		}
		d->sum += (uint32_t)d->high << 8 | *p;
		d->sum = d->sum >> 1 | d->sum << 31;
	}
}

int digest_add(struct digest *d, const void *bytes, size_t len)
{
#ifdef HAVE_LIBCRYPTO
	if (d->ctx)
		return EVP_DigestUpdate(d->ctx, bytes, len) == 1 ? 0 : -EIO;
#endif
	if (d->dc42)
		add_dc42(d, bytes, len);
	else
		d->sum = (uint32_t)crc32_z(d->sum, bytes, len);
	return 0;
}

size_t digest_end(struct digest *d, uint8_t value[DIGEST_MAX])
{
#ifdef HAVE_LIBCRYPTO
	unsigned len = 0;

	if (d->ctx)
		return EVP_DigestFinal_ex(d->ctx, value, &len) == 1 ? len : 0;
#endif
	for (int i = 0; i < 4; i++)
		value[i] = (uint8_t)(d->sum >> (24 - 8 * i));
	return 4;
}

void digest_free(struct digest *d)
{
	if (!d)
		return;
#ifdef HAVE_LIBCRYPTO
	EVP_MD_CTX_free(d->ctx);
#endif
	free(d);
}

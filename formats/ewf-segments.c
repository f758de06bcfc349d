/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How segments of EWF images are called. The number is in the suffix: E01 to E99, then EAA, EAB ...
 * EZZ, FAA ... ZZZ; version 2 has two letters before the number: Ex01 to Ex99, then ExAA ... ExZZ,
 * EyAA ... EzZZ. SMART begins with s01, and small letters stay small. (libewf, "Expert Witness
 * Compression Format", section 2.2.)
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "ewf.h"

/* Segments whose number is written in two decimal digits. */
#define DECIMAL 99u

#define LETTERS 26u

/* The number of a segment behind the 99th, as three letters, the first of which leads on. */
static bool by_letters(uint32_t k, char first, char a, char *out)
{
	uint32_t lead = k / (LETTERS * LETTERS), last = islower((unsigned char)first) ? 'z' : 'Z';

	if (lead > last - (unsigned char)first)
		return false;
	out[0] = (char)((unsigned char)first + lead);
	out[1] = (char)((unsigned char)a + k / LETTERS % LETTERS);
	out[2] = (char)((unsigned char)a + k % LETTERS);
	return true;
}

bool ewf_segment_name(const char *name, unsigned version, uint32_t n, char *out, size_t size)
{
	size_t letters = version == 1 ? 1 : 2, len = strlen(name);
	const char *dot = strrchr(name, '.');
	char *suffix, *number;

	if (!dot || strlen(dot + 1) != letters + 2 || len >= size)
		return false;
	memcpy(out, name, len + 1);
	suffix = out + (dot + 1 - name);
	number = suffix + letters;
	if (!isalpha((unsigned char)suffix[0]) || !isalpha((unsigned char)number[-1]))
		return false;
	if (n > 1 && strcmp(number, "01") != 0)
		return false;
	if (n > DECIMAL)
		return by_letters(n - DECIMAL - 1, number[-1],
		                  islower((unsigned char)suffix[0]) ? 'a' : 'A', number - 1);
	number[0] = (char)('0' + n / 10);
	number[1] = (char)('0' + n % 10);
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that images hold: character sets, GUIDs, names for symlinks and messages. */
#ifndef PLATTER_TEXT_H
#define PLATTER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * UTF-16 (count units, big- or little-endian) to UTF-8 in out, always terminated, cut at whole
 * characters to fit size; a lone surrogate becomes U+FFFD. Stops at a NUL unit. Returns the
 * length.
 */
size_t text_from_utf16(const void *in, size_t count, bool big_endian, char *out, size_t size);

/*
 * The character at the head of in (at most len bytes): its length in bytes, 0 when it is no valid
 * UTF-8. *c is its code point.
 */
size_t text_utf8_decode(const char *in, size_t len, uint32_t *c);

/* A GUID as GPT stores it (first three fields little-endian), as text in lower case. */
void text_guid(const uint8_t guid[16], char out[37]);

/*
 * A name as udev spells it in /dev/disk/by-*: letters, digits, "#+-.:=@_" and valid UTF-8 stay,
 * anything else becomes \xNN. Cut to fit size.
 */
void text_udev(const char *in, char *out, size_t size);

/* Printable one-line form for messages: control bytes and bad UTF-8 become '?'. Cut to fit. */
void text_plain(const char *in, size_t len, char *out, size_t size);

#endif

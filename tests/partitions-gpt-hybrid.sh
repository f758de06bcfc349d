#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# With a hybrid MBR the GPT counts, and a problem says that there are other entries.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-partitions.sh" || exit 99
requires sgdisk

new_disk 64M
sgdisk -n 1:0:+4M -n 2:0:+8M -h 1 "$img" >/dev/null 2>&1 || fail sgdisk
info
is 'j["table"]["scheme"]' gpt
is '[p["number"] for p in j["partitions"]]' '[1, 2]'
has_problem 'hybrid MBR'

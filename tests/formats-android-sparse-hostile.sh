#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Android sparse images, cut at every length and damaged in many places.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires img2simg

fill raw 2000896
img2simg raw image.simg
hostile android-sparse image.simg
unreadable android-sparse image.simg

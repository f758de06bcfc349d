/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Apple Data Compression, of old disk images; as codec_unpack of codec.h. */
#ifndef PLATTER_CODEC_ADC_H
#define PLATTER_CODEC_ADC_H

#include <stddef.h>

int codec_adc_unpack(const void *in, size_t in_len, void *out, size_t out_len);

#endif

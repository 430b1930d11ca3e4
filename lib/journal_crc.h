/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C (Castagnoli), the checksum of the journal.
 *
 * Flow: used by journal_format.c; depends on nothing.
 */
#ifndef LIBATOMICIO_JOURNAL_CRC_H
#define LIBATOMICIO_JOURNAL_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of `length` bytes, continued from `crc`: 0 to start.  "123456789" gives 0xE3069283. */
uint32_t journal_crc32c(uint32_t crc, const void *data, size_t length);

/* By table, on every machine; journal_crc() uses the processor's instruction where it can. */
uint32_t journal_crc32c_table(uint32_t crc, const void *data, size_t length);

#endif /* LIBATOMICIO_JOURNAL_CRC_H */

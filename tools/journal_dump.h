/* SPDX-License-Identifier: MIT */
/*
 * The two faces of `atomicio journal dump`.
 *
 * Flow: journal_dump.c reads the journal and prints text; journal_dump_json.c as JSON.
 */
#ifndef JOURNAL_DUMP_H
#define JOURNAL_DUMP_H

#include "journal.h"
#include "journal_read.h"

/* 0, or an error of reading. */
int dump_put_json(const struct journal_request *request, struct reader *reader);

#define DUMP_UUID_SIZE 37
#define DUMP_BIRTH_SIZE 48

/* The known marks of a file, in words; NULL: it is not. */
const char *dump_uuid(const struct reader_file *file, char text[DUMP_UUID_SIZE]);
const char *dump_birth(const struct reader_file *file, char text[DUMP_BIRTH_SIZE]);

#endif /* JOURNAL_DUMP_H */

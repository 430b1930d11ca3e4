/* SPDX-License-Identifier: MIT */
/*
 * What the actions of `atomicio journal` share.
 *
 * Flow: journal.c reads the command line and picks an action from its table; journal_check.c has
 * info and check; journal_create.c, journal_recover.c and journal_dump.c have the others.
 *
 * Rules:
 * A1 an action prints its answer only when it has all of it; an error leaves stdout empty,
 *    but for the answer that a journal is corrupt.
 * A2 dump only reads, with a reader of its own (journal_read.c); the others ask the library,
 *    which wants the journal writable and to itself.
 */
#ifndef TOOL_JOURNAL_H
#define TOOL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libatomicio/journal.h>

#include "target.h"
#include "tool.h"

/* A file that the user gave for an id. */
struct journal_file_name {
	uint64_t file_id;
	const char *path; /* NULL: the file is gone */
	struct target target;
	bool open;
};

struct journal_request {
	const char *path;
	char safe[TEXT_PATH_SIZE]; /* the path, for messages */
	bool json;
	struct atomicio_journal_options create;
	struct journal_file_name *files;
	unsigned file_count;
};

/* An open journal: the library holds `journal` on the descriptor of `target`. */
struct journal_opened {
	struct target target;
	struct atomicio_journal *journal;
	struct atomicio_journal_info info;
};

/* Each returns TOOL_YES, TOOL_NO or TOOL_ERROR. */
int journal_open_named(const struct journal_request *request, struct journal_opened *opened);
void journal_close_named(struct journal_opened *opened);
int journal_open_error(const struct journal_request *request, int error);
int journal_unreadable_error(const struct journal_request *request, uint64_t offset);
int action_info(const struct journal_request *request);
int action_check(const struct journal_request *request);
int action_create(const struct journal_request *request);
int action_recover(const struct journal_request *request);
int action_dump(const struct journal_request *request);

void journal_put_json(const struct journal_request *request,
		      const struct atomicio_journal_info *info);
void journal_id_text(const uint8_t id[16], char text[33]);

#endif /* TOOL_JOURNAL_H */

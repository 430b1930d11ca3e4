/* SPDX-License-Identifier: MIT */
/*
 * Shared by the actions of `atomicio journal`.
 *
 * Flow: journal.c reads the command line and picks an action from its table; journal_check.c has
 * info and check; journal_create.c, journal_recover.c and journal_dump.c have the others.
 *
 * Rules:
 * TJ1 an action prints its answer only when the answer is complete; an error leaves stdout empty,
 *     except the answer that a journal is corrupt.
 * TJ2 dump only reads, with a reader of its own (journal_read.c); the other actions use the
 *     library, which needs the journal writable, and alone.
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
	bool told; /* how it fared: */
	struct atomicio_recovered_file fate;
};

/* A page left unchanged in the file. */
struct journal_keep {
	uint64_t file_id;
	uint64_t offset;
};

struct journal_request {
	const char *path;
	char safe[TEXT_PATH_SIZE]; /* the path, for messages */
	bool json;
	struct atomicio_journal_options create;
	struct journal_file_name *files;
	unsigned file_count;
	uint64_t *forced; /* ids whose file is written even if the identity differs */
	unsigned forced_count;
	struct journal_keep *keeps;
	unsigned keep_count;
	bool unreadable; /* recover without unreadable frames */
	bool list;	 /* show the planned writes, and write nothing */
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

/* journal_recover.c, for journal_list.c: the file of this id, NULL: none was given. */
struct journal_file_name *journal_find_file(const struct journal_request *request,
					    uint64_t file_id);
/* journal_list.c */
int journal_list(const struct journal_request *request, struct journal_opened *opened);
/* journal_recover_put.c: the answer, and one sentence if files are left. */
int journal_put_recovery(const struct journal_request *request,
			 const struct atomicio_recovery *recovery, int error);

void journal_put_json(const struct journal_request *request,
		      const struct atomicio_journal_info *info);
void journal_id_text(const uint8_t id[16], char text[33]);

#endif /* TOOL_JOURNAL_H */

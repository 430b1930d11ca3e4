/* SPDX-License-Identifier: MIT */
/*
 * A recovery under way: what journal_recover.c, journal_target.c and journal_replay.c share.
 *
 * Flow: recover opens its targets, replays frame by frame into them, and finishes them; then it
 * retires what is done.
 */
#ifndef LIBATOMICIO_JOURNAL_RECOVER_H
#define LIBATOMICIO_JOURNAL_RECOVER_H

#include "journal_aio.h"
#include "journal_internal.h"
#include "loss.h"

/* A file that live frames name. */
struct journal_target {
	uint64_t file_id;
	uint64_t up_to;		  /* H3: its pages in frames below are home */
	uint64_t last;		  /* number of its last frame */
	uint32_t rows, row_count; /* its rows in scan.rows, which are sorted */
	bool is_done;		  /* before this recovery */
	bool is_gone;		  /* resolve says so */
	int fd;			  /* the caller's */
	int rwf;		  /* for plain, where that is the caller's */
	int plain;		  /* a description of our own, or the caller's */
	int direct;		  /* of our own, O_DIRECT; -1: none can be had */
	uint32_t align;		  /* of its offsets and lengths */
	bool is_file;		  /* a regular one */
	bool has_loss;
	struct loss loss;
	struct atomicio_recovered_file fate; /* for the report */
};

struct journal_recovery {
	struct atomicio_journal *journal;
	atomicio_resolve *resolve;
	void *context;
	struct atomicio_recover_options options;
	struct journal_target *targets; /* by file_id */
	uint32_t count;
	struct journal_window window;
	uint8_t *home;		  /* as large as a frame: what a file has */
	struct journal_run *runs; /* of a frame, and vectors behind them: one each page */
	struct journal_courier *courier;
	struct atomicio_recovery done;
};

/* journal_target.c */

/* One target for each id of scan.rows, all resolved, opened, compared and locked; or an error. */
int journal_open_targets(struct journal_recovery *recovery);
void journal_close_targets(struct journal_recovery *recovery);
struct journal_target *journal_find_target(const struct journal_recovery *recovery,
					   uint64_t file_id);
/* Does it get pages? */
static inline bool journal_is_open_target(const struct journal_target *target)
{
	return !target->is_done && !target->is_gone && target->fate.result == 0;
}

/* journal_resume.c: remember which files are done (H3), and let those take writes again. */
int journal_resume(struct journal_recovery *recovery);

/* journal_replay.c */

/*
 * Write the pages of a frame, whole and escaped, into their targets.  An error of a file is noted
 * in its target; the others go on.  Returns 0, or the answer of choose that ends the recovery.
 */
int journal_replay_frame(struct journal_recovery *recovery, uint8_t *bytes,
			 const struct journal_frame *frame);

#endif /* LIBATOMICIO_JOURNAL_RECOVER_H */

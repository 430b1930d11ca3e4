/* SPDX-License-Identifier: MIT */
/*
 * A recovery under way, for journal_recover.c, journal_target.c and journal_replay.c.
 *
 * Flow: recover opens its targets, replays frame by frame into them, finishes them, and retires the
 * frames done.
 */
#ifndef LIBATOMICIO_JOURNAL_RECOVER_H
#define LIBATOMICIO_JOURNAL_RECOVER_H

#include <sys/stat.h>

#include "journal_aio.h"
#include "journal_internal.h"
#include "loss.h"

/* A file named by live frames. */
struct journal_target {
	uint64_t file_id;
	uint64_t up_to;		  /* H3: pages in frames below are home */
	uint64_t last;		  /* number of its last frame */
	uint32_t rows, row_count; /* its rows in scan.rows, sorted */
	bool is_done;		  /* before this recovery */
	bool is_gone;		  /* the answer of resolve */
	int fd;			  /* the caller's */
	int rwf;		  /* for plain, if plain is the caller's */
	int plain;		  /* a description of our own, or the caller's */
	int direct;		  /* of our own, O_DIRECT; -1: none can be had */
	int unfit;		  /* a direct description without use here; -1: none */
	uint32_t align;		  /* of its offsets and lengths */
	struct sys_statx stat;	  /* of fd */
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
	uint8_t *home;		   /* as large as the window: the files' present bytes */
	struct journal_run *pages; /* listed, in the order of their frames */
	struct journal_run *runs;  /* being written, with room for as many */
	struct iovec *vectors;	   /* likewise */
	uint32_t listed;
	bool singly; /* each frame is home before the next one is looked at */
	struct journal_courier *courier;
	struct atomicio_recovery done;
};

/* journal_target.c */

/* One target for each id of scan.rows, all resolved, opened, compared and locked; or an error. */
int journal_open_targets(struct journal_recovery *recovery);
void journal_close_targets(struct journal_recovery *recovery);
struct journal_target *journal_find_target(const struct journal_recovery *recovery,
					   uint64_t file_id);
static inline bool journal_is_regular(const struct journal_target *target)
{
	return S_ISREG(target->stat.mode);
}
/* Does the target get pages? */
static inline bool journal_is_open_target(const struct journal_target *target)
{
	return !target->is_done && !target->is_gone && target->fate.result == 0;
}

/* journal_resume.c: remember the files done (H3), and let them accept writes again. */
int journal_resume(struct journal_recovery *recovery);

/* journal_replay.c */

/*
 * List the pages of a frame, whole and escaped, for their targets.  The frame's bytes must stay
 * until the pages are written.  Returns 0, or the answer of choose that ends the recovery.
 */
int journal_replay_frame(struct journal_recovery *recovery, uint8_t *bytes,
			 const struct journal_frame *frame);
/*
 * Write the listed pages into their targets, and read them back.  The error of a file is noted in
 * its target, and all others go on.
 */
void journal_replay_listed(struct journal_recovery *recovery);

#endif /* LIBATOMICIO_JOURNAL_RECOVER_H */

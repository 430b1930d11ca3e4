/* SPDX-License-Identifier: MIT */
/*
 * Home writes, all writes of the journal to its own file, and the parts of tickets and files.
 *
 * Flow: a part of journal_internal.h, which includes this file.
 */
#ifndef LIBATOMICIO_JOURNAL_HOME_H
#define LIBATOMICIO_JOURNAL_HOME_H

#include "journal_internal.h"

/* journal_frame.c */

/* Memory for a frame and its homes: 0 or -ENOMEM. */
int journal_make_stage(struct atomicio_journal *journal, struct journal_stage *stage);
void journal_free_stage_memory(const struct atomicio_journal *journal, struct journal_stage *stage);

/* journal_write.c */

/* Write all bytes.  A call cut short by a signal is made again, a few times. */
int journal_write_all(const struct sys_calls *sys, int fd, int rwf, const uint8_t *data,
		      uint64_t length, uint64_t offset);
/*
 * As journal_write_all(), for the rest of a vector behind its first `done` bytes; and for a whole
 * vector.
 */
int journal_write_rest(const struct sys_calls *sys, int fd, int rwf, const struct iovec *vector,
		       uint32_t count, uint64_t offset, uint64_t done);
static inline int journal_write_vector(const struct sys_calls *sys, int fd, int rwf,
				       const struct iovec *vector, uint32_t count, uint64_t offset)
{
	return journal_write_rest(sys, fd, rwf, vector, count, offset, 0);
}
/* Write to the journal's own file, exactly at `offset` or not at all (-EOPNOTSUPP: O_APPEND). */
int journal_write_own(const struct atomicio_journal *journal, int rwf, const uint8_t *data,
		      uint64_t length, uint64_t offset);
/* As journal_write_own(), durably on every filesystem (K9); or sync the journal's file. */
int journal_write_durable(const struct atomicio_journal *journal, const uint8_t *data,
			  uint64_t length, uint64_t offset);
int journal_sync_own(const struct atomicio_journal *journal);

/* journal_home.c */

/*
 * May pages of this file be written home now? 0: yes; 1: no, the pages stay in live frames; or an
 * error.
 */
int journal_home_refusal(const struct atomicio_journal *journal, const struct journal_file *file);

/*
 * Write a ticket's pages home from its stage; no lock held.  A failed write fails its file (K7),
 * but the ticket stays durable (K11).
 */
void journal_go_home(struct atomicio_journal *journal, const struct journal_ticket *ticket);
/* journal_go_home() in steps, for a chain: list pages with contiguous bytes; then send runs. */
void journal_list_homes(const struct journal_ticket *ticket, uint32_t first, uint32_t count,
			const uint8_t *data, struct journal_run *runs);
void journal_send_home(struct atomicio_journal *journal, struct journal_courier *courier,
		       struct journal_run *runs, uint32_t count);

/* journal_behind.c */

/* Memory for a measured ticket that may outlive its call, or the ticket itself (BH1). */
struct journal_ticket *journal_keep_ticket(struct atomicio_journal *journal,
					   struct journal_ticket *ticket);
/* Free the ticket's ranges, and the ticket's own memory, if any. */
void journal_end_ticket(const struct sys_calls *sys, struct journal_ticket *ticket);
/* No lock: as journal_go_home().  True: the ticket is on its way, and no longer the caller's. */
bool journal_leave_behind(struct atomicio_journal *journal, struct journal_ticket *ticket);
/* With the lock: end the tickets that have come home. */
void journal_land_behind(struct atomicio_journal *journal);

/* journal_aio.c: the lock is held by the caller of take and give. */
int journal_make_couriers(struct atomicio_journal *journal);
void journal_end_couriers(struct atomicio_journal *journal);
/* NULL: no courier is free. */
struct journal_courier *journal_take_courier(struct atomicio_journal *journal);
void journal_give_courier(struct journal_courier *courier);

/* journal_files.c: the caller holds the lock. */

void journal_forget_rests(struct atomicio_journal *journal);

/* journal_fail.c: K7: fail the file, which is written no more.  With the lock; and without. */
void journal_fail(struct atomicio_journal *journal, const struct journal_file *file, int error);
/* Of no concern to other processes (T5). */
void journal_fail_quietly(struct atomicio_journal *journal, const struct journal_file *file,
			  int error);
void journal_home_failed(struct atomicio_journal *journal, const struct journal_file *file,
			 int error);

/* journal_info.c: with the lock. */
void journal_fill_info(const struct atomicio_journal *journal, struct atomicio_journal_info *info);

/* journal_ranges.c */

/* Count and sort a ticket's ranges.  -EINVAL: two ranges overlap (N4); -ENOMEM. */
int journal_measure(const struct sys_calls *sys, struct journal_ticket *ticket);
void journal_forget_ranges(const struct sys_calls *sys, struct journal_ticket *ticket);
bool journal_tickets_overlap(const struct journal_ticket *a, const struct journal_ticket *b);
/* From range `at` on, the first that does not end before these bytes of a file; or the count. */
uint32_t journal_seek_range(const struct journal_ticket *ticket, uint32_t at, uint64_t file_id,
			    uint64_t offset);
/* Does one of the ticket's files take direct writes? */
bool journal_is_direct(const struct journal_ticket *ticket);

/* journal_chain.c */

/* The longest chain, in bytes of the ring. */
uint64_t journal_chain_limit(const struct journal_header *header);

/* For a measured ticket too long for a frame: stage its chain.  -EMSGSIZE, -ENOMEM. */
int journal_stage_chain(struct atomicio_journal *journal, struct journal_ticket *ticket);
void journal_forget_chain(struct atomicio_journal *journal, struct journal_ticket *ticket);
/* With lock and role: write the frames, durably; errors as of journal_commit(). */
int journal_frame_chain(struct atomicio_journal *journal, struct journal_ticket *ticket);
/* No lock: as journal_go_home(). */
void journal_chain_goes_home(struct atomicio_journal *journal, const struct journal_ticket *ticket);

#endif /* LIBATOMICIO_JOURNAL_HOME_H */

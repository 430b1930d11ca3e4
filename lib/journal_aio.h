/* SPDX-License-Identifier: MIT */
/*
 * Runs: neighbouring pages of a file, written in one call; and couriers, which write many runs at
 * once.
 *
 * Flow: between journal_home.c and journal_replay.c, which know the pages, and journal_runs.c and
 * journal_aio.c.
 *
 * O1 runs of direct files go out together through the kernel's AIO, all other runs by call.
 *    sys_aio.h says why not through io_uring.
 * O5 a courier comes back empty: none of its writes is on its way when journal_write_runs()
 *    returns, also after an error.  No home counts as done, and no buffer, lock or descriptor is
 *    given up, while the kernel still writes.
 * O6 work that AIO does not do is done by call: every run where the kernel has no AIO (seccomp, a
 *    container's limit, a child after fork(2), which does not know the parent's context), or a
 *    single run cut short, interrupted or refused.
 */
#ifndef LIBATOMICIO_JOURNAL_AIO_H
#define LIBATOMICIO_JOURNAL_AIO_H

#include "journal_internal.h"
#include "sys_aio.h"

/* Most runs of a courier in flight: as many as the default frame has pages. */
#define JOURNAL_AIO_DEPTH 256u

enum journal_run_state { JOURNAL_RUN_TODO, JOURNAL_RUN_FLYING, JOURNAL_RUN_DONE };

/* A page; after journal_merge_runs() a run of several pages. */
struct journal_run {
	void *owner; /* runs of one owner go to one file */
	uint64_t offset, length;
	struct iovec *vector; /* the run's bytes; before merging only `data` counts */
	const uint8_t *data;
	uint32_t count; /* of the vector */
	uint32_t pages; /* recovery: with older versions of them */
	uint64_t older; /* bytes in these versions */
	int fd, rwf;
	uint8_t *into; /* NULL: it is written; or where to it is read */
	bool direct;   /* fd is direct: AIO does not wait */
	enum journal_run_state state;
	int error;
	bool verified; /* recovery: read back, and equal */
};

/*
 * Sort pages by owner and offset, and make runs of neighbours with one fd.  vectors has room for
 * `count`.  Returns the number of runs.
 */
uint32_t journal_merge_runs(struct journal_run *runs, uint32_t count, struct iovec *vectors);

/*
 * Keep the newest of pages that stand for the same bytes, sorted.  The data of a newer page lies
 * behind that of an older one.  False: two pages overlap, and none stands for all bytes of the
 * other; the order of the list is gone then.
 */
bool journal_keep_newest(struct journal_run *runs, uint32_t *count);

/* Write all runs and wait (O5): each run then has its error, 0 if written whole. */
void journal_write_runs(const struct sys_calls *sys, struct journal_courier *courier,
			struct journal_run *runs, uint32_t count);

/*
 * Read direct runs to where `into` says, together, and wait for them (O5).  The state of a run that
 * was read whole is JOURNAL_RUN_DONE; all others have to be read by call.
 */
void journal_read_runs(const struct sys_calls *sys, struct journal_courier *courier,
		       struct journal_run *runs, uint32_t count);

/* The kernel's queue for the runs of a ticket, with memory for the requests. */
struct journal_courier {
	aio_context_t context; /* 0: not made yet, or lost */
	bool busy;
	bool refused; /* no AIO on this system: not asked again */
	uint32_t depth;
	struct iocb **list;
	struct iocb *blocks;
};

/* One run: write by call; fill a request; take a request's result, with a call for the rest. */
void journal_write_run(const struct sys_calls *sys, struct journal_run *run);
void journal_fill_block(struct iocb *block, struct journal_run *run);
void journal_end_run(const struct sys_calls *sys, struct journal_run *run, int64_t result);
/* journal_home.c: leave out the runs of files that get no page now. */
uint32_t journal_drop_refused(struct atomicio_journal *journal, struct journal_run *runs,
			      uint32_t count);

#endif /* LIBATOMICIO_JOURNAL_AIO_H */

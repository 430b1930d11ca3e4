/* SPDX-License-Identifier: MIT */
/*
 * The state of a file's syncs and losses, and its change at the end of a sync.
 *
 * Flow: below loss.c, which syncs and waits, and loss_flight.c, which does not.  The caller holds
 * the lock.  Pure, except getpid().
 */
#include "loss.h"

#include <assert.h>
#include <errno.h>

/* L8 */
bool loss_may_ask_witness(const struct loss *loss)
{
	return loss->witness >= 0 && loss->sys->getpid() == loss->pid;
}

/* L3; the lock is held. */
void loss_note(struct loss *loss, int error)
{
	assert(error < 0);
	if (!loss->lost)
		loss->lost = error;
	if (loss->poison)
		atomic_store_explicit(loss->poison, 1, memory_order_relaxed);
}

uint64_t loss_open_sync(struct loss *loss, bool *takes)
{
	const uint64_t number = atomic_fetch_add(&loss->begun, 1) + 1;

	/* Before the sync: a write acknowledged during the sync may not be in the sync. */
	*takes = atomic_load(&loss->unsynced);
	if (*takes) {
		atomic_fetch_add(&loss->took, 1);
		atomic_store(&loss->unsynced, 0);
	}
	return number;
}

int loss_close_sync(struct loss *loss, uint64_t number, bool takes, int error, bool lost)
{
	assert(!lost || error);
	if (error && takes)
		atomic_store(&loss->unsynced, 1);
	if (!error) {
		error = atomic_exchange(&loss->unreported, 0); /* L4 */
		lost = error != 0;
	}
	if (lost)
		loss_note(loss, error);
	else if (!error)
		loss->done = number;
	if (takes)
		atomic_fetch_add(&loss->took, 1);
	return error;
}

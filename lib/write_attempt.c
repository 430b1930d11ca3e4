/* SPDX-License-Identifier: MIT */
/*
 * One attempt of an untorn write by call: check (write_check.c), submit, classify the result.
 *
 * Flow: called by write.c for the kernel path.  The call, with the looks around it, is in
 * write_look.c.
 */
#include "write.h"

#include <errno.h>

static void submit(struct write_request *request, const void *buffer, struct write_outcome *outcome)
{
	const struct iovec vector = {
		.iov_base = (void *)(uintptr_t)buffer, /* only read; iovec has no const */
		.iov_len = request->length,
	};

	write_look(request, &vector, outcome);
}

/* The kernel path: one untorn write. */
void write_kernel(struct write_request *request, struct write_outcome *outcome)
{
	struct atomicio_file *file = request->file;
	const void *bounced;

	if (!write_precheck(request, outcome) || !write_retire_range(request, outcome))
		return;
	if (((uintptr_t)request->buffer & (file->limits.memory_align - 1)) == 0) {
		submit(request, request->buffer, outcome);
		return;
	}
	bounced = write_take_bounce(request, !(request->flags & ATOMICIO_NOWAIT));
	if (!bounced) {
		write_fail(outcome, ATOMICIO_KIND_BUSY, -EAGAIN, 0);
		write_judge_doubt(request, outcome);
		return;
	}
	submit(request, bounced, outcome);
	write_give_bounce(file);
}

/*
 * For L7 of loss.h: only where a success alone is proof of an untorn write (no looks), and where
 * the repeat really does not sync.  The page may be on the disk after the error anyway (W6), and
 * the repeat writes the same bytes.  If the repeat tears, *outcome becomes its outcome.
 */
bool write_was_not_refused(const struct write_request *request, struct write_outcome *outcome)
{
	const struct atomicio_file *file = request->file;
	struct write_request again = *request;
	struct write_outcome repeated;

	if (request->path != ATOMICIO_PATH_KERNEL || !(request->flags & ATOMICIO_DSYNC) ||
	    file->looks || loss_always_syncs(&file->loss, file->fd, true))
		return false;
	again.flags &= ~ATOMICIO_DSYNC;
	write_kernel(&again, &repeated);
	if (repeated.kind == ATOMICIO_KIND_BROKEN)
		*outcome = repeated;
	return repeated.kind == 0;
}

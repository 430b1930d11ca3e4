/* SPDX-License-Identifier: MIT */
/*
 * One untorn write as an entry of an io_uring.  See write_entry.h.
 *
 * Flow: the steps of write_attempt.c's kernel path with the submission left out.  io_uring tries
 * a write with IOCB_NOWAIT first and hands EAGAIN to a worker thread (io_uring/rw.c), so an
 * EAGAIN in a completion is final, as it is from pwritev2(2).
 */
#include "write_entry.h"

bool write_entry_ready(struct write_request *request, struct write_outcome *outcome)
{
	return write_precheck(request, outcome) && write_retire_range(request, outcome) &&
	       write_look_before(request, outcome);
}

int write_entry_rwf(const struct write_request *request)
{
	return write_look_rwf(request);
}

bool write_entry_result(struct write_request *request, int64_t result,
			struct write_outcome *outcome)
{
	return write_look_after(request, result, outcome);
}

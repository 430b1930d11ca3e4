/* SPDX-License-Identifier: MIT */
/*
 * Put a failure to the application's policy, and carry out the answer.
 *
 * Flow: after a failed attempt on any path.  The answer is to try again, on the same path or on the
 * fallback's, or to give up.  The two stock policies are here too.
 */
#include "write.h"

#include <errno.h>

#include "abi.h"
#include "trace.h"

/* The longest pause before a retry, and the first one. */
#define PAUSE_MAX_US 5000u
#define PAUSE_MIN_US 50u

/* The path of FALLBACK from here, or AUTO: none. */
static uint32_t fallback_path(const struct write_request *request)
{
	switch (request->file->options.fallback) {
	case ATOMICIO_FALLBACK_JOURNAL:
		return request->path == ATOMICIO_PATH_KERNEL && write_fits_frame(request)
			       ? ATOMICIO_PATH_JOURNAL
			       : ATOMICIO_PATH_AUTO;
	case ATOMICIO_FALLBACK_PLAIN:
		return request->path == ATOMICIO_PATH_PLAIN ? ATOMICIO_PATH_AUTO
							    : ATOMICIO_PATH_PLAIN;
	default:
		return ATOMICIO_PATH_AUTO;
	}
}

/* Narrow the answers allowed by the kind to the ones still possible for this write (W5). */
static uint32_t allowed_now(const struct write_request *request,
			    const struct write_outcome *outcome)
{
	uint32_t allowed = outcome->allowed;

	if (fallback_path(request) == ATOMICIO_PATH_AUTO)
		allowed &= ~ATOMICIO_FALLBACK;
	if (request->retries_used >= request->file->options.retries_max)
		allowed &= ~ATOMICIO_RETRY;
	/* The filesystem will answer the same every time: do not let anybody spin. */
	if (outcome->reasons & ATOMICIO_REASON_NOWAIT_NEVER)
		allowed &= ~ATOMICIO_RETRY;
	return allowed;
}

static uint32_t ask(const struct write_request *request, const struct write_outcome *outcome)
{
	const struct atomicio_options *options = &request->file->options;
	const struct atomicio_failure failure = {
		.size = sizeof(failure),
		.kind = outcome->kind,
		.error = request->error,
		.on_disk = request->on_disk,
		.allowed = allowed_now(request, outcome),
		.attempt = request->failures_here,
		.path = request->path,
		.flags = request->flags | (request->mode & WRITE_SYNC_LATER ? ATOMICIO_DSYNC : 0),
		.offset = request->offset,
		.length = request->length,
		.reasons = outcome->reasons,
	};
	const uint32_t answer = options->policy(options->policy_context, &failure);

	/* W3: one allowed bit. */
	if (answer != ATOMICIO_RETRY && answer != ATOMICIO_FALLBACK)
		return ATOMICIO_FAIL;
	return answer & failure.allowed ? answer : ATOMICIO_FAIL;
}

/*
 * Make room for a retry.  EAGAIN from a call that may block means that cached pages of the range
 * could not be dropped (Linux 6.17 to 7.3, fs/iomap/direct-io.c:__iomap_dio_rw).  Write them back,
 * and pause longer each time, because the writer may dirty the pages again.  In a guest's loop
 * nothing waits: the write-back is only started.
 */
static void prepare_retry(const struct write_request *request, const struct write_outcome *outcome)
{
	struct atomicio_file *file = request->file;
	const bool guest = request->mode & WRITE_GUEST;
	uint32_t pause = PAUSE_MAX_US;

	if (request->flags & ATOMICIO_NOWAIT)
		return;
	if (outcome->error == -EAGAIN) {
		/* A failure shows in the retry. */
		write_back_range(request);
		write_count(&file->counters.writebacks, 1);
	}
	if (guest || request->retries_used < 2)
		return;
	if (request->retries_used < 8)
		pause = PAUSE_MIN_US << (request->retries_used - 2);
	file->sys->sleep_us(pause);
}

/*
 * The mark that an earlier attempt left on the disk outlives a later, harmless failure: a page
 * perhaps written before EIO is still on the disk when the retry gets EAGAIN.  Policy and caller
 * therefore receive the worst of the attempts, and of equal ones the last.
 */
static void remember_worst(struct write_request *request, const struct write_outcome *outcome)
{
	if (outcome->on_disk < request->on_disk)
		return;
	request->on_disk = outcome->on_disk;
	request->error = outcome->error;
}

/* May the failed call have synced the file, and so have received another page's error? */
static bool may_have_synced(const struct write_request *request, bool may_wait)
{
	const struct atomicio_file *file = request->file;

	if (request->path == ATOMICIO_PATH_PLAIN)
		return (request->flags & ATOMICIO_DSYNC && !file->plain_syncs) ||
		       loss_always_syncs(&file->loss, file->caller_fd, may_wait);
	return request->flags & ATOMICIO_DSYNC || request->doubtful ||
	       loss_always_syncs(&file->loss, file->fd, may_wait);
}

/*
 * W6.  An fdatasync waits.  Where the caller would not wait, nobody is asked: the witness keeps the
 * report for the next sync.  A call that the kernel answered with success has told of no loss,
 * whatever a look made of it.
 */
static void ask_who_lost(const struct write_request *request, struct write_outcome *outcome)
{
	struct atomicio_file *file = request->file;
	const bool may_wait = !(request->mode & WRITE_GUEST || request->flags & ATOMICIO_NOWAIT);
	const int32_t answer = outcome->answer;

	if (!answer || !may_have_synced(request, may_wait))
		return;
	if (outcome->on_disk < ATOMICIO_DISK_OLD_OR_NEW)
		outcome->on_disk = ATOMICIO_DISK_OLD_OR_NEW;
	if (may_wait && loss_may_be_flush(&file->loss, answer, request->mark) &&
	    write_was_not_refused(request, outcome))
		loss_doubt(&file->loss, answer);
	if (loss_ask(&file->loss, answer, request->mark, may_wait)) {
		outcome->allowed = ATOMICIO_FAIL;
		outcome->reasons |= ATOMICIO_REASON_HANDLE_POISONED;
		write_lost(file);
	}
	write_was_asked(file);
}

/* At WRITE_GIVE_UP, outcome->error is the caller's error. */
enum write_action write_decide(struct write_request *request, struct write_outcome *outcome)
{
	struct atomicio_file *file = request->file;
	uint32_t answer;

	assert(outcome->kind && outcome->error < 0);
	request->failures_here++;
	ask_who_lost(request, outcome);
	remember_worst(request, outcome);
	write_count(&file->counters.failures[outcome->kind], 1);
	TRACE_CLASSIFY(file->fd, request->offset, outcome->kind, outcome->error);
	/* A journal may heal BROKEN (E4 of write_look.c); a policy that never returns does not. */
	request->broken |= outcome->kind == ATOMICIO_KIND_BROKEN;
	if (outcome->kind == ATOMICIO_KIND_BROKEN && !(outcome->allowed & ATOMICIO_FALLBACK))
		write_poison(file);
	answer = ask(request, outcome);
	TRACE_POLICY(file->fd, outcome->kind, answer, request->failures_here);
	/* W3; and after a call with a possible sync, the old page is never certain (W6). */
	assert(answer == ATOMICIO_FAIL || (answer & outcome->allowed) == answer);
	assert(!outcome->answer || !(request->flags & ATOMICIO_DSYNC) ||
	       request->on_disk > ATOMICIO_DISK_OLD);
	switch (answer) {
	case ATOMICIO_RETRY:
		request->retries_used++;
		request->doubtful_calls = 0;
		write_count(&file->counters.retries, 1);
		prepare_retry(request, outcome);
		return WRITE_TRY_AGAIN;
	case ATOMICIO_FALLBACK:
		request->path = fallback_path(request);
		request->failures_here = 0;
		write_count(&file->counters.fallbacks, 1);
		return WRITE_TRY_AGAIN;
	default:
		if (request->broken)
			write_poison(file);
		write_count(&file->counters.writes_failed, 1);
		outcome->error = request->error;
		return WRITE_GIVE_UP;
	}
}

ATOMICIO_EXPORT uint32_t atomicio_policy_default(void *context,
						 const struct atomicio_failure *failure)
{
	bool transient = false;

	(void)context;
	switch (failure->kind) {
	case ATOMICIO_KIND_BUSY:
		transient = !(failure->flags & ATOMICIO_NOWAIT);
		break;
	case ATOMICIO_KIND_NOT_DIRECT:
	case ATOMICIO_KIND_MEDIA:
		transient = failure->attempt == 1;
		break;
	default:
		break;
	}
	if (transient && (failure->allowed & ATOMICIO_RETRY))
		return ATOMICIO_RETRY;
	return failure->allowed & ATOMICIO_FALLBACK ? ATOMICIO_FALLBACK : ATOMICIO_FAIL;
}

ATOMICIO_EXPORT uint32_t atomicio_policy_strict(void *context,
						const struct atomicio_failure *failure)
{
	(void)context;
	(void)failure;
	return ATOMICIO_FAIL;
}

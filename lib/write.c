/* SPDX-License-Identifier: MIT */
/*
 * The write: the order of its steps, and the branching.
 *
 *	validate -> submit -> classify -> done
 *	    ^                     |
 *	    +---- retry ------- policy ----> fail
 *	    +---- fallback -------+
 *
 * Flow: the border of the write family; open is in write_open.c.  The rules W1 to W5 are in
 * write.h.
 */
#include "write.h"

#include <errno.h>

#include "abi.h"
#include "sys_cancel.h"
#include "trace.h"

static void attempt(struct write_request *request, struct write_outcome *outcome)
{
	request->mark = loss_mark(&request->file->loss);
	switch (request->path) {
	case ATOMICIO_PATH_KERNEL:
		write_kernel(request, outcome);
		break;
	case ATOMICIO_PATH_JOURNAL:
		write_journal(request, outcome);
		break;
	default:
		assert(request->path == ATOMICIO_PATH_PLAIN);
		write_plain(request, outcome);
		break;
	}
}

/* Attempt and ask until done or given up; bounded by retries_max and one fallback (W5). */
int write_until_done(struct write_request *request)
{
	struct write_outcome outcome;

	for (;;) {
		if (write_is_poisoned(request->file)) {
			write_count(&request->file->counters.writes_failed, 1);
			return write_poisoned_error(request);
		}
		attempt(request, &outcome);
		if (outcome.kind == 0)
			return 0;
		assert(request->retries_used <= request->file->options.retries_max);
		if (write_decide(request, &outcome) == WRITE_GIVE_UP)
			return outcome.error;
	}
}

int write_run(struct write_request *request)
{
	const int error = write_until_done(request);

	if (!error)
		write_count_done(request);
	return error;
}

/* Everything but the first attempt of a well-shaped write on a plain kernel path. */
static __attribute__((noinline)) int write_cold(struct atomicio_file *file, const void *buffer,
						uint64_t length, uint64_t offset, uint32_t flags)
{
	SYS_NO_CANCEL;
	struct write_request request = {
		.file = file, .buffer = buffer, .length = length, .offset = offset, .flags = flags};
	int error;

	if (!file)
		return -EINVAL;
	error = write_misuse(buffer, length, offset, flags, WRITE_KNOWN_FLAGS);
	if (error) {
		write_count(&file->counters.writes_failed, 1);
		return error;
	}
	request.path = write_route(&request);
	return write_run(&request);
}

/* The first attempt failed in the kernel: go on from its result. */
static __attribute__((noinline)) int write_refused(struct atomicio_file *file, const void *buffer,
						   uint64_t length, uint64_t offset, uint32_t flags,
						   uint64_t mark, int64_t result)
{
	SYS_NO_CANCEL;
	struct write_request request = {.file = file,
					.buffer = buffer,
					.length = length,
					.offset = offset,
					.flags = flags,
					.path = ATOMICIO_PATH_KERNEL,
					.mark = mark};
	struct write_outcome outcome;

	if (!write_look_refused(&request, result, &outcome))
		write_interpret(&request, result, &outcome);
	if (write_decide(&request, &outcome) == WRITE_GIVE_UP)
		return outcome.error;
	return write_run(&request);
}

ATOMICIO_EXPORT int atomicio_write(struct atomicio_file *file, const void *buffer, size_t length,
				   uint64_t offset, uint32_t flags)
{
	const struct iovec vector = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = length};
	uint64_t mark;
	int64_t result;

	if (!file || !write_is_fast(file, buffer, length, offset, flags))
		return write_cold(file, buffer, length, offset, flags);
	TRACE_SUBMIT(file->fd, offset, length, flags);
	mark = loss_mark(&file->loss);
	result = file->sys->pwritev2(file->fd, &vector, 1, offset, write_fast_rwf(flags));
	if (result != (int64_t)length)
		return write_refused(file, buffer, length, offset, flags, mark, result);
	write_count(length <= file->unit_max_hw ? &file->counters.writes_hardware
						: &file->counters.writes_filesystem,
		    1);
	write_count(&file->counters.bytes, length);
	if (!(flags & ATOMICIO_DSYNC))
		loss_note_unsynced(&file->loss);
	return 0;
}

ATOMICIO_EXPORT uint64_t atomicio_check(const struct atomicio_file *file, const void *buffer,
					size_t length, uint64_t offset)
{
	const struct write_request request = {
		.file = (struct atomicio_file *)(uintptr_t)file, /* only read */
		.buffer = buffer,
		.length = length,
		.offset = offset,
	};

	if (!file || write_misuse(buffer, length, offset, 0, 0))
		return ATOMICIO_REASON_BAD_ARGUMENT;
	if (atomic_load_explicit(&file->home.failed, memory_order_relaxed))
		return ATOMICIO_REASON_HOME_FAILED;
	if (file->limits.unit_max == 0)
		return file->caps.reasons;
	if (write_is_poisoned(file))
		return ATOMICIO_REASON_HANDLE_POISONED;
	return write_shape_broken(&request, file->limits.unit_max);
}

ATOMICIO_EXPORT int atomicio_sync(struct atomicio_file *file)
{
	SYS_NO_CANCEL;
	return file ? write_sync_file(file) : -EINVAL;
}

ATOMICIO_EXPORT uint32_t atomicio_version(void)
{
	return ATOMICIO_VERSION_MAJOR * 10000 + ATOMICIO_VERSION_MINOR * 100 +
	       ATOMICIO_VERSION_PATCH;
}

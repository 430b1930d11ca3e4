/* SPDX-License-Identifier: MIT */
/*
 * A guest in the caller's ring: fill one entry, read its completion.
 *
 * Flow: as write.c, cut in two where the kernel is at work.  The request is the caller's memory,
 * and holds the state between the halves.
 *
 * Rules:
 * G1 nothing allocates; nothing blocks except a fallback, a checkpoint owed to the journal (J3),
 *    and the policy itself.
 * G2 a completion counts once: done() on a request that is not on its way is refused.
 * G3 a prepared entry may always be submitted.  Where nothing is to be written, the entry is a
 *    no-op after a fallback, else a request that the kernel refuses.
 */
#include "write_guest.h"

#include <errno.h>

#include "abi.h"
#include "libatomicio/uring.h"
#include "sys_cancel.h"
#include "trace.h"

#define GUEST_FLAGS (WRITE_FLAGS | ATOMICIO_REGISTERED_BUFFER)

static_assert(sizeof(struct atomicio_request) == 128, "part of the ABI");
static_assert(sizeof(struct guest) <= sizeof(struct atomicio_request), "fits the caller's");
static_assert(_Alignof(struct guest) <= _Alignof(struct atomicio_request), "and its alignment");

static struct guest *guest_of(struct atomicio_request *request)
{
	return (struct guest *)request;
}

/* Count a failure that never reached the policy. */
static void count_failed(struct atomicio_file *file)
{
	if (file)
		write_count(&file->counters.writes_failed, 1);
}

/* The fallback has run: its result waits for the completion of a no-op. */
static int answer(struct guest *guest, struct io_uring_sqe *sqe, int error)
{
	if (error)
		return write_guest_refuse(guest, sqe, error);
	write_entry_fill(sqe, IORING_OP_NOP, -1, NULL, 0, 0, 0);
	guest->state = GUEST_SETTLED;
	guest->result = 0;
	return 0;
}

static bool is_ready(struct write_request *write, struct write_outcome *outcome)
{
	/* IORING_OP_WRITE_FIXED is no ITER_UBUF: EINVAL, io_uring/rsrc.c:io_import_fixed. */
	if (write->flags & ATOMICIO_REGISTERED_BUFFER) {
		write_fail(outcome, ATOMICIO_KIND_SHAPE, -EINVAL,
			   ATOMICIO_REASON_REGISTERED_BUFFER);
		return false;
	}
	return write_entry_ready(write, outcome);
}

/* All steps up to the submission, on any path; bounded like write_until_done() (W5). */
static int prepare(struct guest *guest, struct io_uring_sqe *sqe)
{
	struct write_request *write = &guest->write;
	struct write_outcome outcome;

	for (;;) {
		if (write_is_poisoned(write->file)) {
			count_failed(write->file);
			return write_guest_refuse(guest, sqe, write_poisoned_error(write));
		}
		if (write->path == ATOMICIO_PATH_JOURNAL && write_guest_may_join(write->file)) {
			const int error = write_guest_begin_frame(guest, sqe);

			if (error != GUEST_OTHER_PATH)
				return error;
			continue;
		}
		if (write->path != ATOMICIO_PATH_KERNEL)
			return answer(guest, sqe, write_run(write));
		if (is_ready(write, &outcome))
			break;
		if (outcome.later) {
			write_guest_fill_failing(sqe);
			return outcome.error;
		}
		if (write_decide(write, &outcome) == WRITE_GIVE_UP)
			return write_guest_refuse(guest, sqe, outcome.error);
	}
	TRACE_SUBMIT(write->file->fd, write->offset, write->length, write->flags);
	write_entry_fill(sqe, IORING_OP_WRITE, write->file->fd, write->buffer,
			 (uint32_t)write->length, write->offset, write_entry_rwf(write));
	guest->state = GUEST_IN_FLIGHT;
	return 0;
}

static bool is_same(const struct write_request *before, const struct write_request *asked)
{
	return before->file == asked->file && before->buffer == asked->buffer &&
	       before->length == asked->length && before->offset == asked->offset &&
	       before->flags == asked->flags;
}

/* Everything but the first attempt of a well-shaped write on a plain kernel path. */
static __attribute__((noinline)) int prepare_cold(struct guest *guest, struct io_uring_sqe *sqe,
						  const struct write_request *asked)
{
	SYS_NO_CANCEL;
	int error;

	if (guest->state == GUEST_AGAIN && is_same(&guest->write, asked))
		return prepare(guest, sqe);
	if (guest_has_frame(guest) && is_same(&guest->write, asked))
		return write_guest_next(guest, sqe);
	if (guest->state != GUEST_IDLE && guest->state != GUEST_REFUSED) {
		/* The request itself goes on unchanged. */
		count_failed(asked->file);
		write_guest_fill_failing(sqe);
		return -EINVAL;
	}
	error = asked->file ? write_misuse(asked->buffer, asked->length, asked->offset,
					   asked->flags, GUEST_FLAGS)
			    : -EINVAL;
	if (error) {
		count_failed(asked->file);
		return write_guest_refuse(guest, sqe, error);
	}
	guest->write = *asked;
	guest->write.path = write_route(asked);
	return prepare(guest, sqe);
}

ATOMICIO_EXPORT int atomicio_uring_prep(struct atomicio_request *request,
					struct atomicio_file *file, struct io_uring_sqe *sqe,
					const void *buffer, size_t length, uint64_t offset,
					uint32_t flags)
{
	struct guest *guest = guest_of(request);
	const struct write_request asked = {.file = file,
					    .buffer = buffer,
					    .length = length,
					    .offset = offset,
					    .flags = flags,
					    .path = ATOMICIO_PATH_KERNEL,
					    .mode = WRITE_GUEST};

	if (!sqe)
		return -EINVAL;
	if (!guest) {
		write_guest_fill_failing(sqe);
		return -EINVAL;
	}
	if (guest->state != GUEST_IDLE || !file ||
	    !write_is_fast(file, buffer, length, offset, flags))
		return prepare_cold(guest, sqe, &asked);
	guest->write = asked;
	guest->write.mark = loss_mark(&file->loss);
	guest->state = GUEST_IN_FLIGHT;
	TRACE_SUBMIT(file->fd, offset, length, flags);
	write_entry_fill(sqe, IORING_OP_WRITE, file->fd, buffer, (uint32_t)length, offset,
			 write_fast_rwf(flags));
	return 0;
}

/* A completion that is not plainly a success. */
static __attribute__((noinline)) int done_cold(struct guest *guest, int32_t res)
{
	SYS_NO_CANCEL;
	struct write_request *write = &guest->write;
	struct write_outcome outcome;

	switch (guest->state) {
	case GUEST_SETTLED:
	case GUEST_REFUSED:
		guest->state = GUEST_IDLE;
		return guest->result;
	case GUEST_IN_FLIGHT:
		break;
	default:
		return write_guest_done(guest, res);
	}
	guest->state = GUEST_AGAIN;
	if (!write_entry_result(write, res, &outcome))
		return ATOMICIO_AGAIN_SQE;
	if (outcome.kind && write_decide(write, &outcome) == WRITE_TRY_AGAIN) {
		if (write->path == ATOMICIO_PATH_KERNEL ||
		    (write->path == ATOMICIO_PATH_JOURNAL && write_guest_may_join(write->file)))
			return ATOMICIO_AGAIN_SQE;
		guest->state = GUEST_IDLE;
		return write_run(write);
	}
	guest->state = GUEST_IDLE;
	if (outcome.kind)
		return outcome.error;
	write_count_done(write);
	return 0;
}

ATOMICIO_EXPORT int atomicio_uring_done(struct atomicio_request *request, int32_t res)
{
	struct guest *guest = guest_of(request);

	if (!guest)
		return -EINVAL;
	if (guest->state != GUEST_IN_FLIGHT || res != (int64_t)guest->write.length ||
	    guest->write.file->looks)
		return done_cold(guest, res);
	guest->state = GUEST_IDLE;
	write_count_done(&guest->write);
	return 0;
}

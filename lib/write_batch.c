/* SPDX-License-Identifier: MIT */
/*
 * A batch: several writes in one call, each with its own result, or all writes as one group.
 *
 * Flow: above write.c.  Ops with the journal path share frames: a batch costs a flush per frame
 * instead of a flush per op.  Frames go first, all remaining ops later: no write is under way past
 * the journal while a frame covers its range (J3).  The remaining ops run singly, or through a
 * queue (write_queue.c).
 */
#include "write.h"

#include <errno.h>

#include "abi.h"
#include "sys_cancel.h"

#define BATCH_FLAGS (WRITE_KNOWN_FLAGS | ATOMICIO_ALL_OR_NONE)

static struct write_request request_of(const struct atomicio_op *op, uint32_t flags)
{
	return (struct write_request){
		.file = op->file,
		.buffer = op->buffer,
		.length = op->length,
		.offset = op->offset,
		.flags = flags & ~ATOMICIO_ALL_OR_NONE,
	};
}

static int check_batch(const struct atomicio_op *ops, uint32_t count, uint32_t flags)
{
	if (!ops || count == 0 || flags & ~BATCH_FLAGS)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++)
		if (!ops[i].file || ops[i].reserved)
			return -EINVAL;
	return 0;
}

/* May this op take part in a frame?  If not, its outcome comes when the op runs alone. */
static bool is_journaled(const struct atomicio_op *op, uint32_t flags, uint64_t *size_limit)
{
	struct write_request request = request_of(op, flags);
	struct write_outcome ignored;

	request.size_limit = size_limit;
	if (write_misuse(op->buffer, op->length, op->offset, request.flags, BATCH_FLAGS) ||
	    write_is_poisoned(op->file) || write_route(&request) != ATOMICIO_PATH_JOURNAL)
		return false;
	return write_fits_journal(&request, &ignored);
}

static void answer_group(struct atomicio_op *ops, uint32_t count, int error)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct write_request done = {.file = ops[i].file,
						   .length = ops[i].length,
						   .path = ATOMICIO_PATH_JOURNAL};

		ops[i].result = error;
		if (!error)
			write_count_done(&done);
		else
			write_count(&ops[i].file->counters.writes_failed, 1);
	}
}

/*
 * ATOMICIO_ALL_OR_NONE: one frame, or one chain of frames.  Nothing else keeps the promise, and no
 * policy is asked: a group is done or failed.
 */
static int write_group(struct atomicio_op *ops, uint32_t count, uint32_t flags)
{
	struct atomicio_journal *journal = ops[0].file->options.journal;
	struct write_outcome outcome;
	uint64_t size_limit = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct atomicio_op *op = &ops[i];
		struct write_request request = request_of(op, flags);

		request.size_limit = &size_limit;
		if (!op->file->options.journal)
			return -EOPNOTSUPP;
		if (op->file->options.journal != journal)
			return -EXDEV;
		if (write_misuse(op->buffer, op->length, op->offset, flags, BATCH_FLAGS))
			return -EINVAL;
		if (write_is_poisoned(op->file))
			return -ENOTRECOVERABLE;
		if (!write_fits_journal(&request, &outcome))
			return outcome.error;
	}
	write_journal_group(ops, count, flags, &outcome);
	/* Too long for a chain of frames (K5), or two ops overlap (N4). */
	if (outcome.kind == ATOMICIO_KIND_SHAPE)
		return outcome.error;
	answer_group(ops, count, outcome.kind ? outcome.error : 0);
	return outcome.kind ? outcome.error : 0;
}

/* Count the ops, from the first on, for one shared frame; 0: not for the journal. */
static uint32_t frame_run(const struct atomicio_op *ops, uint32_t count, uint32_t flags)
{
	const struct atomicio_journal *journal = ops[0].file->options.journal;
	uint64_t room = 0, size_limit = 0;
	uint32_t run = 0;

	while (run < count && ops[run].file->options.journal == journal && journal &&
	       is_journaled(&ops[run], flags, &size_limit)) {
		room += journal_room(ops[run].length);
		if (!journal_fits(journal, (uint64_t)run + 1, room))
			break;
		run++;
	}
	return run;
}

/*
 * The policy of each file receives the error of a failed frame.  An op with nothing written is
 * tried alone.  An op whose page may appear after a recovery is not tried: the poisoned journal
 * would answer that the old page is on the disk.
 */
static void answer_failed(struct atomicio_op *op, uint32_t flags,
			  const struct write_outcome *outcome)
{
	struct write_request request = request_of(op, flags);
	struct write_outcome own = *outcome;

	op->result = WRITE_PENDING;
	if (outcome->on_disk == ATOMICIO_DISK_OLD)
		return;
	request.path = ATOMICIO_PATH_JOURNAL;
	assert(own.allowed == ATOMICIO_FAIL);
	(void)write_decide(&request, &own);
	op->result = own.error;
}

/*
 * One run of ops in a frame.  Overlapping ops cannot share a frame (N4), and keep their order: the
 * first half goes before the second.
 */
static void write_run_of_ops(struct atomicio_op *ops, uint32_t run, uint32_t flags)
{
	struct write_outcome outcome;

	while (run) {
		uint32_t part = run;

		write_journal_group(ops, part, flags, &outcome);
		while (outcome.kind == ATOMICIO_KIND_SHAPE && outcome.error == -EINVAL &&
		       part > 1) {
			part /= 2;
			write_journal_group(ops, part, flags, &outcome);
		}
		if (outcome.kind == 0)
			answer_group(ops, part, 0);
		for (uint32_t i = 0; i < part && outcome.kind; i++)
			answer_failed(&ops[i], flags, &outcome);
		ops += part;
		run -= part;
	}
}

/* Write the journal's ops, in shared frames; the rest stays WRITE_PENDING. */
static void write_frames(struct atomicio_op *ops, uint32_t count, uint32_t flags)
{
	uint32_t run;

	for (uint32_t i = 0; i < count; i += run ? run : 1) {
		run = frame_run(ops + i, count - i, flags);
		if (run == 0)
			ops[i].result = WRITE_PENDING;
		else
			write_run_of_ops(ops + i, run, flags);
	}
}

/* The remaining ops, one by one and in order. */
static void write_rest(struct atomicio_op *ops, uint32_t count, uint32_t flags)
{
	for (uint32_t i = 0; i < count; i++) {
		struct atomicio_op *op = &ops[i];

		if (op->result != WRITE_PENDING)
			continue;
		op->result = op->length > SIZE_MAX
				     ? -EINVAL
				     : atomicio_write(op->file, op->buffer, (size_t)op->length,
						      op->offset, flags);
	}
}

static int first_error(const struct atomicio_op *ops, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (ops[i].result)
			return ops[i].result;
	return 0;
}

ATOMICIO_EXPORT int atomicio_write_batch(struct atomicio_queue *queue, struct atomicio_op *ops,
					 uint32_t count, uint32_t flags)
{
	SYS_NO_CANCEL;
	int error = check_batch(ops, count, flags);

	if (error)
		return error;
	if (queue && !write_queue_enter(queue, count))
		return -EBUSY;
	if (flags & ATOMICIO_ALL_OR_NONE) {
		error = write_group(ops, count, flags);
	} else {
		write_frames(ops, count, flags);
		if (queue)
			write_queue_rest(queue, ops, count, flags & ~ATOMICIO_BEHIND);
		else
			write_rest(ops, count, flags);
		error = first_error(ops, count);
	}
	if (queue)
		write_queue_leave(queue);
	return error;
}

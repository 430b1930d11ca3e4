/* SPDX-License-Identifier: MIT */
/*
 * Guests that go to the journal: the frame and the home write are entries of the caller's ring.
 *
 * Flow: below write_uring.c; above journal_guest.h, which has the rules.  Nothing waits here, and
 * nothing allocates.
 *
 * G4 done() gives ATOMICIO_DURABLE only after the frame's completion, and 0 only after the home
 *    write's completion, or after the file has failed (K11: the frame then keeps the page).
 */
#include "write_guest.h"

#include <errno.h>

#include "abi.h"
#include "libatomicio/journal.h"
#include "libatomicio/uring.h"
#include "sys_cancel.h"
#include "trace.h"

/* No kernel knows this bit of rw_flags: EOPNOTSUPP before anything is done. */
#define RWF_UNKNOWN 0x40000000

/* G3: an entry that fails, and breaks its link like a failed write. */
void write_guest_fill_failing(struct io_uring_sqe *sqe)
{
	write_entry_fill(sqe, IORING_OP_WRITE, -1, NULL, 0, 0, RWF_UNKNOWN);
}

int write_guest_refuse(struct guest *guest, struct io_uring_sqe *sqe, int error)
{
	write_guest_fill_failing(sqe);
	guest->state = GUEST_REFUSED;
	guest->result = error;
	return error;
}

bool write_guest_may_join(const struct atomicio_file *file)
{
	return file->attached && journal_has_guests(file->options.journal);
}

static struct atomicio_journal *journal_of(const struct guest *guest)
{
	return guest->write.file->options.journal;
}

static void fill(struct io_uring_sqe *sqe, const struct journal_guest_io *io)
{
	if (io->nothing) {
		write_entry_fill(sqe, IORING_OP_NOP, -1, NULL, 0, 0, 0);
	} else if (io->sync) {
		write_entry_fill(sqe, IORING_OP_FSYNC, io->fd, NULL, 0, 0, 0);
		sqe->fsync_flags = IORING_FSYNC_DATASYNC;
	} else {
		write_entry_fill(sqe, IORING_OP_WRITE, io->fd, io->bytes, (uint32_t)io->length,
				 io->offset, io->rwf);
	}
}

/* Put an error of the journal to the policy, which has no choice. */
static int fail(struct guest *guest, int error)
{
	struct write_outcome outcome;

	if (error == -ECANCELED)
		write_fail(&outcome, ATOMICIO_KIND_BUSY, error, 0);
	else
		write_classify_journal(guest->write.file, &outcome, error);
	outcome.allowed = ATOMICIO_FAIL;
	(void)write_decide(&guest->write, &outcome);
	guest->state = GUEST_IDLE;
	return outcome.error;
}

/* Into a frame that is closed, whose entry is *io.  False: the outcome says why not. */
static bool enter_frame(struct guest *guest, struct journal_guest_io *io,
			struct write_outcome *outcome)
{
	const struct write_request *write = &guest->write;
	const struct journal_page page = write_page_of_request(write);
	struct atomicio_journal *journal = journal_of(guest);
	int error;

	if (!write_fits_journal(write, outcome))
		return false;
	error = journal_gather_begin(journal, &guest->place);
	if (!error)
		error = journal_gather_end(journal, &guest->place, io,
					   journal_gather_put(journal, &guest->place, &page));
	if (!error)
		return true;
	write_classify_journal(write->file, outcome, error);
	outcome->later = journal_is_later(error);
	return false;
}

int write_guest_begin_frame(struct guest *guest, struct io_uring_sqe *sqe)
{
	struct write_request *write = &guest->write;
	struct journal_guest_io io = {.nothing = false};
	struct write_outcome outcome;

	while (write->path == ATOMICIO_PATH_JOURNAL) {
		if (write_is_poisoned(write->file))
			return GUEST_OTHER_PATH; /* prepare() returns the error */
		if (enter_frame(guest, &io, &outcome)) {
			fill(sqe, &io);
			guest->state = GUEST_FRAME;
			return 0;
		}
		if (outcome.later) {
			write_guest_fill_failing(sqe);
			return outcome.error;
		}
		if (write_decide(write, &outcome) == WRITE_GIVE_UP)
			return write_guest_refuse(guest, sqe, outcome.error);
	}
	return GUEST_OTHER_PATH;
}

/* A follower looks for the result of its frame. */
static int look(struct guest *guest)
{
	const int error = journal_guest_look(journal_of(guest), guest->place.serial);

	if (error == -EINPROGRESS)
		return error;
	if (error)
		return fail(guest, error);
	guest->state = GUEST_DURABLE;
	return 0;
}

int write_guest_next(struct guest *guest, struct io_uring_sqe *sqe)
{
	struct journal_guest_io io = {.nothing = false};
	int error = -EINVAL;

	if (guest->state == GUEST_GATHERED) {
		error = look(guest);
		if (error == -EINPROGRESS) {
			write_guest_fill_failing(sqe);
			return -EBUSY;
		}
		if (error)
			return write_guest_refuse(guest, sqe, error);
	}
	if (guest->state == GUEST_FRAME_DUE)
		error = journal_guest_next(journal_of(guest), guest->place.serial, &io);
	else if (guest->state == GUEST_DURABLE)
		error = journal_guest_home(journal_of(guest), &guest->place, &io);
	if (error) {
		write_guest_fill_failing(sqe);
		return error;
	}
	guest->state = guest->state == GUEST_DURABLE ? GUEST_HOME : GUEST_FRAME;
	fill(sqe, &io);
	return 0;
}

static int frame_done(struct guest *guest, int32_t res)
{
	const uint64_t serial = guest->place.serial;
	const int error = guest->state == GUEST_FRAME_DUE
				  ? journal_guest_give_up(journal_of(guest), serial)
				  : journal_guest_framed(journal_of(guest), serial, res);

	if (error == -EAGAIN) {
		guest->state = GUEST_FRAME_DUE;
		return ATOMICIO_AGAIN_SQE;
	}
	if (error)
		return fail(guest, error);
	guest->state = GUEST_DURABLE;
	return ATOMICIO_DURABLE;
}

int write_guest_done(struct guest *guest, int32_t res)
{
	int error;

	if (guest->state == GUEST_FRAME || (guest->state == GUEST_FRAME_DUE && res == -ECANCELED))
		return frame_done(guest, res);
	if (guest->state != GUEST_HOME)
		return -EINVAL;
	error = journal_guest_homed(journal_of(guest), &guest->place, res);
	if (error == -EAGAIN) {
		guest->state = GUEST_DURABLE;
		return ATOMICIO_AGAIN_SQE;
	}
	guest->state = GUEST_IDLE;
	if (!error)
		write_count_done(&guest->write);
	return error;
}

/* May this op be gathered?  No policy is asked: the caller has chosen the journal. */
static int check_op(const struct atomicio_op *op, const struct guest *guest, uint32_t flags)
{
	const struct write_request request = {.file = op->file,
					      .length = op->length,
					      .offset = op->offset,
					      .path = ATOMICIO_PATH_JOURNAL,
					      .mode = WRITE_GUEST};
	struct write_outcome outcome;
	int error;

	if (!guest || !op->file || (guest->state != GUEST_IDLE && guest->state != GUEST_REFUSED))
		return -EINVAL;
	error = write_misuse(op->buffer, op->length, op->offset, flags, WRITE_FLAGS);
	if (error)
		return error;
	if (!write_guest_may_join(op->file))
		return -EOPNOTSUPP;
	if (write_is_poisoned(op->file))
		return -ENOTRECOVERABLE;
	return write_fits_journal(&request, &outcome) ? 0 : outcome.error;
}

static int gather(struct atomicio_request *requests, const struct atomicio_op *ops, uint32_t count,
		  uint32_t flags)
{
	struct journal_guest_place place;
	int error = 0;

	for (uint32_t i = 0; i < count && !error; i++) {
		error = check_op(&ops[i], (struct guest *)&requests[i], flags);
		if (!error && ops[i].file->options.journal != ops[0].file->options.journal)
			error = -EXDEV;
	}
	if (!error)
		error = write_gather_group(ops, count, &place);
	for (uint32_t i = 0; i < count && !error; i++) {
		struct guest *guest = (struct guest *)&requests[i];

		*guest = (struct guest){
			.write = {.file = ops[i].file,
				  .buffer = ops[i].buffer,
				  .length = ops[i].length,
				  .offset = ops[i].offset,
				  .flags = flags,
				  .path = ATOMICIO_PATH_JOURNAL,
				  .mode = WRITE_GUEST},
			.state = GUEST_GATHERED,
			.place = {.serial = place.serial, .page = place.page + i},
		};
	}
	if (error && !journal_is_later(error) && ops[0].file)
		write_count(&ops[0].file->counters.writes_failed, 1);
	return error;
}

ATOMICIO_EXPORT int atomicio_uring_begin(struct atomicio_journal *journal, uint32_t frames,
					 int event_fd)
{
	SYS_NO_CANCEL;

	return journal ? journal_guests_begin(journal, frames, event_fd) : -EINVAL;
}

ATOMICIO_EXPORT int atomicio_uring_gather(struct atomicio_request *request,
					  struct atomicio_file *file, const void *buffer,
					  size_t length, uint64_t offset, uint32_t flags)
{
	SYS_NO_CANCEL;
	const struct atomicio_op op = {
		.file = file, .buffer = buffer, .length = length, .offset = offset};

	return gather(request, &op, 1, flags);
}

ATOMICIO_EXPORT int atomicio_uring_gather_group(struct atomicio_request *requests,
						const struct atomicio_op *ops, uint32_t count)
{
	SYS_NO_CANCEL;

	if (!requests || !ops || count == 0)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++)
		if (ops[i].reserved)
			return -EINVAL;
	return gather(requests, ops, count, 0);
}

/* 0: the request was gathered, and its frame was not closed through this request. */
static int not_open(const struct guest *guest)
{
	if (!guest || !guest_has_frame(guest))
		return -EINVAL;
	return guest->state == GUEST_GATHERED ? 0 : -EALREADY;
}

ATOMICIO_EXPORT int atomicio_uring_commit(struct atomicio_request *request)
{
	SYS_NO_CANCEL;
	struct guest *guest = (struct guest *)request;
	int error = not_open(guest);

	if (!error)
		error = journal_gather_close(journal_of(guest), guest->place.serial);
	if (!error)
		guest->state = GUEST_FRAME_DUE;
	return error;
}

ATOMICIO_EXPORT int atomicio_uring_discard(struct atomicio_request *request)
{
	SYS_NO_CANCEL;
	struct guest *guest = (struct guest *)request;
	int error = not_open(guest);

	if (!error)
		error = journal_gather_drop(journal_of(guest), guest->place.serial);
	if (!error)
		guest->state = GUEST_IDLE;
	return error;
}

ATOMICIO_EXPORT int atomicio_uring_result(struct atomicio_request *request)
{
	SYS_NO_CANCEL;
	struct guest *guest = (struct guest *)request;
	int error;

	if (!guest)
		return -EINVAL;
	switch (guest->state) {
	case GUEST_IDLE:
		return -EINVAL;
	case GUEST_GATHERED:
		error = look(guest);
		return error ? error : ATOMICIO_DURABLE;
	case GUEST_DURABLE:
	case GUEST_HOME:
		return ATOMICIO_DURABLE;
	case GUEST_REFUSED:
		return guest->result;
	default:
		return -EINPROGRESS;
	}
}

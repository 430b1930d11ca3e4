/* SPDX-License-Identifier: MIT */
/*
 * Recovery: write every live frame home, make that durable, retire the frames.
 *
 * Flow: called by the application after open said that frames are live, before any file is
 * attached.  Nothing is retired before everything is home and synced, so a recovery that is
 * killed starts again from the same frames (J5).
 */
#include "journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "abi.h"
#include "abi_first.h"
#include "trace.h"

/* A file that frames name: asked for once. */
struct target {
	uint64_t file_id;
	int fd;	 /* or -ENOENT: gone */
	int rwf; /* for its home writes */
};

struct replay {
	struct atomicio_journal *journal;
	atomicio_resolve *resolve;
	void *context;
	struct target *targets; /* as many as have been met */
	uint32_t count, room;
	struct atomicio_recovery done;
};

/* Make room for one more target. */
static int grow(struct replay *replay)
{
	const struct sys_calls *sys = replay->journal->sys;
	const uint32_t room = replay->room ? replay->room * 2 : 16;
	struct target *targets;

	if (replay->count < replay->room)
		return 0;
	targets = sys->allocate(_Alignof(max_align_t), room * sizeof(*targets));
	if (!targets)
		return -ENOMEM;
	for (uint32_t i = 0; i < replay->count; i++)
		targets[i] = replay->targets[i];
	if (replay->targets)
		sys->release_memory(replay->targets);
	replay->targets = targets;
	replay->room = room;
	return 0;
}

/* Where O_APPEND would move the pages, only RWF_NOAPPEND (6.9) keeps them in place, if at all. */
static int ask_target(struct replay *replay, struct target *target)
{
	const int fd = replay->resolve(replay->context, target->file_id);
	int status;

	if (fd == -ENOENT) {
		target->fd = fd;
		replay->done.files_gone++;
		return 0;
	}
	if (fd < 0)
		return fd;
	status = replay->journal->sys->getfl(fd);
	if (status < 0)
		return status;
	if (status & O_APPEND && !sys_keeps_noappend(replay->journal->sys, fd))
		return -EOPNOTSUPP;
	target->fd = fd;
	target->rwf = status & O_APPEND ? SYS_RWF_NOAPPEND : 0;
	replay->done.files++;
	return 0;
}

/* Find the target of an id, asking for it at the first meeting. */
static int find_target(struct replay *replay, uint64_t file_id, const struct target **found)
{
	struct target *target;
	int error;

	for (uint32_t i = 0; i < replay->count; i++) {
		if (replay->targets[i].file_id == file_id) {
			*found = &replay->targets[i];
			return 0;
		}
	}
	error = grow(replay);
	if (error)
		return error;
	target = &replay->targets[replay->count];
	target->file_id = file_id;
	error = ask_target(replay, target);
	if (error)
		return error;
	replay->count++;
	*found = target;
	return 0;
}

static int replay_frame(struct replay *replay, uint8_t *bytes, const struct journal_frame *frame)
{
	uint8_t *page = bytes + frame->header_length;

	for (uint32_t i = 0; i < frame->count; i++) {
		const struct sys_calls *sys = replay->journal->sys;
		const struct target *target;
		struct journal_identity file;
		struct journal_entry entry;
		int error;

		journal_get_entry(bytes, frame->files, i, &entry);
		journal_get_file(bytes, entry.file, &file);
		error = find_target(replay, file.file_id, &target);
		if (error)
			return error;
		journal_escape(page, journal_padded(entry.length), entry.escape);
		if (target->fd < 0) {
			replay->done.pages_skipped++;
		} else {
			error = journal_write_home(sys, target->fd, target->rwf, page, entry.length,
						   entry.offset);
			if (error)
				return error;
			replay->done.pages++;
			replay->done.bytes += entry.length;
		}
		page += journal_padded(entry.length);
	}
	replay->done.frames++;
	TRACE_REPLAY(frame->sequence, frame->count, frame->length);
	return 0;
}

/*
 * J1: that a frame can be read does not make it durable.  Its writer may have been killed before
 * the flush, or seen that fail, and a power cut while its pages go home would leave them torn,
 * with no frame.  What was read direct is on the disk, and a flush after it makes it durable;
 * else the frames are written again, where they are: those that no later one vouches for.
 */
static int make_durable(struct atomicio_journal *journal, struct journal_window *window)
{
	const struct journal_scan *scan = &journal->scan;

	journal->counters.flushes++;
	if (journal->direct && journal->sys->fdatasync(journal->fd) == 0)
		return 0;
	for (uint32_t i = 0; i < scan->count; i++) {
		struct journal_frame frame;
		uint8_t *bytes;
		int error;

		if (scan->found[i].sequence < scan->durable_to)
			continue;
		error = journal_window_frame(journal, window, &scan->found[i], &bytes, &frame);
		if (!error)
			error = journal_write_home(journal->sys, journal->fd, SYS_RWF_DSYNC, bytes,
						   frame.length, frame.offset);
		if (error)
			return error;
		journal->counters.flushes++;
		journal->counters.bytes_written += frame.length;
	}
	return 0;
}

/* Replay all live frames in sequence order. */
static int replay_all(struct replay *replay, struct journal_window *window)
{
	struct atomicio_journal *journal = replay->journal;
	const struct journal_scan *scan = &journal->scan;

	for (uint32_t i = 0; i < scan->count; i++) {
		struct journal_frame frame;
		uint8_t *bytes;
		int error;

		if (scan->found[i].aborted) /* N2 */
			continue;
		error = journal_window_frame(journal, window, &scan->found[i], &bytes, &frame);
		if (!error)
			error = replay_frame(replay, bytes, &frame);
		if (error)
			return error;
		replay->done.bytes_scanned += frame.length;
	}
	for (uint32_t i = 0; i < replay->count; i++) {
		int error;

		if (replay->targets[i].fd < 0)
			continue;
		error = journal->sys->fdatasync(replay->targets[i].fd); /* J2, J5 */
		journal->counters.flushes++;
		if (error)
			return error;
	}
	return 0;
}

/* The role is ours. */
static int recover_locked(struct replay *replay)
{
	struct atomicio_journal *journal = replay->journal;
	struct journal_window window;
	int error;

	if (journal->files)
		return -EBUSY;
	switch (journal->state) {
	case ATOMICIO_JOURNAL_UNCLEAN:
		break;
	case ATOMICIO_JOURNAL_CORRUPT:
		return -EBADMSG;
	case ATOMICIO_JOURNAL_TAIL_UNREADABLE:
		return -EIO;
	case ATOMICIO_JOURNAL_POISONED:
		return -ENOTRECOVERABLE;
	default:
		return 0;
	}
	error = journal_window_open(journal, &window);
	if (!error)
		error = make_durable(journal, &window);
	if (!error)
		error = replay_all(replay, &window);
	journal_window_close(journal, &window);
	/* A torn frame may lie at the head: its number is not used again (J6). */
	if (!error)
		error = journal_write_header(journal, journal->head_offset,
					     journal->next_sequence + 1);
	if (error)
		return error;
	journal->head_sequence = journal->next_sequence + 1;
	journal_forget_scan(journal);
	journal->live_bytes = 0;
	journal_uncover_all(journal);
	journal->state = ATOMICIO_JOURNAL_READY;
	journal->counters.recoveries++;
	return 0;
}

ATOMICIO_EXPORT int
atomicio_journal_recover(struct atomicio_journal *journal, atomicio_resolve *resolve, void *context,
			 const struct atomicio_recover_options *options, size_t options_size,
			 struct atomicio_recovery *recovery, size_t recovery_size)
{
	struct replay replay = {.journal = journal, .resolve = resolve, .context = context};
	struct atomicio_recover_options ours = {.flags = 0};
	int error = recovery ? abi_check(recovery, recovery_size, ABI_FIRST_RECOVERY) : 0;

	if (!error && options)
		error = abi_read(&ours, sizeof(ours), options, options_size, ABI_FIRST_RECOVER);
	if (!error && (!journal || !resolve || ours.flags || ours.choose || ours.report))
		error = -EINVAL;
	if (error)
		return error;
	pthread_mutex_lock(&journal->lock);
	journal_enter(journal);
	replay.done.tail_torn = journal->tail_torn;
	error = recover_locked(&replay);
	journal_leave(journal);
	pthread_mutex_unlock(&journal->lock);
	if (replay.targets)
		journal->sys->release_memory(replay.targets);
	if (!error && recovery)
		abi_write(recovery, recovery_size, &replay.done, sizeof(replay.done));
	return error;
}

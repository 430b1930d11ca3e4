/* SPDX-License-Identifier: MIT */
/*
 * The handle: counters, poison, bounce buffer, sync.
 *
 * Flow: below all other files of the write family.
 */
#include "write.h"

#include <errno.h>
#include <string.h>

#include "abi.h"
#include "abi_first.h"
#include "sys_cancel.h"

void write_poison(struct atomicio_file *file)
{
	atomic_store_explicit(&file->poisoned, 1, memory_order_relaxed);
}

/* Count a finished write, by device, filesystem, journal or plain. */
void write_count_done(const struct write_request *request)
{
	struct write_counters *counters = &request->file->counters;
	_Atomic uint64_t *by_path = &counters->writes_plain;

	if (request->path == ATOMICIO_PATH_KERNEL)
		by_path = request->length <= request->file->unit_max_hw
				  ? &counters->writes_hardware
				  : &counters->writes_filesystem;
	else if (request->path == ATOMICIO_PATH_JOURNAL)
		by_path = &counters->writes_journal;
	write_count(by_path, 1);
	write_count(&counters->bytes, request->length);
	if (!(request->flags & ATOMICIO_DSYNC) || request->path == ATOMICIO_PATH_JOURNAL)
		loss_note_unsynced(&request->file->loss);
}

/* A page of the file was lost: tell its journal. */
void write_lost(struct atomicio_file *file)
{
	assert(write_is_poisoned(file));
	if (file->attached)
		journal_file_lost(file->options.journal, &file->home);
}

/* JG5: a guest may have been told to come later, as the file was locked to be synced or asked. */
void write_was_asked(const struct atomicio_file *file)
{
	if (file->attached)
		journal_guest_synced(file->options.journal);
}

/* In a guest's loop, who may not wait, the write-back is only started. */
void write_back_range(const struct write_request *request)
{
	struct atomicio_file *file = request->file;

	if (request->mode & WRITE_GUEST) {
		loss_start_write_back(&file->loss, request->offset, request->length);
		return;
	}
	if (loss_write_back(&file->loss, request->offset, request->length))
		write_lost(file);
	write_was_asked(file);
}

/* Make all writes through the handle durable; the body of atomicio_sync(). */
int write_sync_file(struct atomicio_file *file)
{
	int error;

	if (write_is_poisoned(file) ||
	    (file->attached && journal_is_poisoned(file->options.journal)))
		return -ENOTRECOVERABLE;
	/* BEHIND: a page on its way would not be in the sync. */
	error = file->attached
			? journal_await_homes(file->options.journal, &file->home, 0, UINT64_MAX)
			: 0;
	if (!error)
		error = loss_sync(&file->loss, 0);
	if (error && write_is_poisoned(file))
		write_lost(file);
	write_was_asked(file);
	return error;
}

ATOMICIO_EXPORT int atomicio_settle(struct atomicio_file *file, uint64_t offset, uint64_t length)
{
	SYS_NO_CANCEL;
	uint64_t end = length ? offset + length : UINT64_MAX;

	if (!file || offset > INT64_MAX || length > INT64_MAX - offset)
		return -EINVAL;
	if (write_is_poisoned(file))
		return -ENOTRECOVERABLE;
	return file->attached ? journal_await_homes(file->options.journal, &file->home, offset, end)
			      : 0;
}

/*
 * Copy the buffer of a write into the bounce buffer, and lock it.  NULL: another write has the
 * lock, and this caller would not wait.
 */
const void *write_take_bounce(const struct write_request *request, bool may_wait)
{
	struct atomicio_file *file = request->file;

	assert(file->bounce && request->length <= file->options.bounce_max);
	if (may_wait)
		pthread_mutex_lock(&file->bounce_lock);
	else if (pthread_mutex_trylock(&file->bounce_lock))
		return NULL;
	memcpy(file->bounce, request->buffer, request->length);
	return file->bounce;
}

void write_give_bounce(struct atomicio_file *file)
{
	pthread_mutex_unlock(&file->bounce_lock);
	write_count(&file->counters.bounces, 1);
}

ATOMICIO_EXPORT int atomicio_file_get_caps(const struct atomicio_file *file,
					   struct atomicio_caps *caps, size_t caps_size)
{
	const int error = abi_check(caps, caps_size, ABI_FIRST_CAPS);

	if (error)
		return error;
	if (!file)
		return -EINVAL;
	abi_write(caps, caps_size, &file->caps, sizeof(file->caps));
	return 0;
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

ATOMICIO_EXPORT int atomicio_file_get_stats(const struct atomicio_file *file,
					    struct atomicio_stats *stats, size_t stats_size)
{
	const struct write_counters *counters;
	struct atomicio_stats ours;
	const int error = abi_check(stats, stats_size, ABI_FIRST_STATS);

	if (error)
		return error;
	if (!file)
		return -EINVAL;
	counters = &file->counters;
	ours = (struct atomicio_stats){
		.writes_hardware = read_counter(&counters->writes_hardware),
		.writes_filesystem = read_counter(&counters->writes_filesystem),
		.writes_journal = read_counter(&counters->writes_journal),
		.writes_plain = read_counter(&counters->writes_plain),
		.writes_failed = read_counter(&counters->writes_failed),
		.bytes = read_counter(&counters->bytes),
		.retries = read_counter(&counters->retries),
		.fallbacks = read_counter(&counters->fallbacks),
		.bounces = read_counter(&counters->bounces),
		.writebacks = read_counter(&counters->writebacks),
		.syncs = read_counter(&file->loss.syncs),
	};
	for (size_t i = 0; i < sizeof(ours.failures) / sizeof(ours.failures[0]); i++)
		ours.failures[i] = read_counter(&counters->failures[i]);
	abi_write(stats, stats_size, &ours, sizeof(ours));
	return 0;
}

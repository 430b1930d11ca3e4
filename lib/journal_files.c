/* SPDX-License-Identifier: MIT */
/*
 * The files attached to a journal: their identity, and the rests of closed files.
 *
 * Flow: attach and detach are called when a handle is opened and closed.
 *
 * K7: a closed handle of a failed file (journal_fail.c) leaves a rest behind: its frames, whose
 * pages were never home, are not retired.
 */
#define _GNU_SOURCE
#include "journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "abi.h"
#include "sys_cancel.h"
#include "sys_refused.h"

static bool same_inode(const struct journal_file *a, const struct journal_file *b)
{
	return a->inode == b->inode && a->device_major == b->device_major &&
	       a->device_minor == b->device_minor;
}

static bool is_rest(const struct journal_rest *rest, const struct journal_file *file)
{
	const uint32_t enough = JOURNAL_KNOWS_FS | JOURNAL_KNOWS_INODE;
	struct journal_identity now;

	if (rest->file_id == file->file_id)
		return true;
	if (rest->inode)
		return rest->inode == file->inode && rest->device_major == file->device_major &&
		       rest->device_minor == file->device_minor;
	journal_decode_file(file->row, &now);
	return (rest->identity.known & now.known & enough) == enough &&
	       !(journal_differences(&rest->identity, &now) & ~ATOMICIO_DIFFERS_UNKNOWN);
}

/* K4: the caller gave two tags, and the tags differ. */
static bool tags_differ(const struct journal_identity *then, const struct journal_identity *now)
{
	return then->known & now->known & JOURNAL_KNOWS_TAG &&
	       memcmp(then->tag, now->tag, sizeof(now->tag)) != 0;
}

static int check_tags(const struct atomicio_journal *journal, const struct journal_file *file)
{
	struct journal_identity then, now;

	journal_decode_file(file->row, &now);
	for (const struct journal_file *other = journal->files; other; other = other->next) {
		journal_decode_file(other->row, &then);
		if (other->file_id == file->file_id && tags_differ(&then, &now))
			return -EEXIST;
	}
	for (uint32_t i = 0; i < journal->scan.row_count; i++)
		if (journal->scan.rows[i].identity.file_id == file->file_id &&
		    tags_differ(&journal->scan.rows[i].identity, &now))
			return -EEXIST;
	return 0;
}

/* Each id names one file, and each file has one id: replay and J3 rely on the id. */
static int check_id(const struct atomicio_journal *journal, const struct journal_file *file)
{
	for (const struct journal_rest *rest = journal->rests; rest; rest = rest->next)
		if (is_rest(rest, file))
			return -ENOTRECOVERABLE;
	for (const struct journal_file *other = journal->files; other; other = other->next) {
		if ((other->file_id == file->file_id) != same_inode(other, file))
			return -EEXIST;
		if (other->file_id == file->file_id && other->failed)
			return -ENOTRECOVERABLE;
	}
	return 0;
}

/* Is it attached through a direct handle as well as a buffered one? */
static bool has_other_way(const struct atomicio_journal *journal, const struct journal_file *file)
{
	for (const struct journal_file *other = journal->files; other; other = other->next)
		if (other->file_id == file->file_id && other->direct != file->direct)
			return true;
	return false;
}

static void identify(const struct atomicio_journal *journal, struct journal_file *file)
{
	struct journal_identity identity = {.file_id = file->file_id};

	journal_identify(journal->sys, file->fd, &identity);
	memcpy(identity.tag, file->tag, sizeof(file->tag));
	for (size_t i = 0; i < sizeof(file->tag); i++)
		if (file->tag[i])
			identity.known |= JOURNAL_KNOWS_TAG;
	journal_encode_file(file->row, &identity);
}

int journal_attach(struct atomicio_journal *journal, struct journal_file *file)
{
	const struct sys_calls *sys = journal->sys;
	const int status = sys->getfl(file->fd);
	struct sys_statx stat;
	int error;

	file->direct = status >= 0 && status & O_DIRECT;
	identify(journal, file);
	if (journal_is_callback(journal))
		return -EDEADLK;
	if (sys_stat(sys, file->fd, SYS_STATX_BASIC, &stat) == 0 &&
	    journal_is_own_file(journal, &stat))
		return -EINVAL;
	file->rest = sys->allocate(_Alignof(struct journal_rest), sizeof(*file->rest));
	if (!file->rest)
		return -ENOMEM;
	pthread_mutex_lock(&journal->lock);
	error = check_id(journal, file);
	if (!error)
		error = check_tags(journal, file);
	if (!error && journal->share)
		error = journal_shared_check(journal, file);
	/* Writes past the journal rely on the header (H2). */
	if (!error && journal->state == ATOMICIO_JOURNAL_READY && !journal_has_no_turn(journal))
		error = journal_prove_header(journal);
	if (!error) {
		file->generation = journal->generation;
		if (journal->share)
			journal_shared_find(journal, file);
		file->two_ways = has_other_way(journal, file);
		journal->two_ways |= file->two_ways; /* for good: such files are rare */
		file->next = journal->files;
		journal->files = file;
	}
	pthread_mutex_unlock(&journal->lock);
	if (error) {
		sys->release_memory(file->rest);
		file->rest = NULL;
	}
	return error;
}

/* Leave a rest: the file's frames may not be retired before recovery. */
static void leave_rest(struct atomicio_journal *journal, struct journal_file *file)
{
	struct journal_rest *rest = file->rest;

	*rest = (struct journal_rest){
		.next = journal->rests,
		.file_id = file->file_id,
		.inode = file->inode,
		.device_major = file->device_major,
		.device_minor = file->device_minor,
	};
	journal->rests = rest;
	journal->rests_carried = false;
	file->rest = NULL;
}

void journal_forget_rests(struct atomicio_journal *journal)
{
	while (journal->rests) {
		struct journal_rest *rest = journal->rests;

		journal->rests = rest->next;
		journal->sys->release_memory(rest);
	}
}

static void await_calls(struct atomicio_journal *journal, const struct journal_file *file)
{
	journal_land(journal);
	while (file->syncing || file->homes[0] || file->homes[1]) {
		(void)journal_retire_wait(journal, JOURNAL_WAIT_FOREVER);
		journal_land(journal);
	}
}

/*
 * J10.  Where other processes may go on with the journal, the frames stay live for them to retire.
 * `left`: the frames stay live, and the error is only for the caller of close.
 */
static int retire_or_leave(struct atomicio_journal *journal, struct journal_file *file, bool *left)
{
	int error;

	if (journal->share) {
		await_calls(journal, file);
		*left = journal_has_no_turn(journal) ||
			(!journal->retiring && journal_share_is_alone(journal) != 1);
		if (*left)
			return file->failed ? -ENOTRECOVERABLE : 0;
	}
	error = journal_retire_file(journal, file);
	await_calls(journal, file);
	if (!journal->share)
		return error;
	if (error == -EBUSY && !file->failed) /* frames of a file not attached here */
		return 0;
	if (error && journal_file_is_live(file))
		journal_share_note_trouble(journal);
	return error;
}

int journal_detach(struct atomicio_journal *journal, struct journal_file *file)
{
	struct journal_file **at;
	bool left = false;
	int error;

	pthread_mutex_lock(&journal->lock);
	error = retire_or_leave(journal, file, &left);
	if (journal_file_is_live(file)) {
		if (left || (journal->share && (!error || error == -EBUSY)))
			journal_shared_leave(journal, file);
		else
			leave_rest(journal, file);
	}
	for (at = &journal->files; *at != file;)
		at = &(*at)->next;
	*at = file->next;
	pthread_cond_broadcast(&journal->changed);
	pthread_mutex_unlock(&journal->lock);
	if (file->rest)
		journal->sys->release_memory(file->rest);
	return error;
}

int journal_await_homes(struct atomicio_journal *journal, struct journal_file *file,
			uint64_t offset, uint64_t end)
{
	struct journal_extent range = {.file = file, .offset = offset, .end = end};
	const struct journal_ticket asked = {.ranges = &range, .range_count = 1};
	int error;

	pthread_mutex_lock(&journal->lock);
	journal_land(journal);
	while (journal_meets_homing(journal, &asked)) {
		(void)journal_retire_wait(journal, JOURNAL_WAIT_FOREVER);
		journal_land(journal);
	}
	error = file->failed;
	pthread_mutex_unlock(&journal->lock);
	return error;
}

bool journal_fits(const struct atomicio_journal *journal, uint64_t count, uint64_t room)
{
	return journal_frame_length(count, room) <= journal->frame_room;
}

ATOMICIO_EXPORT int atomicio_journal_checkpoint(struct atomicio_journal *journal)
{
	SYS_NO_CANCEL;
	if (!journal)
		return -EINVAL;
	return journal_is_callback(journal) ? -EDEADLK : journal_checkpoint(journal);
}

ATOMICIO_EXPORT int atomicio_journal_forget(struct atomicio_journal *journal, uint64_t file_id)
{
	SYS_NO_CANCEL;

	if (!journal || file_id == 0)
		return -EINVAL;
	if (journal_is_callback(journal))
		return -EDEADLK;
	return journal_retire_id(journal, file_id); /* J10 */
}

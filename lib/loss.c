/* SPDX-License-Identifier: MIT */
/*
 * The witness, and all syncs of data files.  The rules L1 to L9 are in loss.h.
 *
 * Flow: called by the journal's checkpoint and by the write family; calls sys alone.
 *
 * EINTR of an fdatasync has two meanings: the sync itself was cut short (a FUSE server gives up its
 * FSYNC request on a signal, or passes on an EINTR of its own), or a page is lost whose write-back
 * said EINTR (mapping_set_error() takes any errno of a FUSE server).  In the second case the
 * witness has used up its report, and asking again proves nothing.  The deputy is another
 * description with a cursor of its own, used for nothing else, and still has the report: if the
 * deputy has none, no page is lost, and the witness is asked again.  The deputy is looked at by
 * sync_file_range, which sends no request that a signal could cut short.  Exception: where the
 * pages are another inode's (overlay), sync_file_range sees no pages, and the deputy's fdatasync is
 * used.  A deputy is opened only where an fdatasync can be cut short.  ext4, XFS, btrfs and block
 * devices wait for the disk, signal or not: EINTR is a loss like every other error.
 */
#define _GNU_SOURCE
#include "loss.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "sys_refused.h"
#include "sys_reopen.h"
#include "sys_size.h"

/* Repeats of an fdatasync cut short by a signal. */
#define INTERRUPTS_MAX 32

int loss_open(struct loss *loss, const struct sys_calls *sys, int fd, int caller_fd, uint32_t flags,
	      _Atomic uint32_t *poison)
{
	struct sys_statx stat;
	uint32_t magic = 0;
	int status, mode, error;

	assert((flags & ~LOSS_NO_WITNESS) == 0);
	error = sys_stat(sys, caller_fd, SYS_STATX_BASIC, &stat);
	if (error)
		return error;
	status = sys->getfl(caller_fd);
	if (status < 0)
		return status;
	*loss = (struct loss){.sys = sys,
			      .fd = fd,
			      .caller_fd = caller_fd,
			      .home_fd = -1,
			      .witness = -1,
			      .deputy = -1,
			      .pid = sys->getpid(),
			      .poison = poison};
	pthread_mutex_init(&loss->lock, NULL); /* cannot fail without attributes */
	loss->is_device = (stat.mode & S_IFMT) == S_IFBLK;
	loss->delegates = !loss->is_device && !sys_keeps_dsync(sys, caller_fd);
	if (!loss->is_device && sys->fs_magic(caller_fd, &magic) == 0) {
		loss->stacked = magic == SYS_MAGIC_OVERLAY || magic == SYS_MAGIC_ECRYPTFS;
		loss->lies_once = magic == SYS_MAGIC_XFS;
	}
	if (flags & LOSS_NO_WITNESS)
		return 0;
	/*
	 * Where reading is allowed, not even open for writing: closing then causes no notice of a
	 * change (inotify's IN_CLOSE_WRITE, at which udev reads a whole disk's signatures).
	 */
	mode = (status & O_ACCMODE) == O_WRONLY ? O_WRONLY : O_RDONLY;
	loss->witness = sys_reopen(sys, caller_fd, mode, &stat);
	assert(loss->witness != fd && loss->witness != caller_fd); /* L1 */
	if (loss->witness >= 0 && loss->delegates)
		loss->deputy = sys_reopen(sys, caller_fd, mode, &stat);
	return 0;
}

void loss_close(struct loss *loss)
{
	pthread_mutex_lock(&loss->lock);
	loss_await_flight(loss);
	pthread_mutex_unlock(&loss->lock);
	if (loss->witness >= 0)
		loss->sys->close(loss->witness);
	if (loss->deputy >= 0)
		loss->sys->close(loss->deputy);
	pthread_mutex_destroy(&loss->lock);
}

uint64_t loss_largest_size(const struct loss *loss)
{
	if (loss->witness < 0 || loss->is_device)
		return INT64_MAX;
	return sys_largest_size(loss->sys, loss->witness);
}

/* Does the deputy hold the report of a lost page? */
static int look_at_deputy(const struct loss *loss)
{
	return loss->stacked ? loss->sys->fdatasync(loss->deputy)
			     : loss->sys->write_back(loss->deputy, 0, 0);
}

/* Sync the witness.  *lost: the error is a loss, or looks like one (L2). */
static int sync_witness(const struct loss *loss, bool *lost)
{
	int error = 0;

	for (int i = 0; i < INTERRUPTS_MAX; i++) {
		int report;

		error = loss->sys->fdatasync(loss->witness);
		*lost = error != 0;
		if (error != -EINTR || loss->deputy < 0)
			return error;
		report = look_at_deputy(loss);
		if (report)
			return report;
		*lost = false;
	}
	return error;
}

/* Sync a written description; with a witness, EINTR is for the witness to judge. */
static int sync_written(const struct loss *loss, int fd, bool witnessed, bool *lost)
{
	const bool judged = witnessed && loss->deputy >= 0;
	int error = 0;

	for (int i = 0; i < INTERRUPTS_MAX; i++) {
		error = loss->sys->fdatasync(fd);
		*lost = error && (error != -EINTR || !judged);
		if (error != -EINTR || *lost)
			return error;
	}
	return error;
}

/* One sync of every description in need. */
static int sync_once(const struct loss *loss, bool *lost)
{
	const bool witnessed = loss_may_ask_witness(loss);
	int error = 0;

	if (!witnessed || loss->delegates) {
		error = sync_written(loss, loss->fd, witnessed, lost);
		if (!error && loss->caller_fd != loss->fd)
			error = sync_written(loss, loss->caller_fd, witnessed, lost);
		if (!error && loss->home_fd >= 0)
			error = sync_written(loss, loss->home_fd, witnessed, lost);
	}
	if (!error && witnessed)
		error = sync_witness(loss, lost);
	return error;
}

static int sync_locked(struct loss *loss, uint32_t flags)
{
	bool lost = false, takes;
	const uint64_t number = loss_open_sync(loss, &takes);
	int error = sync_once(loss, &lost);

	if (!error && flags & LOSS_RETIRE && loss->lies_once) /* L6 */
		error = sync_once(loss, &lost);
	if (!(flags & LOSS_RETIRE))
		atomic_fetch_add_explicit(&loss->syncs, 1, memory_order_relaxed);
	return loss_close_sync(loss, number, takes, error, lost);
}

/*
 * Of two syncs at once the kernel reports a lost page to one alone: syncs go one by one.  Waiting
 * threads share the success of a sync begun after they came.
 */
int loss_sync(struct loss *loss, uint32_t flags)
{
	const uint64_t begun = atomic_load(&loss->begun);
	int error = 0;

	assert((flags & ~LOSS_RETIRE) == 0);
	pthread_mutex_lock(&loss->lock);
	loss_await_flight(loss); /* L9 */
	assert(loss->done <= atomic_load(&loss->begun));
	if (loss->lost)
		error = -ENOTRECOVERABLE;
	else if (loss->done <= begun || flags & LOSS_RETIRE)
		error = sync_locked(loss, flags);
	pthread_mutex_unlock(&loss->lock);
	return error;
}

/* Errors by which the kernel refuses a write before doing anything (L7). */
static bool refuses_a_write(int error)
{
	return error == -EINVAL || error == -EAGAIN || error == -EOPNOTSUPP || error == -ENOTBLK ||
	       error == -EFAULT || error == -ENOSYS || error == -EPERM || error == -EACCES;
}

/* L7: does a write wait for a flush, or did one wait when a finished call began? */
static bool waits_for_flush(const struct loss *loss, uint64_t mark)
{
	return atomic_load(&loss->unsynced) || mark & 1 || atomic_load(&loss->took) != mark;
}

bool loss_may_be_flush(const struct loss *loss, int error, uint64_t mark)
{
	return (error == -EINVAL || error == -EOPNOTSUPP) && waits_for_flush(loss, mark) &&
	       loss_may_ask_witness(loss);
}

void loss_doubt(struct loss *loss, int error)
{
	assert(error < 0);
	atomic_store(&loss->unreported, error);
}

/* May this error be a loss unknown to every witness? */
static bool is_strict(const struct loss *loss, int error, uint64_t mark)
{
	if (!loss_may_ask_witness(loss)) /* L4 */
		return true;
	return waits_for_flush(loss, mark) && !refuses_a_write(error); /* L7 */
}

/* Is a page lost?  The lock is held. */
static int ask_locked(struct loss *loss)
{
	bool lost = false;

	loss_await_flight(loss); /* L9 */
	if (!loss->lost && loss_may_ask_witness(loss)) {
		const int error = sync_witness(loss, &lost);

		if (lost)
			loss_note(loss, error);
	}
	return loss->lost;
}

int loss_ask(struct loss *loss, int error, uint64_t mark, bool may_wait)
{
	assert(error < 0);
	/* Before the lock: a sync that holds the lock and waits for the disk has to fail, too. */
	if (is_strict(loss, error, mark))
		atomic_store(&loss->unreported, error);
	if (!may_wait)
		return 0;
	pthread_mutex_lock(&loss->lock);
	error = ask_locked(loss);
	pthread_mutex_unlock(&loss->lock);
	return error;
}

/*
 * sync_file_range with a wait reports lost pages (fs/sync.c:ksys_sync_file_range, 4.13 to 7.3), to
 * the written description: the witness has its own report.  Without a witness no sync may come
 * between the report and its note.
 */
int loss_write_back(struct loss *loss, uint64_t offset, uint64_t length)
{
	int error;

	pthread_mutex_lock(&loss->lock);
	error = loss->sys->write_back(loss->fd, offset, length);
	if (error) {
		if (is_strict(loss, error, loss_mark(loss))) /* no sync came between */
			atomic_store(&loss->unreported, error);
		error = ask_locked(loss);
	}
	pthread_mutex_unlock(&loss->lock);
	return error;
}

void loss_start_write_back(struct loss *loss, uint64_t offset, uint64_t length)
{
	(void)loss->sys->start_write_back(loss->fd, offset, length);
}

/* An unknown answer counts as yes: the witness decides. */
bool loss_always_syncs(const struct loss *loss, int fd, bool may_wait)
{
	const struct sys_calls *sys = loss->sys;
	uint64_t mount;
	uint32_t inode;
	int error;

	error = sys->getfl(fd);
	if (error < 0 || error & O_DSYNC)
		return true;
	/* A block device's pages are no inode's of a filesystem. */
	if (loss->is_device)
		return false;
	if (loss->delegates && !may_wait)
		return true;
	error = sys->inode_flags(fd, &inode);
	if (error ? error != -ENOTTY && error != -EOPNOTSUPP && error != -ENOSYS
		  : inode & SYS_INODE_SYNC)
		return true;
	return sys->mount_flags(fd, &mount) || mount & SYS_MOUNT_SYNC;
}

/* SPDX-License-Identifier: MIT */
/*
 * Make, read and free a handle.
 *
 * Flow: open probes the descriptor once and lays out what the fast path of write.c will read;
 * nothing later in the write family allocates, except the list of a long batch.
 */
#define _GNU_SOURCE
#include "write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "abi.h"
#include "abi_first.h"
#include "probe.h"
#include "sys_cancel.h"
#include "sys_refused.h"
#include "sys_reopen.h"
#include "sys_size.h"

#define OPEN_FLAGS (ATOMICIO_OPEN_REOPEN_DIRECT | ATOMICIO_OPEN_NO_WITNESS | ATOMICIO_OPEN_LOCK)

static int check_options(struct atomicio_options *options)
{
	if (options->reserved || options->flags & ~OPEN_FLAGS)
		return -EINVAL;
	if (options->fallback > ATOMICIO_FALLBACK_PLAIN || options->path > ATOMICIO_PATH_JOURNAL)
		return -EINVAL;
	if (options->retries_max > WRITE_RETRIES_LIMIT || options->bounce_max > WRITE_BOUNCE_LIMIT)
		return -EINVAL;
	if (!options->journal && (options->fallback == ATOMICIO_FALLBACK_JOURNAL ||
				  options->path == ATOMICIO_PATH_JOURNAL))
		return -EINVAL;
	if (options->journal && options->file_id == 0)
		return -EINVAL;
	if (!options->policy)
		options->policy = atomicio_policy_default;
	if (options->retries_max == 0)
		options->retries_max = WRITE_RETRIES_DEFAULT;
	if (options->fallback == ATOMICIO_FALLBACK_DEFAULT)
		options->fallback =
			options->journal ? ATOMICIO_FALLBACK_JOURNAL : ATOMICIO_FALLBACK_NONE;
	return 0;
}

/* Make a direct description of our own, for untorn writes. */
static int reopen_direct(struct atomicio_file *file, int status)
{
	const struct sys_calls *sys = file->sys;
	/* Our writes are as durable as writes through the caller's. */
	const int flags = (status & (O_ACCMODE | O_DSYNC | O_SYNC)) | O_DIRECT;
	const int fd = sys_reopen(sys, file->caller_fd, flags, NULL);
	int error;

	if (fd < 0)
		return fd;
	error = probe_file(sys, fd, &file->caps);
	if (error) {
		sys->close(fd);
		return error;
	}
	file->fd = fd;
	file->own_fd = true;
	return 0;
}

/* The kernel path is closed, whatever the probe says. */
static void take_no_writes(struct atomicio_file *file, uint64_t reason)
{
	file->limits = (struct write_limits){.memory_align = file->limits.memory_align};
	file->unit_max_hw = 0;
	file->caps.reasons |= reason;
}

/* A filesystem with a decision at each call: see write_look.c. */
static void prepare_inode(struct atomicio_file *file)
{
	const uint64_t reason = file->limits.unit_max ? write_look_open(file) : 0;

	if (reason)
		take_no_writes(file, reason);
}

/* Needs of a raw device: see write_device.c. */
static void prepare_device(struct atomicio_file *file)
{
	const struct sys_calls *sys = file->sys;
	const struct iovec nothing = {.iov_base = NULL, .iov_len = 3};
	struct sys_cachestat pages;

	file->is_device = true;
	file->looks = WRITE_LOOK_DEVICE;
	/* Without cachestat() no success could be proven. */
	if (sys->cachestat(file->fd, 0, 1, &pages) < 0) {
		take_no_writes(file, ATOMICIO_REASON_CACHED_PAGES);
		return;
	}
	/* As the probe's confirming call: a length of 3 is refused, the flags are judged first. */
	file->device_nowait =
		sys->pwritev2(file->fd, &nothing, 1, 0,
			      SYS_RWF_ATOMIC | SYS_RWF_NOAPPEND | SYS_RWF_NOWAIT) == -EINVAL;
}

/* Shapes for one call alone: see also may_be_cut() in write_check.c. */
static void prepare_fast(struct atomicio_file *file)
{
	struct write_limits *fast = &file->fast;

	*fast = file->limits;
	if (fast->memory_align < fast->unit_min)
		fast->memory_align = fast->unit_min;
	if (file->limited || file->looks || file->options.journal ||
	    fast->unit_min > WRITE_PAGE_MIN || file->size_max != INT64_MAX)
		fast->unit_max = 0;
	/* Nothing is fast: no length, not even 0, is between 1 and 0. */
	if (fast->unit_max == 0)
		fast->unit_min = 1;
}

/* From the verdict to the numbers checked before each write. */
static int prepare_limits(struct atomicio_file *file)
{
	const struct atomicio_limits *direct = &file->caps.direct;
	uint64_t limit;
	int error;

	file->limits.memory_align = file->caps.memory_align ? file->caps.memory_align : 1;
	if (!(file->caps.reasons & ATOMICIO_REASON_NOT_DIRECT)) {
		file->limits.unit_min = direct->unit_min;
		file->limits.unit_max = direct->unit_max;
		file->unit_max_hw = direct->unit_max_hw;
	}
	/* RWF_ATOMIC (6.11) came after RWF_NOAPPEND (6.9). */
	file->plain_noappend = (file->caps.kernel_major > 6 ||
				(file->caps.kernel_major == 6 && file->caps.kernel_minor >= 9)) &&
			       sys_keeps_noappend(file->sys, file->caller_fd);
	error = file->sys->file_size_limit(&limit);
	if (error)
		return error;
	file->limited = limit != UINT64_MAX;
	if (file->caps.file_mode == S_IFBLK)
		prepare_device(file);
	else
		prepare_inode(file);
	return 0;
}

static int open_loss(struct atomicio_file *file)
{
	const bool none = file->options.flags & ATOMICIO_OPEN_NO_WITNESS;
	const int error = loss_open(&file->loss, file->sys, file->fd, file->caller_fd,
				    none ? LOSS_NO_WITNESS : 0, &file->poisoned);

	file->has_loss = !error;
	if (error)
		return error;
	if (!loss_has_witness(&file->loss))
		file->caps.reasons |= ATOMICIO_REASON_NO_WITNESS;
	file->size_max = loss_largest_size(&file->loss);
	/* Without a witness our own description will do. */
	if (!loss_has_witness(&file->loss) && file->own_fd)
		file->size_max = sys_largest_size(file->sys, file->fd);
	return 0;
}

/*
 * Lock the written descriptions.  The kernel gives a flock up when the description's last user is
 * gone, and a write on its way is a user; record locks go with the process (fs/locks.c:
 * locks_remove_flock and locks_remove_posix, io_uring/io_uring.c; seen on 6.18).  No code of ours
 * gives a flock up: a description has one flock, and no count of holders.  An unlock would take the
 * flock from another handle on the descriptor, or from the parent of a forked child.
 */
static int lock_descriptions(struct atomicio_file *file)
{
	const struct sys_calls *sys = file->sys;
	int error;

	if (!(file->options.flags & ATOMICIO_OPEN_LOCK))
		return 0;
	error = sys->lock_shared(file->caller_fd);
	/* Our own description needs its own flock. */
	if (!error && file->own_fd)
		error = sys->lock_shared(file->fd);
	return error == -EWOULDBLOCK ? -EBUSY : error;
}

static int prepare(struct atomicio_file *file)
{
	const struct sys_calls *sys = file->sys;
	struct sys_statx stat;
	int status, error;

	/* Before any description is opened: its close would drop the journal's record locks. */
	if (file->options.journal && sys_stat(sys, file->fd, SYS_STATX_BASIC, &stat) == 0 &&
	    journal_is_own_file(file->options.journal, &stat))
		return -EINVAL;
	error = probe_file(sys, file->fd, &file->caps);
	if (error)
		return error;
	status = sys->getfl(file->fd);
	if (status < 0)
		return status;
	/* Access mode 3 is neither read-only nor writable. */
	if ((status & O_ACCMODE) != O_WRONLY && (status & O_ACCMODE) != O_RDWR)
		return -EBADF;
	if (file->caps.reasons & ATOMICIO_REASON_IMMUTABLE)
		return -EPERM;
	if ((file->options.flags & ATOMICIO_OPEN_REOPEN_DIRECT) &&
	    (file->caps.reasons & ATOMICIO_REASON_NOT_DIRECT) && reopen_direct(file, status))
		file->caps.reasons |= ATOMICIO_REASON_REOPEN_FAILED;
	error = lock_descriptions(file);
	if (!error)
		error = prepare_limits(file);
	if (!error)
		error = open_loss(file);
	if (!error)
		error = write_attach(file, status);
	if (error)
		return error;
	prepare_fast(file);
	write_plain_open(file, status);
	if (file->options.bounce_max) {
		const size_t align = file->limits.memory_align > WRITE_BOUNCE_ALIGN
					     ? file->limits.memory_align
					     : WRITE_BOUNCE_ALIGN;

		file->bounce = sys->allocate(align, file->options.bounce_max);
		if (!file->bounce)
			return -ENOMEM;
	}
	return 0;
}

static int destroy(struct atomicio_file *file)
{
	const struct sys_calls *sys = file->sys;
	int error = 0;

	if (file->attached)
		error = journal_detach(file->options.journal, &file->home);
	if (file->home.own_fd)
		sys->close(file->home.fd);
	if (file->has_loss)
		loss_close(&file->loss);
	if (file->own_fd)
		sys->close(file->fd);
	if (file->bounce)
		sys->release_memory(file->bounce);
	pthread_mutex_destroy(&file->bounce_lock);
	sys->release_memory(file);
	return error;
}

int write_open(const struct sys_calls *sys, int fd, const struct atomicio_options *options,
	       size_t options_size, struct atomicio_file **file)
{
	struct atomicio_options ours = {.policy = NULL};
	struct atomicio_file *made;
	int error = 0;

	if (!file)
		return -EFAULT;
	if (options)
		error = abi_read(&ours, sizeof(ours), options, options_size, ABI_FIRST_OPTIONS);
	if (!error)
		error = check_options(&ours);
	if (error)
		return error;
	made = sys->allocate(_Alignof(struct atomicio_file) < 64 ? 64
								 : _Alignof(struct atomicio_file),
			     sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->sys = sys;
	made->fd = made->caller_fd = fd;
	made->options = ours;
	pthread_mutex_init(&made->bounce_lock, NULL); /* cannot fail without attributes */
	error = prepare(made);
	if (error) {
		(void)destroy(made); /* nothing was written through it */
		return error;
	}
	*file = made;
	return 0;
}

ATOMICIO_EXPORT int atomicio_open(int fd, const struct atomicio_options *options,
				  size_t options_size, struct atomicio_file **file)
{
	SYS_NO_CANCEL;
	return write_open(&sys_linux, fd, options, options_size, file);
}

ATOMICIO_EXPORT int atomicio_close(struct atomicio_file *file)
{
	SYS_NO_CANCEL;

	if (!file)
		return 0;
	if (file->attached && journal_guest_uses(file->options.journal, &file->home))
		return -EBUSY; /* nothing is freed that an entry of a ring may still need */
	return destroy(file);
}

/* SPDX-License-Identifier: MIT */
/* Stand-ins for refused calls.  See sys_refused.h for the rules. */
#include "sys_refused.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define RELEASE_MAX 64

bool sys_refuses_pwritev2(const struct sys_calls *sys, int fd, ssize_t error)
{
	const struct iovec nothing = {.iov_base = NULL, .iov_len = 0};

	if (error >= 0 || error == -EBADF || error == -EINVAL || error == -EAGAIN)
		return false;
	return sys->pwritev2(fd, &nothing, 0, 0, 0) == error;
}

/* "4.4.0": does this kernel's pwritev2 know no flags at all?  RWF_DSYNC came with 4.7. */
static bool knows_no_flags(const struct sys_calls *sys)
{
	char release[RELEASE_MAX];
	char *minor;
	long major;

	if (sys->release(release, sizeof(release)) < 0)
		return false;
	major = strtol(release, &minor, 10);
	if (minor == release || *minor != '.')
		return false;
	return major < 4 || (major == 4 && strtol(minor + 1, NULL, 10) < 7);
}

/* The vectors one by one; a short result ends the call, as for pwritev2. */
static ssize_t write_each(const struct sys_calls *sys, int fd, const struct iovec *vector,
			  int count, uint64_t offset)
{
	ssize_t done = 0;

	for (int i = 0; i < count; i++) {
		const ssize_t result = sys->pwrite(fd, vector[i].iov_base, vector[i].iov_len,
						   offset + (uint64_t)done);

		if (result < 0)
			return done ? done : result;
		done += result;
		if ((size_t)result != vector[i].iov_len)
			break;
	}
	return done;
}

/* SR2 */
static ssize_t write_without_flags(const struct sys_calls *sys, int fd, const struct iovec *vector,
				   int count, uint64_t offset, int rwf)
{
	const int status = sys->getfl(fd);
	ssize_t result;
	int error;

	if (status < 0)
		return status;
	if (status & O_APPEND || rwf & ~(SYS_RWF_DSYNC | SYS_RWF_NOAPPEND))
		return -EOPNOTSUPP;
	result = write_each(sys, fd, vector, count, offset);
	if (result <= 0 || !(rwf & SYS_RWF_DSYNC))
		return result;
	error = sys->fdatasync(fd);
	return error ? error : result;
}

ssize_t sys_write_at(const struct sys_calls *sys, int fd, const struct iovec *vector, int count,
		     uint64_t offset, int rwf)
{
	const ssize_t result = sys->pwritev2(fd, vector, count, offset, rwf);

	assert(!(rwf & SYS_RWF_ATOMIC));
	if (result >= 0)
		return result;
	if (!sys_refuses_pwritev2(sys, fd, result) &&
	    !(result == -EOPNOTSUPP && rwf && knows_no_flags(sys)))
		return result;
	return write_without_flags(sys, fd, vector, count, offset, rwf);
}

/* Facts a write needs and fstat lacks; the bits are statx's attributes. */
static void add_attributes(const struct sys_calls *sys, int fd, struct sys_statx *out)
{
	const uint32_t both = SYS_STATX_ATTR_IMMUTABLE | SYS_STATX_ATTR_APPEND;
	uint32_t flags;

	static_assert(SYS_INODE_IMMUTABLE == SYS_STATX_ATTR_IMMUTABLE, "the same bit");
	static_assert(SYS_INODE_APPEND == SYS_STATX_ATTR_APPEND, "the same bit");
	if (sys->inode_flags(fd, &flags))
		return;
	out->attributes = flags & both;
	out->attributes_mask = both;
}

int sys_stat(const struct sys_calls *sys, int fd, uint32_t mask, struct sys_statx *out)
{
	const int error = sys->statx(fd, "", mask, out);

	if (!error || error == -EBADF)
		return error;
	/* The first error counts: fstat's would only repeat it. */
	if (sys->fstat(fd, out))
		return error;
	out->mask |= SYS_STATX_STAND_IN;
	add_attributes(sys, fd, out);
	return 0;
}

int sys_random_bytes(const struct sys_calls *sys, void *buffer, size_t length)
{
	const int refused = sys->random(buffer, length);
	ssize_t result;
	int fd;

	if (!refused)
		return 0;
	fd = sys->open("/dev/urandom", O_RDONLY);
	if (fd < 0)
		return refused;
	result = sys->read(fd, buffer, length);
	sys->close(fd);
	return result == (ssize_t)length ? 0 : refused;
}

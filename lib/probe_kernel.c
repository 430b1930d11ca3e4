/* SPDX-License-Identifier: MIT */
/*
 * Ask the running kernel: its release, how the descriptor is open, and the confirming call.
 *
 * Flow: steps of a probe (probe.c); judged in probe_verdict.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>

#include "probe_internal.h"

#define RELEASE_MAX 64
#define NUMBER_MAX 65535u

/* Parse one number of a release and step behind it; false: no number. */
static bool parse_number(const char **text, uint32_t *number)
{
	const char *at = *text;
	uint32_t value = 0;

	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		value = value * 10 + (uint32_t)(*at - '0');
		if (value > NUMBER_MAX)
			return false;
	}
	*text = at;
	*number = value;
	return true;
}

/* "6.18.44-custom", "6.16-rc1", "7.0": all or nothing, the third number being optional. */
void probe_release(struct probe *probe)
{
	struct atomicio_caps *caps = &probe->caps;
	char release[RELEASE_MAX];
	const char *at = release;
	uint32_t major, minor, patch = 0;

	if (probe->sys->release(release, sizeof(release)) < 0)
		return;
	if (!parse_number(&at, &major) || *at++ != '.' || !parse_number(&at, &minor))
		return;
	if (*at == '.') {
		at++;
		if (!parse_number(&at, &patch))
			return;
	}
	caps->kernel_major = major;
	caps->kernel_minor = minor;
	caps->kernel_patch = patch;
}

int probe_flags(struct probe *probe)
{
	const int flags = probe->sys->getfl(probe->fd);
	int access;

	if (flags < 0)
		return flags;
	if (flags & O_PATH)
		return -EBADF;
	if (!(flags & O_DIRECT))
		probe->caps.reasons |= ATOMICIO_REASON_NOT_DIRECT;
	/* The fourth access mode, 3, allows neither reading nor writing. */
	access = flags & O_ACCMODE;
	probe->writable = access == O_WRONLY || access == O_RDWR;
	if (!probe->writable)
		probe->caps.reasons |= ATOMICIO_REASON_READ_ONLY;
	return 0;
}

/*
 * Three bytes are no power of two.  A file with RWF_ATOMIC refuses them with EINVAL; a file without
 * says EOPNOTSUPP before a look at the length (fs.h:kiocb_set_rw_flags and
 * fs/read_write.c:generic_atomic_write_valid, 6.11 to 7.3).  Both answers come before any write,
 * and nothing could be written: the buffer is NULL.  Length 0 would not do, because pwritev2 then
 * returns before a look at the flags.
 *
 * Kernels before 4.13 answer EINVAL to every unknown flag: the confirming call alone never says yes
 * (P1).  Like every write, the call waits while the filesystem is frozen.
 *
 * Every untorn write carries RWF_NOAPPEND, and the confirming call does, too: the combination is
 * confirmed.
 */
void probe_confirm(struct probe *probe)
{
	const struct iovec vector = {.iov_base = NULL, .iov_len = 3};
	ssize_t result;

	if (probe->writable) {
		result = probe->sys->pwritev2(probe->fd, &vector, 1, 0,
					      SYS_RWF_ATOMIC | SYS_RWF_NOAPPEND);
		probe->caps.confirm_result = (int32_t)result;
		if (result == -EINVAL || result == -EOPNOTSUPP || result >= 0) {
			probe->caps.evidence |= ATOMICIO_EVIDENCE_CONFIRM;
			return;
		}
	}
	probe->caps.reasons |= ATOMICIO_REASON_UNCONFIRMED;
}

/* SPDX-License-Identifier: MIT */
/* The kernel's AIO over the fake disk.  See fake_aio.h. */
#include "fake_aio.h"

#include <errno.h>
#include <string.h>

#include "fake_disk.h"
#include "fake_machine.h"

#define AIR_MAX 1024u

static struct {
	aio_context_t context;
	struct iocb block;
} air[AIR_MAX];

struct fake_aio fake_aio;

void fake_aio_reset(void)
{
	memset(&fake_aio, 0, sizeof(fake_aio));
}

static int once(int *field)
{
	const int result = *field;

	*field = 0;
	return fake_answer(result);
}

static int fake_setup(uint32_t depth, aio_context_t *context)
{
	const int result = fake_answer(fake_aio.setup_result);

	(void)depth;
	fake_aio.setups++;
	if (result == 0)
		*context = ++fake_aio.contexts;
	return result;
}

static int fake_submit(aio_context_t context, uint32_t count, struct iocb **list)
{
	const int result = once(&fake_aio.submit_once);

	fake_aio.submits++;
	if (result < 0)
		return result;
	if (fake_aio.most && count > fake_aio.most)
		count = fake_aio.most;
	if (fake_aio.in_air + count > AIR_MAX)
		return -EAGAIN;
	for (uint32_t i = 0; i < count; i++) {
		air[fake_aio.in_air].context = context;
		air[fake_aio.in_air++].block = *list[i];
	}
	if (fake_aio.in_air > fake_aio.air_max)
		fake_aio.air_max = fake_aio.in_air;
	return (int)count;
}

/* A4 */
static int64_t read_some(int fd, const struct iovec *into, uint64_t offset)
{
	const ssize_t result = disk_calls->pread(fd, into->iov_base, into->iov_len, offset);

	if (++fake_aio.read != fake_aio.spoil || result <= 0)
		return result;
	if (fake_aio.spoil_result)
		return fake_aio.spoil_result;
	((uint8_t *)into->iov_base)[result - 1] ^= 1;
	return result;
}

static int64_t perform(const struct iocb *block)
{
	const struct iovec one = {.iov_base = (void *)(uintptr_t)block->aio_buf,
				  .iov_len = block->aio_nbytes};
	const int fd = (int)block->aio_fildes, flags = (int)block->aio_rw_flags;
	const uint64_t offset = (uint64_t)block->aio_offset;

	fake_aio.made += block->aio_lio_opcode == IOCB_CMD_PWRITE ||
			 block->aio_lio_opcode == IOCB_CMD_PWRITEV;
	switch (block->aio_lio_opcode) {
	case IOCB_CMD_FDSYNC:
		fake_aio.syncs++;
		return disk_calls->fdatasync(fd);
	case IOCB_CMD_PREAD:
		return read_some(fd, &one, offset);
	case IOCB_CMD_PWRITE:
		return disk_calls->pwritev2(fd, &one, 1, offset, flags);
	case IOCB_CMD_PWRITEV:
		return disk_calls->pwritev2(fd, (const struct iovec *)(uintptr_t)block->aio_buf,
					    (int)block->aio_nbytes, offset, flags);
	default:
		return -EINVAL;
	}
}

/* Make the last request of this context, if any (A1). */
static int land(aio_context_t context, struct io_event *event)
{
	for (uint32_t i = fake_aio.in_air; i-- > 0;) {
		const struct iocb block = air[i].block;

		if (air[i].context != context)
			continue;
		fake_aio.in_air--;
		memmove(&air[i], &air[i + 1], (fake_aio.in_air - i) * sizeof(air[0]));
		event->data = block.aio_data;
		event->res = perform(&block);
		return 1;
	}
	return 0;
}

static int fake_reap(aio_context_t context, uint32_t least, uint32_t most, struct io_event *events,
		     uint32_t milliseconds)
{
	const int result = fake_aio.reap_result ? fake_answer(fake_aio.reap_result)
						: once(&fake_aio.reap_once);
	int made = 0;

	fake_aio.reaps++;
	if (result < 0)
		return result;
	if (milliseconds != SYS_AIO_FOREVER && fake_aio.slow) { /* A3 */
		fake_aio.slow -= fake_aio.slow != FAKE_AIO_NEVER;
		return 0;
	}
	/* A call that does not wait gets the ended requests: all, except slow ones. */
	while (made < (int)(least ? least : most) && land(context, &events[made]))
		made++;
	return made;
}

static int fake_destroy(aio_context_t context)
{
	const int result = fake_answer(0);
	struct io_event ignored;

	if (result < 0)
		return result;
	if (fake_aio.destroy_failures) {
		fake_aio.destroy_failures--;
		return fake_aio.destroy_result;
	}
	while (land(context, &ignored))
		;
	fake_aio.contexts--;
	return 0;
}

const struct sys_aio_calls fake_aio_calls = {
	.setup = fake_setup,
	.destroy = fake_destroy,
	.submit = fake_submit,
	.reap = fake_reap,
};

/* SPDX-License-Identifier: MIT */
/*
 * A batch: several writes in one call, each with its own result.
 *
 * Flow: above atomicio_write(); without a queue the ops run one by one.
 */
#include "write.h"

#include <errno.h>

#include "abi.h"

#define BATCH_FLAGS (ATOMICIO_DSYNC | ATOMICIO_NOWAIT | ATOMICIO_ALL_OR_NONE)

static int check_batch(const struct atomicio_op *ops, uint32_t count, uint32_t flags)
{
	if (!ops || count == 0 || flags & ~BATCH_FLAGS)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++)
		if (!ops[i].file || ops[i].reserved)
			return -EINVAL;
	return flags & ATOMICIO_ALL_OR_NONE ? -EOPNOTSUPP : 0;
}

ATOMICIO_EXPORT int atomicio_write_batch(struct atomicio_queue *queue, struct atomicio_op *ops,
					 uint32_t count, uint32_t flags)
{
	int error = queue ? -EOPNOTSUPP : check_batch(ops, count, flags);

	if (error)
		return error;
	for (uint32_t i = 0; i < count; i++) {
		struct atomicio_op *op = &ops[i];

		op->result = op->length > SIZE_MAX
				     ? -EINVAL
				     : atomicio_write(op->file, op->buffer, (size_t)op->length,
						      op->offset, flags);
		if (op->result && !error)
			error = op->result;
	}
	return error;
}

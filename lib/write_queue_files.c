/* SPDX-License-Identifier: MIT */
/*
 * The files of a durable batch: the writes that share an fdatasync(2), and the fdatasync.
 *
 * Flow: write_queue.c counts the files before the ring has the writes and syncs them after.
 *
 * A file with one write gets RWF_DSYNC.  A file with more gets plain untorn writes and a single
 * fdatasync(2) when all are done: one log force and one flush instead of many (on XFS over a loop
 * device, 16 KiB: see tests/bench/queue.sh).  Beyond QUEUE_FILES_MAX files of a batch each write
 * gets RWF_DSYNC.
 */
#include "write_queue.h"

#include <errno.h>

/* The file's row, NULL: none. */
static struct queue_file *find(struct atomicio_queue *queue, const struct atomicio_file *file)
{
	if (queue->file_hint < queue->file_count && queue->files[queue->file_hint].file == file)
		return &queue->files[queue->file_hint];
	for (uint32_t i = 0; i < queue->file_count; i++) {
		if (queue->files[i].file != file)
			continue;
		queue->file_hint = i;
		return &queue->files[i];
	}
	return NULL;
}

bool write_queue_syncs(struct atomicio_queue *queue, const struct atomicio_file *file)
{
	const struct queue_file *row = find(queue, file);

	return row && row->writes > 1;
}

/* Count the writes to make durable, by file. */
void write_queue_count_files(struct atomicio_queue *queue, const struct atomicio_op *ops,
			     uint32_t count)
{
	queue->file_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct queue_file *row;

		if (ops[i].result != WRITE_PENDING)
			continue;
		row = find(queue, ops[i].file);
		if (!row) {
			if (queue->file_count == QUEUE_FILES_MAX)
				continue;
			row = &queue->files[queue->file_count++];
			*row = (struct queue_file){.file = ops[i].file};
		}
		row->writes++;
	}
}

/* Make the unsynced durable, one call a file, and give each op its result. */
void write_queue_sync_files(struct atomicio_queue *queue, struct atomicio_op *ops, uint32_t count)
{
	struct queue_file *row;

	for (uint32_t i = 0; i < count; i++) {
		row = ops[i].result > WRITE_PENDING ? find(queue, ops[i].file) : NULL;
		if (row)
			row->unsynced = true;
	}
	for (uint32_t i = 0; i < queue->file_count; i++) {
		if (!queue->files[i].unsynced)
			continue;
		queue->files[i].error = write_sync_file(queue->files[i].file);
		write_count(&queue->counters.syncs, 1);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct atomicio_op *op = &ops[i];
		const struct write_request done = {
			.file = op->file,
			.length = op->length,
			.flags = ATOMICIO_DSYNC, /* nothing waits for a flush (L7) */
			.path = (uint32_t)(op->result - WRITE_UNSYNCED(0)),
		};

		if (op->result <= WRITE_PENDING)
			continue;
		row = find(queue, op->file);
		op->result = row ? row->error : -EIO; /* only files with a row sync later */
		if (op->result)
			write_count(&op->file->counters.writes_failed, 1);
		else
			write_count_done(&done);
	}
}

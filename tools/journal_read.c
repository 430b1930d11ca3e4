/* SPDX-License-Identifier: MIT */
/*
 * Read a journal's headers and ring.  See journal_read.h for the rules, and atomicio-journal(5) for
 * the format.
 *
 * The ring is read from the tail to its end, then from its start to the tail, through a window.  A
 * whole frame is stepped over: no payload is taken for a frame.
 */
#define _GNU_SOURCE
#include "journal_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Read at one time, at least. */
#define WINDOW (UINT64_C(1) << 20)
/*
 * Blocks that look like frames and are none cost a look each; this multiple of the size is enough.
 */
#define CHECKED_MAX 16

/* The disk's or filesystem's words for "this place cannot be read". */
static bool is_unreadable(int error)
{
	return error == -EIO || error == -ENODATA || error == -EREMOTEIO || error == -EILSEQ ||
	       error == -ETIMEDOUT || error == -EUCLEAN || error == -EBADMSG;
}

/*
 * Read all of a range that the journal has; a file that ends before is too short.  A device whose
 * logical block is larger than ours refuses direct reads of one of ours: then the page cache
 * serves.
 */
static int read_all(const struct reader *reader, uint8_t *bytes, uint64_t length, uint64_t offset)
{
	while (length) {
		const ssize_t count = pread(reader->fd, bytes, (size_t)length, (off_t)offset);
		const int flags = count < 0 && errno == EINVAL ? fcntl(reader->fd, F_GETFL) : 0;

		if (flags > 0 && flags & O_DIRECT && !fcntl(reader->fd, F_SETFL, flags & ~O_DIRECT))
			continue;
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return is_unreadable(-errno) ? -EIO : -errno;
		if (!count)
			return -ERANGE;
		bytes += count;
		offset += (uint64_t)count;
		length -= (uint64_t)count;
	}
	return 0;
}

/* The header that counts, or why none does. */
static int choose(struct reader *reader)
{
	const struct reader_header *first = &reader->headers[0], *second = &reader->headers[1];
	const bool good[2] = {first->condition == READER_HEADER_GOOD,
			      second->condition == READER_HEADER_GOOD};

	if (first->condition == READER_HEADER_VERSION || second->condition == READER_HEADER_VERSION)
		return -EPROTONOSUPPORT;
	if (good[0] && good[1] && memcmp(first->id, second->id, sizeof(first->id)) != 0)
		return -EBADMSG;
	if (good[0] || good[1]) {
		const bool newer = good[1] && second->generation > first->generation;

		reader->header = good[0] && !newer ? first : second;
		return 0;
	}
	if (first->condition == READER_HEADER_ABSENT && second->condition == READER_HEADER_ABSENT)
		return -ENODATA;
	if (first->condition == READER_HEADER_DAMAGED || second->condition == READER_HEADER_DAMAGED)
		return -EBADMSG;
	return -EIO;
}

int reader_open(int fd, struct reader *reader)
{
	uint8_t *blocks = aligned_alloc(READER_BLOCK, (size_t)2 * READER_BLOCK);
	off_t size;
	int error = blocks ? 0 : -ENOMEM;

	memset(reader, 0, sizeof(*reader));
	reader->fd = fd;
	for (size_t i = 0; i < 2 && !error; i++) {
		uint8_t *block = blocks + i * READER_BLOCK;

		reader->headers[i].condition = READER_HEADER_ABSENT;
		error = read_all(reader, block, READER_BLOCK, i * READER_BLOCK);
		if (error == -EIO)
			reader->headers[i].condition = READER_HEADER_UNREADABLE;
		else if (!error)
			reader_decode_header(block, &reader->headers[i]);
		/* -ERANGE: the file ends before this block: no header. */
		error = error == -EIO || error == -ERANGE ? 0 : error;
	}
	if (!error)
		error = choose(reader);
	if (!error)
		reader->equal = reader->headers[0].condition == READER_HEADER_GOOD &&
				!memcmp(blocks, blocks + READER_BLOCK, READER_BLOCK);
	free(blocks);
	if (error)
		return error;
	size = lseek(fd, 0, SEEK_END);
	if (size < 0 || (uint64_t)size < reader->header->size)
		return size < 0 ? -errno : -ERANGE;
	reader->window_room = reader->header->frame_max + WINDOW;
	if (reader->window_room > reader->header->size)
		reader->window_room = reader->header->size;
	reader->bytes = aligned_alloc(READER_BLOCK, reader->window_room);
	return reader->bytes ? 0 : -ENOMEM;
}

void reader_close(struct reader *reader)
{
	free(reader->bytes);
	free(reader->frames);
	free(reader->unreadable);
	reader->bytes = NULL;
	reader->frames = NULL;
	reader->unreadable = NULL;
}

/* Append to an array that doubles. */
static int grow(void **array, uint32_t count, uint32_t *room, size_t size)
{
	const uint32_t wanted = *room ? *room * 2 : 64;
	void *larger;

	if (count < *room)
		return 0;
	larger = reallocarray(*array, wanted, size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	*room = wanted;
	return 0;
}

/* JR3.  A window may be read twice where two of them overlap. */
static int note_unreadable(struct reader *reader, uint64_t offset)
{
	struct reader_range *ranges = reader->unreadable;
	int error;

	for (uint32_t i = 0; i < reader->unreadable_count; i++)
		if (offset >= ranges[i].offset && offset - ranges[i].offset < ranges[i].length)
			return 0;
	if (reader->unreadable_count) {
		struct reader_range *last = &ranges[reader->unreadable_count - 1];

		if (last->offset + last->length == offset) {
			last->length += READER_BLOCK;
			return 0;
		}
	}
	error = grow((void **)&reader->unreadable, reader->unreadable_count,
		     &reader->unreadable_room, sizeof(*ranges));
	if (!error)
		reader->unreadable[reader->unreadable_count++] =
			(struct reader_range){offset, READER_BLOCK};
	return error;
}

/* Have `length` bytes at `offset` in the window, which goes no farther than `end`. */
static int look(struct reader *reader, uint64_t offset, uint64_t length, uint64_t end,
		const uint8_t **bytes)
{
	const uint64_t room =
		end - offset < reader->window_room ? end - offset : reader->window_room;
	int error;

	if (offset < reader->window_offset ||
	    offset + length > reader->window_offset + reader->window_length) {
		reader->window_length = 0;
		error = read_all(reader, reader->bytes, room, offset);
		for (uint64_t at = 0; error == -EIO && at < room; at += READER_BLOCK) {
			const int one =
				read_all(reader, reader->bytes + at, READER_BLOCK, offset + at);

			if (one && one != -EIO)
				return one;
			if (!one)
				continue;
			memset(reader->bytes + at, 0, READER_BLOCK);
			if (note_unreadable(reader, offset + at))
				return -ENOMEM;
		}
		if (error && error != -EIO)
			return error;
		reader->window_offset = offset;
		reader->window_length = room;
	}
	*bytes = reader->bytes + (offset - reader->window_offset);
	return 0;
}

int reader_frame_bytes(struct reader *reader, const struct reader_frame *frame,
		       const uint8_t **bytes)
{
	return look(reader, frame->offset, frame->length, frame->offset + frame->length, bytes);
}

/* Look at the frame that may start at `at`: how far to step. */
static int take(struct reader *reader, struct reader_frame *frame, uint64_t end, uint64_t *step)
{
	const uint8_t *bytes;
	int error;

	if (reader->checked / CHECKED_MAX > reader->header->size) {
		reader->disordered = true;
		*step = end - frame->offset;
		return 0;
	}
	error = look(reader, frame->offset, frame->length, end, &bytes);
	if (error)
		return error;
	reader->checked += frame->length;
	reader_check_frame(bytes, frame);
	if (frame->whole)
		*step = frame->length;
	if (frame->sequence < reader->header->tail_sequence)
		return 0; /* retired */
	error = grow((void **)&reader->frames, reader->count, &reader->room, sizeof(*frame));
	if (!error)
		reader->frames[reader->count++] = *frame;
	return error;
}

static int scan(struct reader *reader, uint64_t start, uint64_t end)
{
	uint64_t step;

	for (uint64_t at = start; at < end && !reader->disordered; at += step) {
		struct reader_frame frame;
		const uint8_t *bytes;
		int error = look(reader, at, READER_BLOCK, end, &bytes);

		step = READER_BLOCK;
		if (!error && reader_decode_frame(reader->header, bytes, at, &frame) &&
		    frame.length <= end - at)
			error = take(reader, &frame, end, &step);
		if (error)
			return error;
	}
	return 0;
}

int reader_scan(struct reader *reader)
{
	const struct reader_header *header = reader->header;
	int error = 0;

	if (!(header->flags & READER_CLEAN)) {
		error = scan(reader, header->tail_offset, header->size);
		if (!error)
			error = scan(reader, READER_RING, header->tail_offset);
	}
	if (!error)
		reader_judge(reader);
	return error;
}

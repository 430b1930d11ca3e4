/* SPDX-License-Identifier: MIT */
/*
 * Guests, first half: gather pages, and give their frame its number and place.
 *
 * Flow: see journal_guest.h.  A page is copied and checksummed here, with only the open frame's
 * lock held: the caller's buffer is free at once.  No call here reads or writes the journal.
 */
#include "journal_guest.h"

#include <errno.h>
#include <string.h>

#include "journal_crc.h"

static uint64_t data_length(const struct journal_guest_frame *frame)
{
	return frame->frame.length;
}

/* Does the page still fit into the frame? */
static bool fits(const struct atomicio_journal *journal, const struct journal_guest_frame *frame,
		 const struct journal_page *page)
{
	const struct journal_frame *now = &frame->frame;

	return now->count < journal->guests->page_room &&
	       journal_header_length((uint64_t)now->files + 1, (uint64_t)now->count + 1) +
			       data_length(frame) + journal_padded(page->length) <=
		       journal->frame_room;
}

static void put(const struct journal_guests *guests, struct journal_guest_frame *frame,
		const struct journal_page *page)
{
	const uint32_t index = frame->frame.count;
	const uint64_t padded = journal_padded(page->length);
	struct journal_guest_page *made = &frame->pages[index];
	uint32_t at = journal_guest_place_of(frame, page->file->file_id, page->offset);

	if (index == 0 || frame->pages[index - 1].file != page->file)
		frame->frame.files++;
	*made = (struct journal_guest_page){
		.file = page->file,
		.data = frame->memory + guests->data_start + data_length(frame),
		.offset = page->offset,
		.length = page->length,
		.row = frame->frame.files - 1,
	};
	memcpy(made->data, page->buffer, page->length);
	memset(made->data + page->length, 0, (size_t)(padded - page->length));
	made->crc = journal_crc32c(0, made->data, page->length);
	made->escape = journal_escape_key(made->data, padded);
	journal_escape(made->data, padded, made->escape); /* K1, until the frame is durable */
	memmove(&frame->order[at + 1], &frame->order[at], (index - at) * sizeof(frame->order[0]));
	frame->order[at] = index;
	frame->frame.count++;
	frame->frame.length += (uint32_t)padded;
}

/* Take the last pages out again, and leave `count` pages.  Both locks are held. */
static void take_back(struct journal_guests *guests, struct journal_guest_frame *frame,
		      uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < frame->frame.count; i++)
		if (frame->order[i] < count)
			frame->order[kept++] = frame->order[i];
	frame->frame.length = 0;
	for (uint32_t i = 0; i < count; i++)
		frame->frame.length += (uint32_t)journal_padded(frame->pages[i].length);
	frame->frame.count = count;
	frame->frame.files = count ? frame->pages[count - 1].row + 1 : 0;
	if (count)
		return;
	frame->state = JOURNAL_GUEST_FREE;
	guests->open = NULL;
}

/* The open frame, or a new open frame. */
static struct journal_guest_frame *open_frame(struct atomicio_journal *journal)
{
	struct journal_guests *guests = journal->guests;

	pthread_mutex_lock(&journal->lock);
	for (uint32_t i = guests->open ? guests->count : 0; i < guests->count; i++) {
		struct journal_guest_frame *frame = &guests->frames[i];

		if (frame->state != JOURNAL_GUEST_FREE)
			continue;
		frame->state = JOURNAL_GUEST_OPEN;
		frame->frame = (struct journal_frame){.count = 0};
		frame->serial = ++guests->turn * guests->count + i;
		frame->tries = 0;
		frame->begun = false;
		guests->open = frame;
		break;
	}
	pthread_mutex_unlock(&journal->lock);
	return guests->open;
}

/* JG2.  A page that overlaps a gathered page, or a page not yet home, has to come later. */
static int check_page(struct atomicio_journal *journal, const struct journal_guest_frame *open,
		      uint32_t first, const struct journal_page *page)
{
	const uint64_t end = page->offset + page->length;
	const struct journal_guest_page *other =
		journal_guest_find(open, page->file->file_id, page->offset, end);

	if (other)
		return (uint32_t)(other - open->pages) >= first ? -EINVAL : -EBUSY;
	if (!fits(journal, open, page))
		return first ? -ENOBUFS : -EMSGSIZE;
	return journal_guest_covers(journal, page->file->file_id, page->offset, end) ? -EBUSY : 0;
}

/* Write rows, entries and header; the pages are in place. */
static void encode(const struct atomicio_journal *journal, struct journal_guest_frame *frame)
{
	for (uint32_t i = 0; i < frame->frame.count; i++) {
		const struct journal_guest_page *page = &frame->pages[i];

		if (i == 0 || page->row != page[-1].row)
			journal_put_row(frame->bytes, page->row, page->file->row);
		journal_put_entry(frame->bytes, frame->frame.files, i,
				  &(struct journal_entry){
					  .offset = page->offset,
					  .length = page->length,
					  .crc = page->crc,
					  .file = page->row,
					  .escape = page->escape,
				  });
	}
	journal_encode_frame(frame->bytes, journal->header.id, &frame->frame);
}

/*
 * Count the frame's pages as homes on their way, and close their ranges (J3, J10), before the entry
 * is given out.
 */
static void account(struct atomicio_journal *journal, struct journal_guest_frame *frame)
{
	const uint32_t now = journal->generation & 1;

	for (uint32_t i = 0; i < frame->frame.count; i++) {
		const struct journal_guest_page *page = &frame->pages[i];

		if (!page->file->first[now])
			page->file->first[now] = frame->frame.sequence;
		page->file->homes[now]++;
		journal_cover(journal, page->file->file_id, page->offset, page->length);
	}
	frame->left = frame->frame.count;
	frame->generation = journal->generation;
	frame->noappend = journal->noappend;
	journal_reserve_place(journal, &frame->frame);
}

/* Find a place, or an errno of JG5.  The lock is dropped to land requests and to make room. */
static int find_place(struct atomicio_journal *journal, const struct journal_guest_frame *frame,
		      uint64_t length, uint64_t *offset)
{
	int error = 0;

	/* BEHIND: a ticket that came home stays in its list until a thread lands it. */
	journal_land(journal);
	for (uint32_t i = 0; i < 2 && (!error || error == -EAGAIN); i++) {
		const int refused = journal_refused(journal);

		if (refused)
			return refused;
		/*
		 * The thread with the role gives numbers.  J8: tickets in line go home before us.
		 */
		if (journal->busy || journal_guest_meets_line(journal, frame))
			return -EAGAIN;
		*offset = journal_guest_place(journal, length);
		if (*offset)
			return 0;
		if (i == 0)
			error = journal_guest_make_room(journal, length);
	}
	return error;
}

/* Give the frame number and place; an error changes nothing. */
static int place_frame(struct atomicio_journal *journal, struct journal_guest_frame *frame)
{
	struct journal_frame *made = &frame->frame;
	const uint64_t header = journal_header_length(made->files, made->count);
	const uint64_t length = header + data_length(frame);
	uint64_t offset = 0;
	int error = find_place(journal, frame, length, &offset);

	if (!error)
		error = journal_check_limit(journal, offset + length);
	if (error)
		return error;
	made->offset = offset;
	made->header_length = (uint32_t)header;
	made->length = (uint32_t)length;
	journal_number(journal, made, journal->head_sequence);
	frame->bytes = frame->memory + journal->guests->data_start - header;
	frame->state = JOURNAL_GUEST_DUE;
	account(journal, frame);
	journal_guest_note_doubt(journal);
	return 0;
}

static int close_frame(struct atomicio_journal *journal, struct journal_guest_frame *frame)
{
	struct journal_guests *guests = journal->guests;
	int error;

	pthread_mutex_lock(&journal->lock);
	error = place_frame(journal, frame);
	if (error == -EAGAIN)
		journal_guest_later(journal);
	else if (!error)
		journal_guest_help(journal);
	pthread_mutex_unlock(&journal->lock);
	if (error)
		return error;
	guests->open = NULL;
	encode(journal, frame);
	return 0;
}

int journal_gather_begin(struct atomicio_journal *journal, struct journal_guest_place *place)
{
	struct journal_guests *guests = journal->guests;
	const struct journal_guest_frame *open;

	pthread_mutex_lock(&guests->lock);
	open = open_frame(journal);
	if (!open) {
		pthread_mutex_unlock(&guests->lock);
		return -EBUSY;
	}
	*place = (struct journal_guest_place){.serial = open->serial, .page = open->frame.count};
	return 0;
}

int journal_gather_put(struct atomicio_journal *journal, const struct journal_guest_place *place,
		       const struct journal_page *page)
{
	struct journal_guests *guests = journal->guests;
	int error;

	pthread_mutex_lock(&journal->lock);
	error = journal_refused(journal);
	if (!error)
		error = check_page(journal, guests->open, place->page, page);
	pthread_mutex_unlock(&journal->lock);
	if (!error)
		put(guests, guests->open, page);
	return error;
}

int journal_gather_end(struct atomicio_journal *journal, const struct journal_guest_place *place,
		       struct journal_guest_io *io, int error)
{
	struct journal_guests *guests = journal->guests;
	struct journal_guest_frame *open = guests->open;

	if (!error && io)
		error = close_frame(journal, open);
	if (!error && io) {
		error = journal_guest_next(journal, open->serial, io);
		if (error) /* no request has the frame, and none could give the frame up later */
			(void)journal_guest_give_up(journal, open->serial);
	}
	if (error && open->state == JOURNAL_GUEST_OPEN) {
		pthread_mutex_lock(&journal->lock);
		take_back(guests, open, place->page);
		pthread_mutex_unlock(&journal->lock);
	}
	pthread_mutex_unlock(&guests->lock);
	return error;
}

int journal_gather_close(struct atomicio_journal *journal, uint64_t serial)
{
	struct journal_guests *guests = journal->guests;
	int error = -EALREADY;

	pthread_mutex_lock(&guests->lock);
	if (guests->open && guests->open->serial == serial)
		error = close_frame(journal, guests->open);
	pthread_mutex_unlock(&guests->lock);
	return error;
}

int journal_gather_drop(struct atomicio_journal *journal, uint64_t serial)
{
	struct journal_guests *guests = journal->guests;
	int error = -EALREADY;

	pthread_mutex_lock(&guests->lock);
	if (guests->open && guests->open->serial == serial) {
		pthread_mutex_lock(&journal->lock);
		take_back(guests, guests->open, 0);
		pthread_mutex_unlock(&journal->lock);
		error = 0;
	}
	pthread_mutex_unlock(&guests->lock);
	return error;
}

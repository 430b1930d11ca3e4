/* SPDX-License-Identifier: MIT */
/*
 * Guests: their memory, taken and given back.
 *
 * Flow: see journal_guest.h.  The only calls for guests that may wait, or take memory.
 */
#include "journal_guest.h"

#include <errno.h>

static void free_frames(const struct atomicio_journal *journal, struct journal_guests *guests)
{
	const struct sys_calls *sys = journal->sys;

	for (uint32_t i = 0; guests->frames && i < guests->count; i++) {
		if (guests->frames[i].memory)
			sys->release_memory(guests->frames[i].memory);
		if (guests->frames[i].pages)
			sys->release_memory(guests->frames[i].pages);
	}
	if (guests->frames)
		sys->release_memory(guests->frames);
	pthread_mutex_destroy(&guests->lock);
	sys->release_memory(guests);
}

static bool make_frame(const struct atomicio_journal *journal, struct journal_guests *guests,
		       struct journal_guest_frame *frame)
{
	const struct sys_calls *sys = journal->sys;

	frame->pages =
		sys->allocate(_Alignof(struct journal_guest_page),
			      guests->page_room * (sizeof(*frame->pages) + sizeof(*frame->order)));
	if (!frame->pages)
		return false;
	frame->order = (uint32_t *)(frame->pages + guests->page_room);
	frame->memory =
		sys->allocate(JOURNAL_BLOCK, (size_t)(guests->data_start + journal->frame_room));
	return frame->memory != NULL;
}

static struct journal_guests *make(const struct atomicio_journal *journal, uint32_t frames,
				   int event)
{
	const struct sys_calls *sys = journal->sys;
	struct journal_guests *guests = sys->allocate(_Alignof(max_align_t), sizeof(*guests));

	if (!guests)
		return NULL;
	pthread_mutex_init(&guests->lock, NULL); /* cannot fail without attributes */
	guests->count = frames;
	guests->event = event;
	guests->page_room = journal->frame_room / JOURNAL_BLOCK;
	guests->data_start = journal_header_length(guests->page_room, guests->page_room);
	guests->frames = sys->allocate(_Alignof(max_align_t), frames * sizeof(*guests->frames));
	for (uint32_t i = 0; guests->frames && i < frames; i++)
		if (!make_frame(journal, guests, &guests->frames[i])) {
			free_frames(journal, guests);
			return NULL;
		}
	if (guests->frames)
		return guests;
	free_frames(journal, guests);
	return NULL;
}

int journal_guests_begin(struct atomicio_journal *journal, uint32_t frames, int event)
{
	struct journal_guests *guests;
	int error;

	if (frames == 0 || frames > JOURNAL_GUEST_FRAMES_LIMIT)
		return -EINVAL;
	if (journal->share) /* T1: a turn would end with entries on their way */
		return -EOPNOTSUPP;
	guests = make(journal, frames, event);
	if (!guests)
		return -ENOMEM;
	pthread_mutex_lock(&journal->lock);
	journal_enter(journal);
	error = journal->guests ? -EBUSY : journal_first_frame(journal);
	if (!error) {
		if (journal->head_sequence) { /* all before the head is durable, or void */
			journal->whole_sequence = journal->head_sequence - 1;
			journal->whole_end = journal->head_offset;
		}
		journal->guests = guests;
		pthread_mutex_lock(&journal->flights.lock);
		journal->flights.eventfd = event;
		pthread_mutex_unlock(&journal->flights.lock);
		journal->memory += frames * (guests->data_start + journal->frame_room);
	}
	journal_leave(journal);
	pthread_mutex_unlock(&journal->lock);
	if (error)
		free_frames(journal, guests);
	return error;
}

bool journal_has_guests(const struct atomicio_journal *journal)
{
	return journal->guests != NULL;
}

void journal_guests_end(struct atomicio_journal *journal)
{
	if (journal->guests)
		free_frames(journal, journal->guests);
	journal->guests = NULL;
}

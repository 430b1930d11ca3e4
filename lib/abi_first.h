/* SPDX-License-Identifier: MIT */
/*
 * The structs that travel with their size, as of the first release, 0.1.
 *
 * Flow: used at the public border by every family, with abi.h.
 *
 * F1 a caller may be as old as the first release: a call demands the size of the first release.
 *    sizeof is today's size, and would refuse an old caller once a struct has grown.
 * F2 the size is where the last member of the first release ends, on 32-bit machines, too: none of
 *    the structs has padding at its end.  A release with a new member leaves this file alone.
 * F3 tests/abi/growth.sh grows every struct in this file and runs programs compiled before.
 */
#ifndef LIBATOMICIO_ABI_FIRST_H
#define LIBATOMICIO_ABI_FIRST_H

#include <assert.h>
#include <stddef.h>

#include "libatomicio/atomicio.h"
#include "libatomicio/journal.h"
#include "libatomicio/uring.h"

#define ABI_FIRST(type, last) (offsetof(struct type, last) + sizeof(((struct type *)0)->last))

#define ABI_FIRST_CAPS ABI_FIRST(atomicio_caps, filesystem_uuid)
#define ABI_FIRST_OPTIONS ABI_FIRST(atomicio_options, file_tag)
#define ABI_FIRST_STATS ABI_FIRST(atomicio_stats, failures)
#define ABI_FIRST_QUEUE_STATS ABI_FIRST(atomicio_queue_stats, syncs)
#define ABI_FIRST_JOURNAL_OPTIONS ABI_FIRST(atomicio_journal_options, flags)
#define ABI_FIRST_JOURNAL_INFO ABI_FIRST(atomicio_journal_info, memory)
#define ABI_FIRST_JOURNAL_OPEN ABI_FIRST(atomicio_journal_open_options, memory)
#define ABI_FIRST_RECOVER ABI_FIRST(atomicio_recover_options, reserved)
#define ABI_FIRST_RECOVERY ABI_FIRST(atomicio_recovery, unreadable)

/* Said twice: a member in the middle or a wrong name above does not compile. */
#if UINTPTR_MAX == UINT64_MAX
static_assert(ABI_FIRST_OPTIONS == 72, "first release");
#endif
static_assert(ABI_FIRST_CAPS == 256, "first release");
static_assert(ABI_FIRST_STATS == 160, "first release");
static_assert(ABI_FIRST_QUEUE_STATS == 48, "first release");
static_assert(ABI_FIRST_JOURNAL_OPTIONS == 16, "first release");
static_assert(ABI_FIRST_JOURNAL_INFO == 248, "first release");
static_assert(ABI_FIRST_JOURNAL_OPEN == 16, "first release");
static_assert(ABI_FIRST_RECOVERY == 80, "first release");

#endif /* LIBATOMICIO_ABI_FIRST_H */

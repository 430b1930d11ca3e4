/* SPDX-License-Identifier: MIT */
/*
 * No thread is cancelled inside a public call.
 *
 * Flow: the first line of every public function that waits, locks or calls the system; the fast
 * path of a hardware write does without, because its one raw syscall() is no cancellation point.
 *
 * A thread killed at a cancellation point (pthread_cond_wait, and wrappers of the C library:
 * pread64, sync_file_range, open, close) would keep a lock or the journal's role for ever, and all
 * other threads would wait.  The state is restored on every return.  A cancellation during the call
 * acts at the thread's next cancellation point, outside the library.
 */
#ifndef LIBATOMICIO_SYS_CANCEL_H
#define LIBATOMICIO_SYS_CANCEL_H

#include <pthread.h>

static inline int sys_cancel_off(void)
{
	int before = PTHREAD_CANCEL_ENABLE;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before); /* cannot fail */
	return before;
}

static inline void sys_cancel_restore(const int *before)
{
	(void)pthread_setcancelstate(*before, NULL);
}

/* A declaration: from here to the end of the block. */
#define SYS_NO_CANCEL                                                                              \
	const int sys_cancel_before __attribute__((cleanup(sys_cancel_restore), unused)) =         \
		sys_cancel_off()

#endif /* LIBATOMICIO_SYS_CANCEL_H */

/* SPDX-License-Identifier: MIT */
/*
 * Points for bpftrace, perf and SystemTap to watch: static probes of provider libatomicio.
 *
 * Flow: for every family; man/atomicio-trace.7 explains each probe and how to watch it.
 *
 * TP1 a probe is one nop and a note in the binary, of values at hand anyway: nothing is computed
 *    for a probe.  Without <sys/sdt.h> at configuration a probe is nothing at all.
 * TP2 names and arguments only grow at the end: scripts rely on them.
 */
#ifndef LIBATOMICIO_TRACE_H
#define LIBATOMICIO_TRACE_H

#ifdef ATOMICIO_SDT
#include <sys/sdt.h>
#else
#define DTRACE_PROBE3(provider, name, a, b, c) ((void)0)
#define DTRACE_PROBE4(provider, name, a, b, c, d) ((void)0)
#endif

/* A write is handed to the kernel, or put into a ring: `flags` are ATOMICIO_*. */
#define TRACE_SUBMIT(fd, offset, length, flags)                                                    \
	DTRACE_PROBE4(libatomicio, submit, fd, offset, length, flags)

/* An attempt failed: ATOMICIO_KIND_* and a negative errno. */
#define TRACE_CLASSIFY(fd, offset, kind, error)                                                    \
	DTRACE_PROBE4(libatomicio, classify, fd, offset, kind, error)

/* The answer: ATOMICIO_RETRY, _FALLBACK or _FAIL, and the number of the try. */
#define TRACE_POLICY(fd, kind, answer, attempt)                                                    \
	DTRACE_PROBE4(libatomicio, policy, fd, kind, answer, attempt)

/* A frame was written: durable if `error` is 0. */
#define TRACE_FRAME_COMMIT(sequence, pages, length, error)                                         \
	DTRACE_PROBE4(libatomicio, frame_commit, sequence, pages, length, error)

/* Live frames were retired, or not. */
#define TRACE_CHECKPOINT(sequence, live_bytes, error)                                              \
	DTRACE_PROBE3(libatomicio, checkpoint, sequence, live_bytes, error)

/* Recovery has brought the pages of one frame home. */
#define TRACE_REPLAY(sequence, pages, length)                                                      \
	DTRACE_PROBE3(libatomicio, replay, sequence, pages, length)

#endif /* LIBATOMICIO_TRACE_H */

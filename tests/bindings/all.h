/* SPDX-License-Identifier: MIT */
/* Input of a tool for bindings: all public headers. */
#ifndef ATOMICIO_BINDINGS_ALL_H
#define ATOMICIO_BINDINGS_ALL_H

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>
#include <libatomicio/turns.h>
#include <libatomicio/uring.h>

#endif /* ATOMICIO_BINDINGS_ALL_H */

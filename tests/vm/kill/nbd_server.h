/* SPDX-License-Identifier: MIT */
/*
 * The NBD protocol, server side, for one client on a unix socket.
 *
 * Flow: tearing_disk.c gives it the disk's size and four functions, and gets the requests.
 */
#ifndef TESTS_VM_NBD_SERVER_H
#define TESTS_VM_NBD_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct nbd_disk {
	uint64_t size;
	void *context;
	const char *(*read)(void *context, uint64_t offset); /* a pointer to the data there */
	void (*write)(void *context, uint64_t offset, uint32_t length, char *data,
		      bool fua); /* takes data over, from malloc */
	void (*flush)(void *context);
	volatile sig_atomic_t *stop;	    /* set by a signal: end as if the client were gone */
	uint32_t (*latency)(void *context); /* of a flush and a FUA write, in us; NULL: none */
	volatile sig_atomic_t client;	    /* the process on the other side */
	bool gone; /* later reads were sent before, and are never acknowledged */
};

/*
 * Serve the first client until it is gone.  True: the client said goodbye (NBD_CMD_DISC).
 * A request that had not arrived whole counts as never sent.  If the client goes during a flush or
 * a FUA write, the flush is not done, and this write and all later writes count as without FUA.
 */
bool nbd_serve(const char *socket_path, struct nbd_disk *disk);

#endif /* TESTS_VM_NBD_SERVER_H */

/* SPDX-License-Identifier: MIT */
/*
 * Goal: the library can be loaded and unloaded at run time, over and over, and leaves nothing
 * behind: no descriptor, no thread, no signal handler.
 *
 * Method: dlopen() the built library, call into it, dlclose() it; count descriptors and threads.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "libatomicio/atomicio.h"

static int entries(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	if (!directory)
		return -1;
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static int load_use_unload(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int (*probe)(int, struct atomicio_caps *, size_t);
	uint32_t (*version)(void);
	struct atomicio_caps caps;
	void *symbol;

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	symbol = dlsym(library, "atomicio_version");
	memcpy(&version, &symbol, sizeof(version));
	symbol = dlsym(library, "atomicio_probe");
	memcpy(&probe, &symbol, sizeof(probe));
	if (!version || !probe || version() / 10000 != ATOMICIO_VERSION_MAJOR)
		return 1;
	if (probe(-1, &caps, sizeof(caps)) >= 0)
		return 1;
	return dlclose(library);
}

int main(int argc, char **argv)
{
	int descriptors, threads;

	if (argc != 2 || load_use_unload(argv[1]))
		return 1;
	descriptors = entries("/proc/self/fd");
	threads = entries("/proc/self/task");
	for (int i = 0; i < 20; i++)
		if (load_use_unload(argv[1]))
			return 1;
	if (entries("/proc/self/fd") != descriptors || entries("/proc/self/task") != threads) {
		fprintf(stderr, "a descriptor or a thread was left behind\n");
		return 1;
	}
	for (int number = 1; number < 32; number++) {
		struct sigaction action;

		if (number != SIGKILL && number != SIGSTOP && !sigaction(number, NULL, &action) &&
		    action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN) {
			fprintf(stderr, "a handler of signal %d was left behind\n", number);
			return 1;
		}
	}
	return 0;
}

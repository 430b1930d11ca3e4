#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: the archive lives beside any other code, and brings only the libraries that are used.
#
# Method: a program defines every internal name of ours (lib/names*.h, without the prefix) for itself,
# probes a file through the archive, and must never be called.  Others use one part each, and are
# linked with the libraries that this part needs, and no more.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-cc}
compile=("$cc" -std=gnu11 -Wall -Wextra -Werror -I "$root/include")
if grep -qE '^ATOMICIO_(SANITIZE:STRING=.|COVERAGE:BOOL=ON)' "$build/CMakeCache.txt"; then
	echo "ok - the_archive_links # SKIP an instrumented archive needs its runtime, too"
	exit 0
fi
# What the build was told to leave out, it needs not.
blkid=-lblkid uring=-luring
! grep -q '^ATOMICIO_BLKID:BOOL=OFF' "$build/CMakeCache.txt" || blkid=
! grep -q '^ATOMICIO_URING:BOOL=OFF' "$build/CMakeCache.txt" || uring=

# uses NAME SOURCE LIBRARY...: it links with these, runs, and needs no other
uses() {
	local name=$1 source=$2
	shift 2
	"${compile[@]}" -o "$scratch/$name" "$source" "$build/libatomicio.a" "$@" >"$scratch/log" 2>&1 &&
		"$scratch/$name" "$scratch/$name-file" >>"$scratch/log" 2>&1
	report $? "${name}_links_and_runs" "$scratch/log"
}

cat >"$scratch/journal.c" <<'C'
#include <fcntl.h>
#include <libatomicio/journal.h>
int main(int argc, char **argv)
{
	const struct atomicio_journal_options options = {.size = 4 << 20, .frame_max = 65536};
	struct atomicio_journal_info info;
	struct atomicio_journal *journal;
	int fd = argc == 2 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;

	if (fd < 0 || atomicio_journal_create(fd, &options, sizeof(options)) ||
	    atomicio_journal_open(fd, NULL, 0, &journal))
		return 1;
	if (atomicio_journal_get_info(journal, &info, sizeof(info)) ||
	    info.state != ATOMICIO_JOURNAL_READY || atomicio_journal_checkpoint(journal))
		return 1;
	atomicio_journal_close(journal);
	return 0;
}
C
cat >"$scratch/write.c" <<'C'
#include <fcntl.h>
#include <libatomicio/journal.h>
int main(int argc, char **argv)
{
	const struct atomicio_options options = {.fallback = ATOMICIO_FALLBACK_PLAIN};
	static char page[4096];
	struct atomicio_file *file;
	int fd = argc == 2 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;

	if (fd < 0 || atomicio_open(fd, &options, sizeof(options), &file))
		return 1;
	return atomicio_write(file, page, sizeof(page), 0, 0) || atomicio_close(file);
}
C
uses a_program_with_a_journal_alone "$scratch/journal.c"
readelf -d "$scratch/a_program_with_a_journal_alone" | grep NEEDED >"$scratch/log"
! grep -v '\[libc\.\(so\.6\|musl.*\)\]\|\[libc\.so\]' "$scratch/log"
report $? it_needs_libc_alone "$scratch/log"
uses a_program_that_writes_without_queues "$scratch/write.c" $blkid
uses a_wholly_static_program_with_a_journal "$scratch/journal.c" -static

{
	echo "#include <stdlib.h>"
	echo "#define MINE(name) int name(const char *); int name(const char *p) { abort(); return !p; }"
	sed -nE 's/^#define ([a-z0-9_]+) atomicio__.*/MINE(\1)/p' "$root"/lib/names*.h
} >"$scratch/engine.c"
grep -q 'MINE(journal_commit)' "$scratch/engine.c" && grep -q 'MINE(probe_disk)' "$scratch/engine.c"
report $? the_engine_has_names_of_ours
cp "$here/consumer.c" "$scratch/"
"${compile[@]}" -Wno-error -c -o "$scratch/engine.o" "$scratch/engine.c" >"$scratch/log" 2>&1 &&
	"${compile[@]}" -o "$scratch/engine" "$scratch/consumer.c" "$scratch/engine.o" \
		-Wl,--whole-archive "$build/libatomicio.a" -Wl,--no-whole-archive $blkid $uring \
		>>"$scratch/log" 2>&1 && "$scratch/engine" >>"$scratch/log" 2>&1
report $? an_engine_with_names_of_ours_links_and_is_never_called "$scratch/log"
finish

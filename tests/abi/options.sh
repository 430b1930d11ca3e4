#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: the library has the same symbols and structs whatever it is built with, and says what it
# lacks: without libblkid the evidence, without liburing why a queue has no ring.
#
# Method: the four builds of ATOMICIO_BLKID and ATOMICIO_URING are made; nm's and abidiff's answers
# are compared with the first's, and a program asks each for a block device and a queue.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-cc}

defined() {
	nm -D --defined-only "$1" | awk '{ print $2, $3 }' | sort
}
needed() {
	readelf -d "$1" | sed -nE 's/.*NEEDED.*\[lib(blkid|uring)\..*/\1/p' | sort | tr '\n' ' '
}

for blkid in ON OFF; do
	for uring in ON OFF; do
		name=blkid-$blkid-uring-$uring
		tree=$scratch/$name
		{
			cmake -S "$root" -B "$tree" -DCMAKE_C_COMPILER="$cc" -DATOMICIO_WERROR=ON \
				-DATOMICIO_BLKID=$blkid -DATOMICIO_URING=$uring -DATOMICIO_BUILD_TESTS=OFF \
				-DATOMICIO_BUILD_TOOLS=OFF -DATOMICIO_BUILD_EXAMPLES=OFF &&
				cmake --build "$tree" -j 2
		} >"$scratch/log" 2>&1
		status=$?
		report $status "it_builds_with_$name" "$scratch/log"
		[ $status = 0 ] || continue
		defined "$tree/libatomicio.so" >"$tree.symbols"
		cmp "$scratch/blkid-ON-uring-ON.symbols" "$tree.symbols" >"$scratch/log" 2>&1 && [ -s "$tree.symbols" ]
		report $? "the_symbols_are_the_same_with_$name" "$scratch/log"
		ATOMICIO_BUILD=$tree bash "$here/names.sh" >"$scratch/log"
		report $? "the_archive_has_the_same_names_with_$name" "$scratch/log"
		ATOMICIO_BUILD=$tree bash "$here/archive.sh" >"$scratch/log"
		report $? "the_archive_links_with_$name" "$scratch/log"
		wanted=
		[ $blkid = OFF ] || wanted="blkid "
		[ $uring = OFF ] || wanted+="uring "
		echo "needed: $(needed "$tree/libatomicio.so")" >"$scratch/log"
		[ "$(needed "$tree/libatomicio.so")" = "$wanted" ]
		report $? "it_needs_what_was_asked_for_with_$name" "$scratch/log"
		if [ $blkid$uring = OFFOFF ]; then
			readelf -d "$tree/libatomicio.so" | grep NEEDED >"$scratch/log"
			! grep -v '\[libc\.so\.6\]\|\[ld-linux' "$scratch/log" >/dev/null && [ -s "$scratch/log" ]
			report $? "it_needs_libc_alone_with_$name" "$scratch/log"
		fi
		if command -v abidiff >/dev/null && [ "$(uname -m)" = x86_64 ]; then
			abidiff --suppressions "$here/public_types.ini" \
				"$scratch/blkid-ON-uring-ON/libatomicio.so" "$tree/libatomicio.so" >"$scratch/log" 2>&1
			report $? "the_structs_are_the_same_with_$name" "$scratch/log"
		else
			echo "ok - the_structs_are_the_same_with_$name # SKIP abidiff is missing (Debian package abigail-tools)"
		fi
	done
done

# A library that is there but too old is not called missing; what to do is said in both cases.
configure_message() { # EXPRESSION: configuring fails with it, whatever the lines are cut like
	! PKG_CONFIG_LIBDIR=$scratch/pc cmake -S "$root" -B "$scratch/message" -DCMAKE_C_COMPILER="$cc" \
		-DATOMICIO_BUILD_TESTS=OFF >"$scratch/log" 2>&1 &&
		tr -s ' \n' ' ' <"$scratch/log" | grep -q "$1"
}
mkdir "$scratch/pc"
configure_message 'blkid is missing: install the Debian package libblkid-dev, or configure with -DATOMICIO_BLKID=OFF'
report $? a_missing_library_is_named_with_its_package "$scratch/log"
printf 'Name: blkid\nDescription: of long ago\nVersion: 2.30\nLibs:\n' >"$scratch/pc/blkid.pc"
configure_message 'blkid is 2.30, older than 2.36: install a newer libblkid-dev, or configure with -DATOMICIO_BLKID=OFF'
report $? an_old_library_is_named_as_such "$scratch/log"

cat >"$scratch/says.c" <<'C'
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <libatomicio/uring.h>
/* says FILE: the probe's evidence of libblkid, and a queue's error */
int main(int argc, char **argv)
{
	struct atomicio_caps caps = {0};
	struct atomicio_queue_stats stats = {0};
	struct atomicio_queue *queue;
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || atomicio_probe(fd, &caps, sizeof(caps)) || atomicio_queue_create(1, &queue) ||
	    atomicio_queue_get_stats(queue, &stats, sizeof(stats)))
		return 1;
	printf("blkid %d unknown %d ring %d\n", !!(caps.evidence & ATOMICIO_EVIDENCE_BLKID),
	       !!(caps.reasons & ATOMICIO_REASON_CONTENTS_UNKNOWN), stats.ring_error);
	atomicio_queue_destroy(queue);
	return 0;
}
C
"$cc" -std=gnu11 -Wall -Werror -I "$root/include" -o "$scratch/says" "$scratch/says.c" \
	-L "$scratch/blkid-ON-uring-ON" -latomicio >"$scratch/log" 2>&1
report $? a_program_links_with_all_options_on "$scratch/log"
says() {
	LD_LIBRARY_PATH=$scratch/$1 "$scratch/says" "${2:-$scratch/says}"
}
says blkid-ON-uring-OFF >"$scratch/log" 2>&1 && grep -q 'ring -95$' "$scratch/log"
report $? a_queue_says_that_there_is_no_ring "$scratch/log"
says blkid-ON-uring-ON >"$scratch/log" 2>&1 && ! grep -q 'ring -95$' "$scratch/log"
report $? and_has_one_where_it_was_asked_for "$scratch/log"
# A block device is what libblkid is asked about.
truncate -s 8M "$scratch/image"
if [ "$(id -u)" = 0 ] && disk=$(losetup -f --show "$scratch/image" 2>"$scratch/log"); then
	trap 'losetup -d "$disk"; rm -rf "$scratch"' EXIT
	says blkid-ON-uring-ON "$disk" >"$scratch/log" 2>&1 && grep -q '^blkid 1 unknown 0' "$scratch/log"
	report $? the_probe_has_the_evidence_of_libblkid "$scratch/log"
	says blkid-OFF-uring-ON "$disk" >"$scratch/log" 2>&1 && grep -q '^blkid 0 unknown 1' "$scratch/log"
	report $? the_probe_says_that_it_has_not "$scratch/log"
else
	echo "ok - the_probe_has_the_evidence_of_libblkid # SKIP no loop device to be had"
fi
finish

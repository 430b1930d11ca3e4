# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2317
# Goal: atomicio crash finds a writer that loses pages, clears a writer that loses none, names wrong
# arguments in one sentence, and leaves a clean machine after any end.
# Method: the example examples/crash_page as the work and the check, small shell programs as bad
# writers, signals at many moments.  A machine is clean if the directory for temporary files is empty,
# no loop device reads from that directory, and no process has its name among the arguments.

crash_program=$(dirname "$tool")/crash/atomicio-crash
crash_page=$(dirname "$tool")/../examples/crash_page
crash_tmp=$work/crash-tmp
crash_keep=$work/crash-keep
mkdir "$crash_tmp" "$crash_keep"

crash() { TMPDIR=$crash_tmp "$tool" crash "$@"; }
crash_run() { crash run --fs ext4 --keep "$crash_keep" "$@"; }
export -f crash crash_run
export tool crash_tmp crash_keep

# expect STATUS crash...: the helper starts commands, and a function is none
expect_crash() {
	local want=$1 name=$2
	shift 2
	# shellcheck disable=SC2016
	expect "$want" bash -c "$name"' "$@"' bash "$@"
}

clean() {
	local left
	left=$(ls -A "$crash_tmp")
	[ -z "$left" ] || note "left in the temporary directory: $left"
	# From another mount namespace a file is named from the root of its filesystem.
	left=$(losetup -nO NAME,BACK-FILE | grep -E "$crash_tmp| /(image|cut-[0-9]+)$")
	! pgrep -x atomicio-crash >"$work/crash-others" || left='' # they may be another run's
	[ -z "$left" ] || note "left loop devices: $left"
	left=$(pgrep -f "[a]tomicio-crash.*$crash_keep")
	[ -z "$left" ] || note "left processes: $left"
	left=$(grep -F "$crash_tmp" /proc/self/mounts)
	[ -z "$left" ] || note "left mounts: $left"
}

says_alone() { # an error is one sentence, and the machine is clean
	says "$1"
	one_sentence
	clean
}

crash_says_what_is_missing_in_its_arguments() {
	local page="$crash_page work naive {}"
	expect_crash 2 crash
	says_alone 'run or serve'
	expect_crash 2 crash walk
	says_alone 'run or serve'
	expect_crash 2 crash run
	says_alone '--fs is missing'
	expect_crash 2 crash run --fs vfat
	says_alone 'ext4, xfs or btrfs'
	expect_crash 2 crash_run --check "$page"
	says_alone '--work'
	expect_crash 2 crash_run --work "$page"
	says_alone '--check'
	expect_crash 2 crash_run --work true --check "$page"
	says_alone 'no \{\}'
	expect_crash 2 crash_run --work "$page" --check "$page" --size
	says_alone 'a value is missing'
	expect_crash 2 crash_run --work "$page" --check "$page" --speed 3
	says_alone 'not known'
	expect_crash 2 crash_run --work "$page" --check "$page" --cuts 0
	says_alone '--cuts is 1 to'
	expect_crash 2 crash_run --work "$page" --check "$page" --cuts 12x
	says_alone 'no number'
	expect_crash 2 crash_run --work "$page" --check "$page" --sector 1024
	says_alone '512 or 4096'
	expect_crash 2 crash_run --work "$page" --check "$page" --fault 'flush often'
	says_alone 'the action is'
	expect_crash 2 crash_run --work "$page" --check "$page" --keep /nonexistent
	says_alone 'No such file'
	expect_crash 2 crash serve disk
	says_alone 'image or a directory'
}

crash_refuses_a_disk_below_the_minimum_of_its_filesystem() {
	local fs
	for fs in ext4 xfs btrfs; do
		expect_crash 2 crash run --fs $fs --size 4M --work 'true {}' --check 'true {}'
		says_alone 'too small'
	done
	expect_crash 2 crash_run --mkfs-options '-b 77' --work 'true {}' --check 'true {}'
	says_alone 'mkfs.ext4 failed: '
}

crash_says_that_there_is_no_room_for_its_directories() {
	expect 2 env TMPDIR=/nonexistent "$tool" crash run --fs ext4 --work 'true {}' --check 'true {}'
	says_alone 'nonexistent/atomicio-crash.*No such file'
	expect 2 env TMPDIR=/proc "$tool" crash run --fs ext4 --work 'true {}' --check 'true {}'
	says_alone '/proc/atomicio-crash'
}

crash_needs_root() {
	expect 2 "${as_nobody[@]}" "$tool" crash run --fs ext4 --work 'true {}' --check 'true {}'
	says_alone 'needs root'
}

# in_chroot STEPS: a run in a bare chroot, after the first so many mounts, which end with it
in_chroot() {
	local root=$work/crash-chroot build step at
	local steps=("mount -t proc proc proc" "mount -t sysfs sysfs sys" "mount --rbind /dev dev"
		"mount --rbind . .")
	build=$(realpath "$(dirname "$tool")/..")
	mkdir -p "$root"/{proc,sys,dev,tmp} && cd "$root" || return
	for at in usr bin sbin lib lib64 "${build#/}"; do
		[ ! -d "/$at" ] || { mkdir -p "$at" && mount --bind "/$at" "$at"; } || return
	done
	for ((step = 0; step < $1; step++)); do
		${steps[step]} && cd "$root" || return
	done
	chroot . env TMPDIR=/tmp LD_LIBRARY_PATH="$build" "$build/tools/atomicio" crash run --fs ext4 --cuts 3 --keep /tmp \
		--work "$build/examples/crash_page work journal {}" \
		--check "$build/examples/crash_page check journal {}"
}
export -f in_chroot
export work

crash_says_what_a_bare_chroot_lacks() {
	local step steps=(0 1 2 3) lacks=('/proc/self/exe: .*mount -t proc' '/sys/block: .*mount -t sysfs'
		'/dev/null: .*mount -t devtmpfs' 'no mount point.*mount --rbind DIR DIR')
	# The runtimes of sanitizers need a /proc themselves.
	! ldd "$tool" | grep -qE 'lib[at]san' || steps=(1 2 3)
	for step in "${steps[@]}"; do
		expect 2 unshare --mount --propagation private bash -c "in_chroot $step"
		says "${lacks[step]}"
		one_sentence
	done
	# And with all of it there, it runs.
	expect 0 unshare --mount --propagation private bash -c "in_chroot 4"
	prints '^3 cuts of ext4: 3 good'
}

crash_says_what_to_install() {
	local copy=$work/crash-copy
	mkdir -p "$copy"
	cp "$tool" "$copy/atomicio"
	expect 2 env LD_LIBRARY_PATH="$(dirname "$tool")/.." "$copy/atomicio" crash run
	says_alone 'install the package atomicio-crash'
}

crash_says_how_a_bad_work_ended() {
	expect_crash 2 crash_run --work 'echo out of paper; exit 3 # {}' --check 'true {}'
	says_alone 'with status 3 after 0 of 100 cuts.*out of paper'
	expect_crash 2 crash_run --work 'kill -9 $$ # {}' --check 'true {}'
	says_alone 'by signal 9 after 0 of'
	expect_crash 2 crash_run --work '/nonexistent {} 2>/dev/null' --check 'true {}'
	says_alone 'with status 127'
	expect_crash 2 crash_run --timeout 1 --work 'sleep 60 # {}' --check 'true {}'
	says_alone 'no cut in 1 s'
	# It acknowledges nothing, so that nothing can be demanded.
	expect_crash 2 crash_run --cuts 3 --check 'true {}' --work \
		'cd {}; while :; do echo TRY a 1; dd if=/dev/zero of=a bs=4k count=1 conv=fsync 2>/dev/null; done'
	says_alone 'nothing was proved'
}

crash_tells_a_bad_check_from_a_bad_disk() {
	local naive="$crash_page work naive {}"
	expect_crash 2 crash_run --work "$naive" --check 'echo no; exit 1 # {}'
	says_alone 'fails without a cut too'
	expect_crash 2 crash_run --work "$naive" --check '/nonexistent {}'
	says_alone 'the check cannot be run'
	expect_crash 2 crash_run --timeout 1 --work "$naive" --check 'sleep 60 # {}'
	prints 'the check did not end in time'
	clean
	rm -f "$crash_keep"/*
}

crash_catches_a_naive_writer_and_clears_a_journaled_one() {
	expect_crash 1 crash_run --seed 7 --work "$crash_page work naive {}" \
		--check "$crash_page check naive {}"
	prints 'of seed 7 is bad'
	prints 'mount -o loop '
	prints '^[0-9]+ cuts of ext4: [0-9]+ good, 1 bad'
	clean
	# The kept disk and lines show the same fault by hand.
	mkdir -p "$work/crash-look"
	mount -o loop "$crash_keep"/crash-7-*.img "$work/crash-look" || note "the kept disk has no ext4"
	"$crash_page" check naive "$work/crash-look" <"$(echo "$crash_keep"/crash-7-*.lines)" >"$out" &&
		note "the kept disk is good"
	umount "$work/crash-look"
	rm -f "$crash_keep"/*
	expect_crash 0 crash_run --cuts 40 --work "$crash_page work journal {}" \
		--check "$crash_page check journal {}"
	prints '^40 cuts of ext4: 40 good, 0 bad'
	clean
}

# A cut may tear the two sectors of ext4's superblock: no fault of the work.
crash_makes_an_ext4_that_mounts_with_a_torn_superblock() {
	local image
	expect_crash 1 crash_run --seed 8 --work "$crash_page work naive {}" \
		--check "$crash_page check naive {}"
	image=$(echo "$crash_keep"/crash-8-*.img)
	mkdir -p "$work/crash-look"
	# s_wtime, in the first sector; the checksum, if there is one, is in the second.
	printf 'TORN' | dd of="$image" bs=1 seek=$((1024 + 48)) conv=notrunc status=none
	if mount -o loop "$image" "$work/crash-look"; then
		umount "$work/crash-look"
	else
		note "a torn superblock cannot be mounted"
	fi
	rm -f "$crash_keep"/*
	clean
}

crash_ends_what_has_left_its_session() {
	expect_crash 0 crash_run --cuts 5 --work "setsid $crash_page work journal {} & wait" \
		--check "setsid sh -c 'cd \"\$0\"; sleep 300' {} & $crash_page check journal {}"
	prints '^5 cuts of ext4: 5 good'
	clean
	! pgrep -f "^sleep 30[0]$" >"$out" || note "a sleep is left"
}

crash_catches_a_disk_that_lies_about_flushes() {
	expect_crash 1 crash_run --work "$crash_page work journal {}" \
		--check "$crash_page check journal {}" --fault 'flush drop times=0'
	prints ' is bad '
	clean
	rm -f "$crash_keep"/*
	expect_crash 2 crash_run --cuts 2 --work "$crash_page work journal {}" \
		--check "$crash_page check journal {}" --fault 'write EIO content=no-such-content-anywhere'
	says_alone 'never fired'
}

# killed_at INJECTION: the run is killed while this system call of it is at its end
killed_at() {
	local dog run left
	TMPDIR=$crash_tmp strace -f -qq -o "$work/crash-trace" -e trace=mkdir,mount,clone,umount2 \
		-e inject="$1:delay_exit=400000" "$crash_program" run --fs ext4 --keep "$crash_keep" --cuts 1000 \
		--work "$crash_page work journal {}" --check "$crash_page check journal {}" >"$out" 2>"$err" &
	dog=none
	for _ in $(seq 500); do # the watchdog mounts and clones too
		grep DELAYED "$work/crash-trace" 2>/dev/null | grep -qv "^$dog " && run=$(pgrep -P "$dog" 2>/dev/null) && break
		sleep 0.02
		dog=$(pgrep -P $! -x atomicio-crash) || dog=none
	done
	kill -KILL "$run" || note "$1: there is no run"
	wait $!
	left=$(ls -A "$crash_tmp")
	[ -z "$left" ] || note "$1: left in the temporary directory: $left"
	rm -rf --one-file-system "${crash_tmp:?}"/*
	rm -f "$work/crash-trace"
	clean
}

# mkdir: the four directories of the run; mount: the disk, its filesystem and each cut; clone: the run,
# the server, mkfs, the work and each check.
crash_leaves_nothing_when_it_dies_while_it_makes_something() {
	local at
	for at in mkdir:when=1 mkdir:when=2 clone:when=2 mount:when=1 mount:when=2; do
		killed_at $at
	done
}

# stopped SIGNAL SECONDS WHOM: start a run, signal it, and wait for its end.
stopped() {
	local pid whom
	TMPDIR=$crash_tmp "$tool" crash run --fs ext4 --keep "$crash_keep" --cuts 1000 \
		--work "$crash_page work journal {}" --check "$crash_page check journal {}" \
		>"$out" 2>"$err" &
	pid=$!
	sleep "$2"
	whom=$pid
	[ "$3" = watchdog ] || whom=$(pgrep -P "$pid" | head -n 1)
	[ -z "$whom" ] || kill -"$1" "$whom"
	wait "$pid" 2>/dev/null
	# The other half of a run that was killed cleans up by itself.
	for _ in $(seq 300); do
		[ -n "$(ls -A "$crash_tmp")" ] || break
		sleep 0.1
	done
	clean
}

crash_leaves_a_clean_machine_whenever_it_is_stopped() {
	local moment
	for moment in 0.01 0.03 0.05 0.08 0.1 0.13 0.16 0.2 0.25 0.3 0.5 1; do
		stopped INT $moment watchdog
	done
	says 'ended by signal 2'
	stopped TERM 0.4 watchdog
	stopped HUP 0.4 watchdog
	stopped KILL 0.4 watchdog
	stopped KILL 0.4 run
	stopped KILL 0.1 run
}

if [ -x "$crash_program" ]; then
	try crash_says_what_is_missing_in_its_arguments
	try crash_needs_root nobody
	try crash_says_what_a_bare_chroot_lacks crash
	try crash_refuses_a_disk_below_the_minimum_of_its_filesystem crash
	try crash_says_that_there_is_no_room_for_its_directories crash
	try crash_says_how_a_bad_work_ended crash
	try crash_tells_a_bad_check_from_a_bad_disk crash
	try crash_catches_a_naive_writer_and_clears_a_journaled_one crash
	try crash_makes_an_ext4_that_mounts_with_a_torn_superblock crash
	try crash_ends_what_has_left_its_session crash
	try crash_catches_a_disk_that_lies_about_flushes crash
	try crash_leaves_a_clean_machine_whenever_it_is_stopped crash
	try crash_leaves_nothing_when_it_dies_while_it_makes_something crash strace
else
	echo "ok crash # SKIP needs libfuse3"
	skipped=$((skipped + 1))
fi
try crash_says_what_to_install

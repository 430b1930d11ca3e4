#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Debian packages: the same bytes from two directories, clean for lintian, and of use.
#
# Method: two copies of the sources in directories of different length are built and packed with
# Debian's own compiler flags and compared.  Then the packages are installed in an overlay over
# this machine's root, in a mount namespace of its own: nothing of it stays.  Needs root, and
# the packages dpkg-dev, lintian, cmake, g++ and what the library is built with.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0
log=$scratch/log

report() {
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		tail -n 40 "$log" | sed 's/^/# /'
		echo "not ok - $2"
		failures=$((failures + 1))
	fi
}

for tool in cpack dpkg-buildflags lintian c++; do
	command -v $tool >/dev/null || {
		echo "$tool is missing (Debian packages cmake, dpkg-dev, lintian, g++)"
		exit 77
	}
done

# make_packages DIRECTORY: copy, build and pack there
make_packages() {
	mkdir -p "$1" && tar -C "$root" --exclude=./build* --exclude=.git -cf - . | tar -C "$1" -xf - &&
		(
			flags=$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --export=sh)
			eval "$flags"
			export CFLAGS="$CFLAGS $CPPFLAGS" # as the README says
			unset SOURCE_DATE_EPOCH
			cd "$1" || exit 1
			cmake -S . -B out -DCMAKE_BUILD_TYPE=RelWithDebInfo -DATOMICIO_BUILD_TESTS=OFF \
				-DATOMICIO_BUILD_EXAMPLES=OFF -DCMAKE_INSTALL_PREFIX=/usr &&
				cmake --build out -j 2 && cd out && cpack
		) >"$log" 2>&1
}

one=$scratch/one
two=$scratch/a/directory/with/a/longer/name
make_packages "$one"
report $? the_packages_are_made
# Another time of day, umask and order of the directory entries.
(umask 077 && sleep 1 && make_packages "$two")
report $? the_packages_are_made_elsewhere
for file in libatomicio.a libatomicio.so tools/atomicio tools/crash/atomicio-crash engines/sqlite/mod_atomicio.so; do
	cmp "$one/out/$file" "$two/out/$file" >"$log" 2>&1
	report $? "${file##*/}_is_the_same_from_two_directories"
	! strings -a "$one/out/$file" | grep -F "$scratch" >"$log"
	report $? "${file##*/}_does_not_name_the_directory_it_was_built_in"
done
(cd "$one/out" && sha256sum ./*.deb) >"$scratch/sums"
[ "$(wc -l <"$scratch/sums")" = 9 ] && (cd "$two/out" && sha256sum -c "$scratch/sums") >"$log" 2>&1
report $? the_packages_are_the_same_from_two_directories
# These are no upload to Debian, and so close no bug of its.
lintian --allow-root --suppress-tags initial-upload-closes-no-bugs --fail-on error,warning "$one"/out/*.deb >"$log" 2>&1
report $? lintian_finds_no_error_and_no_warning
# What hardening is for: the checked variants are called.  lintian's tag is only informative.
lintian --allow-root --tags hardening-no-fortify-functions,hardening-no-bindnow,hardening-no-pie \
	"$one"/out/*.deb >"$log" 2>&1
for file in libatomicio.so tools/atomicio; do
	nm -D "$one/out/$file" | grep -q '_chk@' || echo "$file calls no checked function"
done >>"$log"
[ ! -s "$log" ]
report $? the_binaries_are_fortified
# The debug symbols are those of the binaries.
for package in libatomicio0.1 atomicio-tools atomicio-crash libsqlite3-mod-atomicio; do
	dpkg-deb -x "$one"/out/${package}_*.deb "$scratch/$package"
	dpkg-deb -x "$one"/out/$package-dbgsym_*.deb "$scratch/$package-dbgsym"
	find "$scratch/$package" -type f \( -name '*.so.*' -o -name 'mod_*.so' -o \
		-path '*/bin/*' -o -path '*/libexec/*' \) | while read -r file; do
		id=$(readelf -n "$file" | sed -nE 's/.*Build ID: ([0-9a-f]+).*/\1/p')
		readelf -S "$scratch/$package-dbgsym/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug" \
			2>/dev/null | grep -q debug_info || echo "no symbols for $file"
	done
done >"$log" 2>&1
[ ! -s "$log" ]
report $? debug_symbols_are_packages_of_their_own
dpkg-deb -c "$one"/out/atomicio-tools_*.deb | grep -q bash-completion/completions/atomicio >"$log"
report $? the_tools_package_has_the_completion
# Of the packages that users install doc/install.md has the sizes, to a quarter.
for deb in "$one"/out/*.deb; do
	package=$(dpkg-deb -f "$deb" Package) size=$(dpkg-deb -f "$deb" Installed-Size)
	echo "# installed size: $package $size KiB"
	[[ $package != *-dbgsym ]] || continue
	told=$(sed -nE "s/^\| $package, installed \| ([0-9]+) KiB \|$/\1/p" "$root/doc/install.md")
	echo "$package has $size KiB, and doc/install.md says '$told'" >"$log"
	[ -n "$told" ] && [ $((size * 4)) -le $((told * 5)) ] && [ $((size * 4)) -ge $((told * 3)) ]
	report $? "the_manual_of_installing_has_the_size_of_$package"
done

# The packages and nothing else, where they can be installed without harm.
readonly used=$scratch/root/tmp/packages
use_packages() {
	mount -t tmpfs none "$scratch/overlay" && mkdir "$scratch/overlay/"{upper,work} &&
		mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/overlay/upper,workdir=$scratch/overlay/work" \
			"$scratch/root" || return
	for directory in proc sys dev; do
		mount --rbind "/$directory" "$scratch/root/$directory" || return
	done
	mount -t tmpfs none "$scratch/root/tmp" && mkdir "$used" &&
		cp "$one"/out/*.deb "$root/tests/abi/consumer.c" "$root/tests/package/consumer.sh" "$used/" || return
	(cd "$root/man" && for page in *.[1-9]; do echo "manual: man${page##*.}/$page"; done) >"$used/expected"
	chroot "$scratch/root" bash /tmp/packages/consumer.sh /tmp/packages || return
	left_behind >"$scratch/left"
	sed 's/^/# left behind: /' "$scratch/left"
	[ ! -s "$scratch/left" ] || { echo "not ok - nothing_is_left_behind" && return 1; }
	echo "ok - nothing_is_left_behind"
}
# What differs from the machine below, but for what package management keeps for itself.
left_behind() {
	cd "$scratch/overlay/upper" || return
	find . \( -path ./var/lib/dpkg -o -path ./var/cache -o -path ./var/log -o \
		-path ./etc/ld.so.cache \) -prune -o -type d ! -exec test -d '/{}' \; -print -o \
		! -type d -print
}
if [ "$(id -u)" != 0 ]; then
	echo "ok - the_packages_install # SKIP needs root"
elif dpkg-query -W -f '${Status}' libatomicio0.1 2>/dev/null | grep -q 'ok installed'; then
	echo "ok - the_packages_install # SKIP libatomicio0.1 is installed on this machine"
else
	mkdir "$scratch/overlay" "$scratch/root"
	export -f use_packages left_behind
	export scratch root one used
	unshare -m --propagation private bash -c use_packages 2>"$log"
	status=$?
	[ $status = 0 ]
	report $? the_packages_can_be_used
fi
[ $failures = 0 ]

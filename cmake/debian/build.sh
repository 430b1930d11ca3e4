#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Make the Debian packages of a built tree; cpack calls it (cmake/package.cmake).
#
#	build.sh BUILD OUTPUT VERSION
#
# Rules: the same sources give the same bytes, so every time in a package is SOURCE_DATE_EPOCH,
# by default that of the changelog; the symbols file is made from the linker's map, so that a
# symbol is listed in one place, and dpkg-gensymbols compares it with the binary.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1
output=$2
version=$3
work=$build/package
export LC_ALL=C TZ=UTC DEB_RULES_REQUIRES_ROOT=no
umask 022

for tool in dpkg-gensymbols dpkg-shlibdeps dpkg-gencontrol dpkg-parsechangelog dpkg-deb strip; do
	command -v $tool >/dev/null || {
		echo "$tool is missing: install the Debian packages dpkg-dev and binutils." >&2
		exit 1
	}
done
rm -rf "$work"
mkdir -p "$work/debian" "$output"
cp "$here/control" "$here/changelog" "$work/debian/"
cd "$work"
full=$(dpkg-parsechangelog -S Version)
[ "${full%-*}" = "$version" ] || {
	echo "cmake/debian/changelog is for ${full%-*}, the project is $version." >&2
	exit 1
}
: "${SOURCE_DATE_EPOCH:=$(dpkg-parsechangelog -S Timestamp)}"
export SOURCE_DATE_EPOCH

# One line for each symbol: the release whose map brought it.
symbols() {
	echo "libatomicio.so.0.1 libatomicio0.1 #MINVER#"
	echo "* Build-Depends-Package: libatomicio-dev"
	awk '/^LIBATOMICIO_[0-9.]+ \{/ { node = $1; since = substr(node, 13)
			print " " node "@" node " " since }
		/^\tatomicio_[a-z0-9_]+;/ { name = $1; sub(/;.*/, "", name)
			print " " name "@" node " " since }' "$here/../../lib/libatomicio.map" | sort
}
symbols >debian/libatomicio0.1.symbols

# debug_symbols PACKAGE: what strip takes out, where debuggers look by build id, as PACKAGE-dbgsym
debug_symbols() {
	local package=$1 root=$work/debian/$1 target=$work/debian/$1-dbgsym file id ids=()
	while read -r file; do
		id=$(readelf -n "$file" | sed -nE 's/.*Build ID: ([0-9a-f]+).*/\1/p')
		[ -n "$id" ] || continue
		ids+=("$id")
		install -d "$target/usr/lib/debug/.build-id/${id:0:2}"
		objcopy --only-keep-debug --compress-debug-sections "$file" \
			"$target/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
		chmod 644 "$target/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
	done < <(find "$root/usr" -type f \( -name '*.so.*' -o -name 'mod_*.so' -o -path '*/bin/*' -o -path '*/libexec/*' \))
	[ ${#ids[@]} != 0 ] || return 0
	install -d "$target/DEBIAN" "$target/usr/share/doc"
	ln -s "$package" "$target/usr/share/doc/$package-dbgsym"
	printf '%s\n' "${ids[*]}" >"$work/$package.ids"
}

# stage PACKAGE COMPONENT: the installed files, as Debian wants them
stage() {
	local package=$1 root=$work/debian/$1 doc=$work/debian/$1/usr/share/doc/$1
	DESTDIR=$root cmake --install "$build" --component "$2" >"$work/$1.log"
	install -d "$doc" "$root/DEBIAN"
	install -m 644 "$here/copyright" "$doc/"
	gzip -9n <"$here/changelog" >"$doc/changelog.Debian.gz"
	[ ! -d "$root/usr/share/man" ] ||
		find "$root/usr/share/man" -type f -exec gzip -9nf {} +
	debug_symbols "$package"
	find "$root/usr" -type f \( -name '*.so.*' -o -name 'mod_*.so' -o -path '*/bin/*' -o -path '*/libexec/*' \) -exec \
		strip --remove-section=.comment --remove-section=.note {} +
	find "$root/usr" -name '*.a' -exec \
		strip --strip-debug --enable-deterministic-archives --remove-section=.comment {} +
}

# finish PACKAGE [PACKAGE-dbgsym]: control files, then the package
finish() {
	local root=$work/debian/${2:-$1}
	if [ $# = 2 ]; then
		dpkg-gencontrol -p"$1" -P"debian/$2" -DPackage="$2" -DSection=debug -DPriority=optional \
			-DAuto-Built-Package=debug-symbols -DMulti-Arch=same -UReplaces -UBreaks \
			-DDepends="$1 (= $full)" -DDescription="debug symbols for $1" \
			-DBuild-Ids="$(cat "$work/$1.ids")"
	else
		dpkg-gencontrol -p"$1" -P"debian/$1" -Tdebian/"$1".substvars
	fi
	(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
	find "$root" -type d -exec chmod 755 {} +
	find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	dpkg-deb --root-owner-group -Zxz --build "$root" "$output" >/dev/null
}

stage libatomicio0.1 runtime
stage libatomicio-dev dev
stage atomicio-tools tools
packages=(libatomicio0.1 libatomicio-dev atomicio-tools)
if [ -e "$build/tools/crash/atomicio-crash" ]; then # built where libfuse3 was found
	stage atomicio-crash crash
	packages+=(atomicio-crash)
fi
if [ -e "$build/engines/sqlite/mod_atomicio.so" ]; then # built where SQLite's headers were found
	stage libsqlite3-mod-atomicio sqlite
	packages+=(libsqlite3-mod-atomicio)
fi
dpkg-gensymbols -plibatomicio0.1 -Pdebian/libatomicio0.1 -v"$full" -c4
echo "libatomicio 0.1 libatomicio0.1 (>= ${full%-*})" >debian/libatomicio0.1/DEBIAN/shlibs
echo "activate-noawait ldconfig" >debian/libatomicio0.1/DEBIAN/triggers
dpkg-shlibdeps -Tdebian/libatomicio0.1.substvars debian/libatomicio0.1/usr/lib/*/libatomicio.so.*.*
dpkg-shlibdeps -Tdebian/atomicio-tools.substvars -Sdebian/libatomicio0.1 debian/atomicio-tools/usr/bin/*
[ ! -e debian/atomicio-crash ] ||
	dpkg-shlibdeps -Tdebian/atomicio-crash.substvars debian/atomicio-crash/usr/libexec/libatomicio/*
[ ! -e debian/libsqlite3-mod-atomicio ] ||
	dpkg-shlibdeps -Tdebian/libsqlite3-mod-atomicio.substvars -Sdebian/libatomicio0.1 \
		debian/libsqlite3-mod-atomicio/usr/{bin/*,lib/*/libatomicio/mod_*.so}
touch debian/libatomicio-dev.substvars
for package in "${packages[@]}"; do
	finish "$package"
	[ ! -d "debian/$package-dbgsym" ] || finish "$package" "$package-dbgsym"
done

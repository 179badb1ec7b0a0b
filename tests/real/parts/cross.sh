# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# A compiler for Windows and macOS, and Wine to run what it makes for Windows.

# In the user's cache, for all checkouts. The compiler's libraries are packages that apt can name only by its lists, which
# installing the first ones renews.
set_up_cross() {
	if [[ $(uname -m) != x86_64 ]] || ! have dpkg; then
		reason='the compiler for other platforms is unpacked from Debian packages, on x86_64'
		return 1
	fi
	local packages=()
	have patchelf || packages+=(patchelf)
	have x86_64-w64-mingw32-gcc || packages+=(gcc-mingw-w64-x86-64-win32)
	have wine64 || [[ -x /usr/lib/wine/wine64 ]] || packages+=(wine64)
	if ((${#packages[@]})); then install "${packages[@]}" || return 1; fi
	local missing
	missing=$(tests/cross/set-up --missing windows macos)
	# shellcheck disable=SC2086 # names of packages
	if [[ -n $missing ]]; then install $missing || return 1; fi
	if ! tests/cross/set-up windows macos 2>"$work/cross.log"; then
		reason="the compiler for other platforms: $(tail -n 1 "$work/cross.log")"
		return 1
	fi
	export BROKERD_TEST_CROSS=1
}

# shellcheck shell=bash disable=SC2034 # sourced by the scripts beside it
# Where the tools for other platforms are kept, and the targets they are for.

# Outside of the checkout, so that the next one finds them: they take two minutes to make and 700 MB to keep.
cross=${XDG_CACHE_HOME:-$HOME/.cache}/brokerd-tests/cross
toolchain=$cross/rust/usr
windows=x86_64-pc-windows-gnu
macos=aarch64-apple-darwin
macos_intel=x86_64-apple-darwin
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$(readlink -f "$here/../..")
# What is built from the checkout stays in it: cargo takes what another checkout built for its own when that is younger.
built=$root/target/cross

# cross_target TARGET: where cargo puts what it builds for it.
cross_target() {
	echo "${BROKERD_CROSS_TARGET_DIR:-$built}/$1"
}

# cross_cargo ARGUMENT…: the cargo of that toolchain, whatever rustup and the caller's environment say. What it
# builds is kept apart from what the host's cargo builds. No debug information: it takes time to write, and a panic says
# its line without.
cross_cargo() {
	env -u RUSTUP_TOOLCHAIN -u RUSTC -u RUSTC_WRAPPER -u RUSTC_WORKSPACE_WRAPPER -u CARGO -u CARGO_BUILD_TARGET \
		-u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS CARGO_PROFILE_DEV_DEBUG=none CARGO_INCREMENTAL=0 \
		PATH="$toolchain/bin:$PATH" CARGO_TARGET_DIR="${BROKERD_CROSS_TARGET_DIR:-$built}" \
		"$toolchain/bin/cargo" "$@"
}

# standard_library TARGET: what there is of it, "full" (to build), "metadata" (to check) or nothing.
standard_library() {
	cat "$cross/std-$1" 2>/dev/null || true
}

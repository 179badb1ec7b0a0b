# shellcheck shell=bash disable=SC2154 # sourced by tests/cross/run, whose functions and variables these are
# What tests/cross/run does on demand: scenarios under Wine; the tests' types for macOS; Intel's Macs; macOS and aarch64 Linux linked.

arm=aarch64-unknown-linux-gnu
programs=(--package brokerd --package brokerctl --bins)

# zig_build TARGET…: with zig as the C compiler and the linker, in a directory of its own, because what no-cc made is no object.
zig_build() {
	PATH=$cross/zig-venv/bin:$PATH ZIG_GLOBAL_CACHE_DIR=$cross/zig-cache CARGO_ZIGBUILD_CACHE_DIR=$cross/zig-cache/build \
		CARGO_PROFILE_DEV_STRIP=none BROKERD_CROSS_TARGET_DIR=$built/zig \
		cross_cargo zigbuild --locked --quiet "${programs[@]}" --target "$1"
}

set_up_long() {
	local missing
	missing=$("$here/set-up" --missing macos-x86_64 macos-link linux)
	if [[ -n $missing ]]; then
		echo "install first: ${missing//$'\n'/ }"
		return 1
	fi
	"$here/set-up" macos-x86_64 macos-link linux
}

# What Apple's linker would find in a Mac's SDK: the frameworks, as lists of the names that the crates declare. That a Mac
# has each of them is not shown.
macos_link() {
	local sdk=$cross/apple-sdk
	cross_cargo fetch --locked --quiet --target "$macos" && "$here/apple-stubs" "$sdk" || return 1
	SDKROOT=$sdk zig_build "$macos" || return 1
	file "$built/zig/$macos/debug/brokerd" "$built/zig/$macos/debug/brokerctl"
}

arm_runs() {
	zig_build "$arm" || return 1
	local program
	for program in brokerd brokerctl; do
		qemu-aarch64 -L /usr/aarch64-linux-gnu "$built/zig/$arm/debug/$program" --version || return 1
	done
}

part 'set-up of the long form' set_up_long
part 'Windows: scenarios under Wine' windows_tests --test scenarios
part 'macOS: lints, with all tests' macos_check "$macos" clippy --all-targets -- -D warnings
part 'macOS on Intel: type check' macos_check "$macos_intel" check --exclude broker-tests
part 'macOS: link' macos_link
part 'Linux, aarch64: link and start' arm_runs

# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# What makes the .deb. From crates.io, where it is not there yet; a debug build, which is soon made.

set_up_cargo_deb() {
	if ! have dpkg-shlibdeps; then install dpkg-dev || return 1; fi
	if ! have cargo-deb; then
		echo 'cargo install cargo-deb'
		if ! cargo install --quiet --debug --locked --root target/tools cargo-deb >"$work/cargo-deb.log" 2>&1; then
			reason="cargo could not install cargo-deb: $(first_error '^error' "$work/cargo-deb.log")"
			return 1
		fi
	fi
	export BROKERD_TEST_CARGO_DEB
	BROKERD_TEST_CARGO_DEB=$(command -v cargo-deb || echo "$PWD/target/tools/bin/cargo-deb")
}

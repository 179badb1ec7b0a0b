# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# pnpm, which has a helper for tokens.

# After the provider, which sees to Node.js.
set_up_pnpm() {
	if ! have npm; then
		reason='there is no npm'
		return 1
	fi
	local pnpm=$PWD/tests/real/pnpm
	if [[ ! $pnpm/node_modules/.package-lock.json -nt $pnpm/package-lock.json ]]; then
		echo 'npm ci in tests/real/pnpm'
		if ! (cd "$pnpm" && npm ci --loglevel=error) >"$work/npm.log" 2>&1 </dev/null; then
			reason="npm ci failed: $(first_error -i error "$work/npm.log")"
			return 1
		fi
	fi
	export BROKERD_TEST_PNPM=$pnpm/node_modules/.bin/pnpm
}

# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# pnpm, which has a helper for tokens.

# After the provider, which sees to Node.js.
set_up_pnpm() {
	npm_ci tests/real/pnpm || return 1
	export BROKERD_TEST_PNPM=$PWD/tests/real/pnpm/node_modules/.bin/pnpm
}

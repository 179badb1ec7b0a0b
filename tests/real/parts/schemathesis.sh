# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# schemathesis, which makes requests of an OpenAPI description.

set_up_schemathesis() {
	venv tests/real/schemathesis || return 1
	export BROKERD_TEST_SCHEMATHESIS=$PWD/tests/real/schemathesis/venv/bin/schemathesis
}

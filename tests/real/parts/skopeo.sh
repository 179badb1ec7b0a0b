# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# What looks into registries of container images.

set_up_skopeo() {
	have skopeo || install skopeo || return 1
	export BROKERD_TEST_SKOPEO=1
}

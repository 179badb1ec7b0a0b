# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# A certified OpenID provider (npm).

node_is_new_enough() {
	have node && [[ $(node --version) =~ ^v([0-9]+)\. ]] && ((BASH_REMATCH[1] >= 18))
}

set_up_node_itself() {
	if ! node_is_new_enough || ! have npm; then
		local packages=(npm)
		node_is_new_enough || packages+=(nodejs)
		install "${packages[@]}" || return 1
		hash -r
		if ! node_is_new_enough; then
			reason="Node.js 18 or newer is needed, $(node --version) is what there is"
			return 1
		fi
	fi
}

set_up_provider() {
	set_up_node_itself && npm_ci tests/real/idp || return 1
	export BROKERD_TEST_OIDC_PROVIDER=$PWD/tests/real/idp
}

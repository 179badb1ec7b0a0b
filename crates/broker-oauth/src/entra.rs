//! Microsoft Entra's authorities: the clouds with their aliases, the tenants, and the relatives that look like one.
//!
//! | Authority | Device flow |
//! |---|---|
//! | a cloud of Entra ID, `https://HOST` | `HOST/TENANT/oauth2/v2.0/…` |
//! | Entra External ID (CIAM), `https://NAME.ciamlogin.com` | the same, in one tenant |
//! | AD FS, `https://HOST/adfs` | `HOST/adfs/oauth2/…` |
//! | Azure AD B2C, dSTS | none |

use url::Url;

use crate::metadata::Endpoints;

/// The public cloud.
pub const PUBLIC: &str = "https://login.microsoftonline.com";

/// A cloud: its name in the configuration, and the hosts that are one authority. The first is the one to speak to.
struct Cloud {
    name: &'static str,
    hosts: &'static [&'static str],
}

/// What instance discovery says, which changes once in years. Asking it would put a request in front of each sign-in.
const CLOUDS: &[Cloud] = &[
    Cloud {
        name: "public",
        hosts: &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
    },
    Cloud { name: "us-government", hosts: &["login.microsoftonline.us", "login.usgovcloudapi.net"] },
    Cloud { name: "china", hosts: &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"] },
    Cloud { name: "bleu", hosts: &["login.sovcloud-identity.fr"] },
    Cloud { name: "delos", hosts: &["login.sovcloud-identity.de"] },
    Cloud { name: "govsg", hosts: &["login.sovcloud-identity.sg"] },
];

/// Microsoft Cloud Germany, closed in 2021.
const CLOSED: &str = "login.microsoftonline.de";

/// What an authority is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Entra ID, or a server that speaks as it does.
    Entra,
    /// Entra External ID: a tenant with a host of its own.
    Ciam {
        /// The tenant's domain.
        tenant: String,
    },
    /// AD FS: endpoints of its own, see [`adfs_endpoints`].
    Adfs,
    /// Azure AD B2C: it has no device flow.
    B2c,
    /// Microsoft's own dSTS: not for anybody else.
    Dsts,
    /// A cloud that is no more.
    Closed,
}

/// The names of the clouds, for the configuration.
pub fn clouds() -> impl Iterator<Item = &'static str> {
    CLOUDS.iter().map(|cloud| cloud.name)
}

/// The authority of a cloud; `None` if no cloud has that name.
pub fn cloud(name: &str) -> Option<Url> {
    let cloud = CLOUDS.iter().find(|cloud| cloud.name == name)?;
    Url::parse(&format!("https://{}", cloud.hosts[0])).ok()
}

/// Whether the host is one of a cloud's, where every tenant is.
pub fn is_cloud(authority: &Url) -> bool {
    preferred(authority).is_some()
}

/// The same authority by its preferred host: an account is the same whatever name the cloud is given.
pub fn canonical(mut authority: Url) -> Url {
    if let Some(host) = preferred(&authority) {
        // A host that stands in the table is one.
        authority.set_host(Some(host)).ok();
    }
    authority
}

fn preferred(authority: &Url) -> Option<&'static str> {
    let host = authority.host_str()?;
    let of_a_cloud = authority.scheme() == "https" && authority.port().is_none();
    let cloud = CLOUDS.iter().find(|cloud| cloud.hosts.contains(&host))?;
    of_a_cloud.then_some(cloud.hosts[0])
}

/// What an authority is, by its host and path as the MSAL libraries tell them apart.
pub fn kind(authority: &Url) -> Kind {
    let host = authority.host_str().unwrap_or_default();
    let first = authority.path_segments().and_then(|mut segments| segments.next()).unwrap_or_default();
    let ciam = host.strip_suffix(".ciamlogin.com").filter(|name| !name.contains('.'));
    if host == CLOSED {
        Kind::Closed
    } else if let Some(name) = ciam {
        Kind::Ciam { tenant: format!("{name}.onmicrosoft.com") }
    } else if host.ends_with(".b2clogin.com") || first == "tfp" || has_policy(authority) {
        Kind::B2c
    } else if first.eq_ignore_ascii_case("dstsv2") {
        Kind::Dsts
    } else if first.eq_ignore_ascii_case("adfs") {
        Kind::Adfs
    } else {
        Kind::Entra
    }
}

/// Whether a path names a user flow of B2C: `TENANT/b2c_1_NAME`.
fn has_policy(authority: &Url) -> bool {
    authority.path().to_ascii_lowercase().split('/').any(|segment| segment.starts_with("b2c_1"))
}

/// The v2.0 endpoints for a tenant (an id, a domain, or `organizations`, `common`, `consumers`). Entra has no revocation
/// endpoint. `None` if the tenant is no host name or id.
pub fn endpoints(authority: &Url, tenant: &str) -> Option<Endpoints> {
    let at = |leaf: &str| below(authority, &format!("{tenant}/oauth2/v2.0/{leaf}"));
    is_tenant(tenant).then(|| Endpoints {
        token: at("token"),
        device_authorization: Some(at("devicecode")),
        revocation: None,
        userinfo: None,
    })
}

/// A tenant's metadata document, which says whether the tenant exists.
pub fn metadata_url(authority: &Url, tenant: &str) -> Url {
    below(authority, &format!("{tenant}/v2.0/.well-known/openid-configuration"))
}

/// The endpoints of AD FS 2019 and later, `authority` being `https://HOST/adfs`.
pub fn adfs_endpoints(authority: &Url) -> Endpoints {
    let at = |leaf: &str| below(authority, &format!("oauth2/{leaf}"));
    Endpoints { token: at("token"), device_authorization: Some(at("devicecode")), revocation: None, userinfo: None }
}

/// The tenant a refresh goes to. An account signed in under `common` or `organizations` lives in its home tenant, and that
/// is the one to ask, as the MSAL libraries do: `home_id` is `uid.utid` of `client_info`.
pub fn silent_tenant<'t>(tenant: &'t str, home_id: Option<&'t str>) -> &'t str {
    let anyones = ["common", "organizations"].iter().any(|word| tenant.eq_ignore_ascii_case(word));
    let home = home_id.and_then(|home| home.rsplit_once('.')).map(|(_, utid)| utid).filter(|utid| is_id(utid));
    home.filter(|_| anyones).unwrap_or(tenant)
}

/// Whether it can be a tenant: an id, a domain or one of the words. It becomes part of a path.
pub fn is_tenant(tenant: &str) -> bool {
    !tenant.is_empty()
        && tenant.len() <= 253
        && tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
        && !tenant.starts_with('.')
}

fn is_id(text: &str) -> bool {
    let dash = |at| matches!(at, 8 | 13 | 18 | 23);
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| if dash(at) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

fn below(authority: &Url, path: &str) -> Url {
    let mut url = authority.clone();
    url.set_path(&format!("{}/{path}", authority.path().trim_end_matches('/')));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn tenants_are_templated_and_cannot_leave_the_template() {
        let public = url(PUBLIC);
        let good = endpoints(&public, "contoso.onmicrosoft.com").unwrap();
        assert_eq!(
            good.device_authorization.unwrap().as_str(),
            "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/devicecode"
        );
        for bad in ["", "..", "a/b", "a?b", "a b", "x#y"] {
            assert_eq!(endpoints(&public, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_tenants_id_is_thirty_two_digits_and_four_dashes() {
        for (text, is) in [
            ("0123abcd-0123-abcd-0123-0123456789AB", true),
            ("0123abcd-0123-abcd-0123-0123456789A", false),
            ("0123abcd-0123-abcd-0123-0123456789AG", false),
            ("0123abcd0123-abcd-0123-0123-456789AB", false),
            ("", false),
        ] {
            assert_eq!(is_id(text), is, "{text}");
        }
    }

    #[test]
    fn a_clouds_hosts_are_its_own() {
        assert!(is_cloud(&url(PUBLIC)) && is_cloud(&url("https://login.windows.net")));
        assert!(!is_cloud(&url("https://login.windows.net.evil.example")));
    }

    #[test]
    fn aliases_are_one_authority_and_strangers_are_left_alone() {
        for (alias, host) in [
            ("https://login.windows.net/", "login.microsoftonline.com"),
            ("https://STS.windows.net", "login.microsoftonline.com"),
            ("https://login.microsoft.com", "login.microsoftonline.com"),
            ("https://login.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
            ("https://login.usgovcloudapi.net", "login.microsoftonline.us"),
            ("https://login.sovcloud-identity.fr", "login.sovcloud-identity.fr"),
            ("https://login.windows.net.evil.example", "login.windows.net.evil.example"),
            ("https://login.windows.net:8443", "login.windows.net"),
        ] {
            assert_eq!(canonical(url(alias)).host_str(), Some(host), "{alias}");
        }
        assert_eq!(clouds().map(|name| cloud(name).unwrap()).filter(is_cloud).count(), CLOUDS.len());
        assert_eq!(cloud("germany"), None);
    }

    #[test]
    fn relatives_are_told_apart() {
        for (authority, want) in [
            (PUBLIC, Kind::Entra),
            ("http://127.0.0.1:7001", Kind::Entra),
            ("https://contoso.ciamlogin.com", Kind::Ciam { tenant: "contoso.onmicrosoft.com".into() }),
            ("https://a.b.ciamlogin.com", Kind::Entra),
            ("https://fs.contoso.com/adfs/", Kind::Adfs),
            ("https://contoso.b2clogin.com", Kind::B2c),
            ("https://login.microsoftonline.com/tfp/contoso.onmicrosoft.com/p", Kind::B2c),
            ("https://id.contoso.com/contoso.onmicrosoft.com/B2C_1_signin", Kind::B2c),
            ("https://co2agg04-dsts.dsts.core.windows.net/dstsv2/x", Kind::Dsts),
            ("https://login.microsoftonline.de", Kind::Closed),
        ] {
            assert_eq!(kind(&url(authority)), want, "{authority}");
        }
    }

    #[test]
    fn adfs_is_templated_as_msal_does() {
        let endpoints = adfs_endpoints(&url("https://fs.contoso.com/adfs"));
        assert_eq!(endpoints.token.as_str(), "https://fs.contoso.com/adfs/oauth2/token");
        assert_eq!(endpoints.device_authorization.unwrap().as_str(), "https://fs.contoso.com/adfs/oauth2/devicecode");
    }

    #[test]
    fn a_refresh_goes_home_where_the_tenant_is_anyones() {
        let id = "c0ffee00-0000-4000-8000-000000000001";
        let home = format!("5ab00000-0000-4000-8000-0000000000aa.{id}");
        for (tenant, home_id, want) in [
            ("common", Some(home.as_str()), id),
            ("Organizations", Some(&home), id),
            ("consumers", Some(&home), "consumers"),
            ("contoso.onmicrosoft.com", Some(&home), "contoso.onmicrosoft.com"),
            ("common", None, "common"),
            ("common", Some("a-subject"), "common"),
            ("common", Some("u.../../x"), "common"),
        ] {
            assert_eq!(silent_tenant(tenant, home_id), want, "{tenant} {home_id:?}");
        }
    }
}

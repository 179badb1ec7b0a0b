//! Where a profile's endpoints are: from the file, from a template, or by asking the issuer (RFC 8414, OpenID Connect Discovery).

use std::sync::PoisonError;
use std::time::Duration;

use broker_oauth::backoff::Trouble;
use broker_oauth::device;
use broker_oauth::dialect::EndpointSource;
use broker_oauth::entra;
use broker_oauth::failure::Failure;
use broker_oauth::metadata::{self, Endpoints, MetadataError};
use broker_oauth::token::Target;
use broker_oauth::wire::{Form, ProviderRequest, ProviderResponse, is_refusal};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{Fault, Provider, settle};
use crate::config::Authority;

/// Metadata changes rarely, and a daemon lives long.
const METADATA_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long endpoints that are known already wait for newer ones: a refresh waits behind them.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long they serve before the issuer is asked once more, where it did not say anything of use.
const ASK_AGAIN: Duration = Duration::from_secs(5 * 60);

impl Provider {
    /// Returns the endpoints; the first time, and once a day, by asking the issuer.
    pub(crate) async fn endpoints(&self, tenant: Option<&str>) -> Result<Endpoints, Fault> {
        match &self.profile.authority {
            Authority::Explicit { endpoints, .. } => Ok(Endpoints::clone(endpoints)),
            Authority::Entra { authority, tenant: own } => {
                let tenant = tenant.unwrap_or(own);
                entra::endpoints(authority, tenant)
                    .ok_or_else(|| Fault::Misconfigured(format!("tenant {tenant:?} is neither an id nor a domain")))
            }
            Authority::Issuer { name, url } => self.discover(name, url).await,
        }
    }

    /// Where a grant is refreshed: an account of anybody's tenant is asked for at home.
    pub(super) async fn refresh_endpoints(&self, target: &Target, home_id: Option<&str>) -> Result<Endpoints, Fault> {
        let tenant = match (&target.tenant, &self.profile.authority) {
            (None, Authority::Entra { tenant, .. }) => Some(entra::silent_tenant(tenant, home_id)),
            (tenant, _) => tenant.as_deref(),
        };
        self.endpoints(tenant).await
    }

    async fn discover(&self, issuer: &str, url: &url::Url) -> Result<Endpoints, Fault> {
        let known = self.discovered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((endpoints, found)) if found.elapsed() < METADATA_LIFE => Ok(endpoints),
            Some((endpoints, found)) => Ok(self.look_for_newer(issuer, url).await.unwrap_or_else(|| {
                self.put_off(found);
                endpoints
            })),
            None => self.ask_issuer(issuer, url).await,
        }
    }

    /// What was true yesterday is a better guess than what stands in for the provider today.
    async fn look_for_newer(&self, issuer: &str, url: &url::Url) -> Option<Endpoints> {
        tokio::time::timeout(PATIENCE, self.ask_issuer(issuer, url)).await.ok()?.ok()
    }

    /// Asks no more for a while, unless others have found newer ones meanwhile.
    fn put_off(&self, last: Instant) {
        if let Some((_, found)) = &mut *self.discovered.lock().unwrap_or_else(PoisonError::into_inner)
            && *found == last
        {
            *found += last.elapsed().saturating_sub(METADATA_LIFE) + ASK_AGAIN;
        }
    }

    fn remember(&self, endpoints: Endpoints, found: Instant) {
        *self.discovered.lock().unwrap_or_else(PoisonError::into_inner) = Some((endpoints, found));
    }

    /// An issuer that has no metadata, or another's, is left alone for a while like an endpoint in trouble.
    async fn ask_issuer(&self, issuer: &str, url: &url::Url) -> Result<Endpoints, Fault> {
        let pass = self.enter(url)?;
        match self.read_metadata(issuer, url).await {
            Ok(endpoints) => {
                pass.well();
                Ok(endpoints)
            }
            // Each address has a gate of its own, which is shut by now.
            Err(fault @ (Fault::Away { .. } | Fault::Unreachable(_))) => Err(fault),
            Err(fault) => Err(pass.failed(Trouble::Unanswered, fault, None)),
        }
    }

    async fn read_metadata(&self, issuer: &str, url: &url::Url) -> Result<Endpoints, Fault> {
        let mut passing = None;
        let base = url;
        for url in metadata::discovery_urls(url) {
            let request = ProviderRequest::get(url);
            let answered = match self.enter(&request.url) {
                Ok(pass) => settle(pass, self.fetch(&request).await, metadata_document, Trouble::of),
                Err(closed) => Err(closed),
            };
            match answered {
                Ok(Some(document)) => {
                    let mut endpoints = metadata::endpoints(issuer, &document).map_err(|error| misread(&error))?;
                    self.complete(&mut endpoints, base);
                    self.remember(endpoints.clone(), Instant::now());
                    return Ok(endpoints);
                }
                Ok(None) => {}
                Err(fault) if fault.is_of_the_way() => return Err(fault),
                Err(fault) => {
                    passing.get_or_insert(fault);
                }
            }
        }
        Err(passing
            .unwrap_or_else(|| Fault::Misconfigured(format!("there is no provider metadata at the issuer {issuer}"))))
    }

    /// Adds what the metadata leaves out, where the provider is known to have it.
    fn complete(&self, endpoints: &mut Endpoints, base: &url::Url) {
        let EndpointSource::Issuer { known: Some(known), .. } = self.profile.registration.provider.dialect().endpoints
        else {
            return;
        };
        endpoints.device_authorization.get_or_insert_with(|| known.url(base, known.device_authorization));
        endpoints.revocation = endpoints.revocation.take().or(known.revocation.map(|path| known.url(base, path)));
        endpoints.userinfo = endpoints.userinfo.take().or(known.userinfo.map(|path| known.url(base, path)));
    }

    /// Looks whether the provider answers, and for what it answers. Reads its metadata anew where it has some.
    pub(crate) async fn probe(&self) -> Result<Endpoints, Fault> {
        let endpoints = self.endpoints(None).await?;
        match &self.profile.authority {
            Authority::Issuer { .. } => {}
            // Entra's document says whether the tenant exists.
            Authority::Entra { authority, tenant } => {
                let request = ProviderRequest::get(entra::metadata_url(authority, tenant));
                if let Some(failure) = unlike_metadata(&self.fetch(&request).await?) {
                    return Err(failure.into());
                }
            }
            // A token endpoint answers a POST; to a GET, some have a page for people.
            Authority::Explicit { endpoints, .. } => {
                let form = Form::new([("grant_type", Some(device::GRANT_TYPE))]);
                let request = ProviderRequest { form: Some(form), ..ProviderRequest::get(endpoints.token.clone()) };
                if let Some(failure) = unlike_token_endpoint(&self.fetch(&request).await?) {
                    return Err(failure.into());
                }
            }
        }
        Ok(endpoints)
    }
}

/// What shows that an answer is no metadata document of Entra's.
fn unlike_metadata(response: &ProviderResponse) -> Option<Failure> {
    match response.object() {
        Some(object) if is_refusal(&object) => Some(Failure::oauth(response, &object)),
        Some(object) if response.status == 200 && object.contains_key("issuer") => None,
        _ => Some(Failure::not_oauth(response)),
    }
}

/// What shows that an answer to a request without a client is not a token endpoint's. That refuses it, in whatever words;
/// a page with status 200, a redirect and an outage are somebody else's.
fn unlike_token_endpoint(response: &ProviderResponse) -> Option<Failure> {
    let object = response.object();
    match (response.status, object) {
        (200..=299 | 400..=499, Some(_)) => None,
        (_, Some(object)) if is_refusal(&object) => Some(Failure::oauth(response, &object)),
        (400 | 401 | 404 | 405, None) if !is_page(&response.body) => None,
        _ => Some(Failure::not_oauth(response)),
    }
}

/// Whether a body is HTML, or XML.
fn is_page(body: &[u8]) -> bool {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start().starts_with(b"<")
}

/// The document in an answer; `None` if the issuer has none there.
fn metadata_document(response: &ProviderResponse) -> Result<Option<Map<String, Value>>, Fault> {
    match response.object().filter(|document| response.status == 200 && document.contains_key("issuer")) {
        None if response.status == 404 => Ok(None),
        None => Err(Failure::not_oauth(response).into()),
        document => Ok(document),
    }
}

fn misread(error: &MetadataError) -> Fault {
    Fault::Misconfigured(error.to_string())
}

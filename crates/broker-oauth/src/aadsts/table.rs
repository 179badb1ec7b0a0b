//! The table: number, Microsoft's name, who must change and what becomes of the refresh token; what happened; what to do.

use super::{Aadsts, About, Fate};

macro_rules! table {
    ($($number:literal $name:literal $about:ident $fate:ident $what:literal $remedy:literal)*) => {
        /// Every number that is explained, in order.
        pub const TABLE: &[Aadsts] = &[$(Aadsts {
            number: $number,
            name: $name,
            what: $what,
            remedy: $remedy,
            about: About::$about,
            fate: Fate::$fate,
        },)*];
    };
}

table! {
    28_002 "" Scopes Alive
        "the scopes asked for are not valid together"
        "ask for the scopes of one resource at a time; check the scopes asked for"
    28_003 "" Scopes Alive
        "no scope was asked for where one is needed"
        "set scopes in the profile, or name one with --scope"
    50_005 "DevicePolicyError" OtherFlow Alive
        "a policy of the tenant does not allow sign-ins from this platform"
        "a device code cannot satisfy it: sign in on a platform the policy allows, or have an administrator change the policy"
    50_020 "UserUnauthorized" Tenant Alive
        "the account is not known in the tenant {tenant}"
        "sign in as another account, set tenant to the account's own, or have an administrator invite it as a guest"
    50_033 "RetryableError" Provider Alive
        "the provider failed in passing"
        "nothing is lost: ask again in a moment"
    50_034 "UserAccountNotFound" Tenant AliveElsewhere
        "the account does not exist in the tenant {tenant}"
        "check the account and tenant, or have an administrator invite the account as a guest"
    50_053 "IdsLocked" Person Alive
        "the account is locked after too many failed attempts, or the address signed in from is distrusted"
        "wait, then sign in to the provider in a browser; an administrator can unlock the account"
    50_055 "InvalidPasswordExpiredPassword" Person Alive
        "the password of the account has expired"
        "set a new password in a browser, then run: {login}"
    50_057 "UserDisabled" Administrator AliveElsewhere
        "the account is disabled in the tenant {tenant}"
        "have an administrator of that tenant enable the account; sign-ins to other tenants are not affected"
    50_059 "MissingTenantRealmAndNoUserInformationProvided" Tenant NotInvolved
        "the request does not tell the provider which tenant is meant: a single-tenant app, or a guest, under common"
        "set tenant in the profile to the id or domain of the tenant, or to organizations"
    50_072 "UserStrongAuthEnrollmentRequiredInterrupt" Person Alive
        "the account must first be enrolled for multi-factor authentication"
        "enroll in a browser (https://aka.ms/mfasetup), then run: {login}"
    50_074 "UserStrongAuthClientAuthNRequiredInterrupt" Person Alive
        "multi-factor authentication is required and was not passed"
        "sign in again with multi-factor authentication: {login}"
    50_076 "UserStrongAuthClientAuthNRequired" Person Alive
        "a policy or a new location requires multi-factor authentication"
        "sign in again with multi-factor authentication: {login}"
    50_078 "UserStrongAuthExpired" Person Alive
        "the multi-factor authentication is older than the tenant's policy allows"
        "sign in again with multi-factor authentication: {login}"
    50_079 "UserStrongAuthEnrollmentRequired" Person Alive
        "a policy or a new location requires multi-factor authentication, and the account is not enrolled for it"
        "enroll in a browser (https://aka.ms/mfasetup), then run: {login}"
    50_085 "" Person Alive
        "the account's own identity provider wants a new sign-in"
        "sign in again there, with user name and password: {login}"
    50_087 "SasRetryableError" Provider Alive
        "multi-factor authentication failed in passing at the provider"
        "nothing is lost: ask again in a moment"
    50_089 "" Person Alive
        "the sign-in was interrupted for too long"
        "sign in again: {login}"
    50_097 "DeviceAuthenticationRequired" OtherFlow Alive
        "a policy requires that the device proves itself"
        "a device code cannot satisfy it: sign in on a registered device with a broker of the system, or in its managed browser"
    50_105 "EntitlementGrantsNotFound" Administrator Alive
        "the account is not assigned to the application {client_id}"
        "have an administrator assign the account, or a group of it, to the application"
    50_125 "PasswordResetRegistrationRequiredInterrupt" Person Alive
        "the provider wants the account's password reset or its recovery set up first"
        "sign in to the provider in a browser and follow it, then run: {login}"
    50_126 "InvalidUserNameOrPassword" Person Alive
        "user name or password was wrong"
        "sign in again, and check what you type: {login}"
    50_132 "SsoArtifactInvalidOrExpired" Person Dead
        "the sign-in ended: the password expired or was changed"
        "sign in again: {login}"
    50_133 "SsoArtifactRevoked" Person Dead
        "the sign-in was revoked: the password expired or was changed"
        "sign in again: {login}"
    50_134 "DeviceFlowAuthorizeWrongDatacenter" Code NotInvolved
        "the code was entered in another region of the provider than the one that issued it"
        "ask for a new code: {login}"
    50_155 "DeviceAuthenticationFailed" OtherFlow Alive
        "the device could not prove itself"
        "a device code cannot prove a device: register the device again, and sign in through the system's broker"
    50_158 "ExternalSecurityChallenge" Person Alive
        "an external check that the tenant requires (Duo, Ping and the like) has not been passed"
        "sign in again and pass it: {login}"
    50_173 "FreshTokenNeeded" Person Dead
        "the sign-in was revoked, by an administrator or by a changed password"
        "sign in again: {login}"
    50_194 "" Tenant NotInvolved
        "the application {client_id} belongs to one tenant, and the request was for any"
        "set tenant in the profile to the id or domain of the application's tenant"
    50_196 "LoopDetected" Provider Alive
        "the provider saw the same request too often in a short time"
        "wait a minute at least, stop what asks in a loop, then ask again"
    50_199 "CmsiInterrupt" Code NotInvolved
        "the provider's page asks whether you mean to sign in to this application"
        "confirm it on the page and go on"
    53_000 "DeviceNotCompliant" OtherFlow Alive
        "a policy requires a compliant device"
        "a device code cannot satisfy it, for it carries no device: use a managed device with the system's broker or its browser"
    53_001 "DeviceNotDomainJoined" OtherFlow Alive
        "a policy requires a device that is joined to the domain"
        "a device code cannot satisfy it, for it carries no device: use a joined device with the system's broker or its browser"
    53_003 "BlockedByConditionalAccess" OtherFlow Alive
        "Conditional Access blocks this sign-in"
        "asking again cannot help, and a device code may be what is blocked: try another network or device, or give the ids below to an administrator"
    53_004 "ProofUpBlockedDueToRisk" Administrator Alive
        "the account may not enroll for multi-factor authentication now, because the sign-in looks risky"
        "asking again cannot help: give the ids below to an administrator"
    65_001 "DelegationDoesNotExist" Person Alive
        "nobody has consented that the application {client_id} uses: {scopes}"
        "sign in for these scopes and consent: {login} (an administrator may have to consent)"
    65_002 "" ClientId Alive
        "the application {client_id} is Microsoft's own and not allowed for: {scopes}"
        "use the client_id of an application you have registered yourself"
    65_004 "UserDeclinedConsent" Person NotInvolved
        "consent was declined"
        "sign in again and consent, if you mean to: {login}"
    70_000 "InvalidGrant" Person Alive
        "the provider does not accept the refresh token, or what it was asked for was never granted"
        "sign in again: {login}"
    70_008 "ExpiredOrRevokedGrant" Person Dead
        "the sign-in expired or was revoked"
        "sign in again: {login}"
    70_011 "InvalidScope" Scopes Alive
        "the provider does not accept these scopes: {scopes}"
        "check the spelling of the scopes, and that all are of one resource"
    70_016 "AuthorizationPending" Code NotInvolved
        "the sign-in has not been finished in the browser yet"
        "go on with it on the page that was shown"
    70_018 "BadVerificationCode" Code NotInvolved
        "the provider does not know the code"
        "ask for a new code and type it as it is shown: {login}"
    70_019 "CodeExpired" Code NotInvolved
        "the code ran out before the sign-in was finished"
        "ask for a new code: {login}"
    70_020 "" Code NotInvolved
        "the code ran out before the sign-in was finished"
        "ask for a new code: {login}; if it runs out within seconds, the provider has an incident: wait"
    70_022 "InvalidMultipleResourcesScope" Scopes Alive
        "the scopes are of more than one resource: {scopes}"
        "ask for the scopes of one resource at a time"
    70_043 "BadTokenDueToSignInFrequency" Person AliveElsewhere
        "a policy for this resource wants a sign-in no older than {lifetime}"
        "sign in again: {login} (other resources are served as before)"
    90_002 "InvalidTenantName" Tenant NotInvolved
        "there is no tenant {tenant} at this authority"
        "check tenant in the profile, and authority if the tenant is in another cloud"
    90_006 "ExternalServerRetryableError" Provider Alive
        "the provider is unavailable in passing"
        "nothing is lost: ask again in a moment"
    90_010 "NotSupported" Tenant NotInvolved
        "the provider does not do this under common or consumers"
        "set tenant in the profile to organizations, or to the id or domain of the tenant"
    90_024 "RequestBudgetExceededError" Provider Alive
        "the provider failed in passing"
        "nothing is lost: ask again in a moment"
    90_033 "MsodsServiceUnavailable" Provider Alive
        "the provider's directory is unavailable in passing"
        "nothing is lost: ask again in a moment"
    90_055 "TenantThrottlingError" Provider Alive
        "there are too many requests from the tenant {tenant}"
        "wait, then ask again"
    90_090 "GraphRetryableError" Provider Alive
        "the provider's directory is unavailable in passing"
        "nothing is lost: ask again in a moment"
    90_094 "AdminConsentRequired" Administrator Alive
        "only an administrator may consent that the application {client_id} uses: {scopes}"
        "have an administrator of the tenant {tenant} consent, then run: {login}"
    90_119 "InvalidUserCode" Code NotInvolved
        "no code was entered, or none that can be read"
        "ask for a new code and type it as it is shown: {login}"
    90_120 "InvalidDeviceFlowRequest" Code NotInvolved
        "the code was already used: the sign-in was confirmed or declined"
        "ask for a new code: {login}"
    90_133 "" Tenant NotInvolved
        "a device code under common or consumers is not supported (an answer of old servers, not given any more)"
        "set tenant in the profile to the id or domain of the tenant"
    135_011 "" Administrator AliveElsewhere
        "the device that signed in is disabled in the directory"
        "have an administrator enable the device again; the sign-in is kept for that"
    500_011 "InvalidResourceServicePrincipalNotFound" Scopes Alive
        "the tenant {tenant} does not know the resource asked for"
        "check the resource and scopes, and that the tenant is the one that has them; else an administrator adds the resource's application"
    500_113 "" Registration NotInvolved
        "the registration of {client_id} has no reply address"
        "add one to the registration; a device code does not need it, other ways of signing in do"
    501_051 "" Administrator Alive
        "the application {client_id} is not assigned to a role of the resource"
        "have an administrator assign the application to the role"
    530_003 "" OtherFlow Alive
        "a policy requires a managed device"
        "a device code cannot satisfy it, for it carries no device: use a managed device with the system's broker or its browser"
    530_032 "BlockedByConditionalAccessOnSecurityPolicy" Administrator Alive
        "a security policy of the tenant blocks this request"
        "asking again cannot help: give the ids below to an administrator"
    530_034 "DelegatedAdminBlockedDueToSuspiciousActivity" Administrator Alive
        "the account is blocked because of a risk seen in its home tenant"
        "asking again cannot help: give the ids below to an administrator"
    530_035 "BlockedBySecurityDefaults" OtherFlow Alive
        "the tenant's security defaults block this sign-in"
        "a device code cannot satisfy them: sign in another way, or give the ids below to an administrator"
    530_036 "" OtherFlow Dead
        "the sign-in ended: it was made with a device code, and Conditional Access does not accept those any more"
        "a device code cannot be used here: sign in another way, or have an administrator except this application from the policy"
    650_052 "" Administrator Alive
        "the organization has not subscribed to a service that the application needs"
        "have an administrator enable the service in the tenant {tenant}"
    650_057 "" Registration Alive
        "the registration of {client_id} does not list the resource asked for: {scopes}"
        "add the resource's permissions to the registration (API permissions), or check the scopes"
    700_003 "" OtherFlow Dead
        "the device that signed in is not in the directory any more"
        "join the device again and sign in anew; a device code signs in without a device, where a policy allows it: {login}"
    700_016 "UnauthorizedClient_DoesNotMatchRequest" ClientId Alive
        "client_id {client_id} is not known in the tenant {tenant}"
        "check client_id and tenant in the profile; an administrator may have to add the application to the tenant"
    700_022 "InvalidMultipleResourcesScope" Scopes Alive
        "the scopes are of more than one resource: {scopes}"
        "ask for the scopes of one resource at a time"
    700_025 "InvalidClientPublicClientWithCredential" Secret Alive
        "client_id {client_id} is registered as a public client, which must not send a secret"
        "take client_secret_file out of the profile"
    700_082 "ExpiredOrRevokedGrantInactiveToken" Person Dead
        "the sign-in expired because it was not used for too long"
        "sign in again: {login}"
    700_084 "" Person Dead
        "the sign-in was made by a web page's client, whose sign-ins end after a day"
        "sign in again: {login}"
    901_002 "" Scopes Alive
        "the provider takes no resource here: the scopes name it"
        "leave resource out, and ask for its scopes, such as https://vault.azure.net/.default"
    7_000_215 "" Secret Alive
        "the client secret of {client_id} is wrong"
        "set the secret again (client_secret_file, or brokerctl client-secret set): its value, not its id"
    7_000_218 "" Registration Alive
        "client_id {client_id} is not registered as a public client"
        "in the app registration, under Authentication, allow public client flows"
    9_001_023 "" Tenant NotInvolved
        "the provider does not do this under common or consumers"
        "set tenant in the profile to organizations, or to the id or domain of the tenant"
    9_002_313 "InvalidRequest" Person Dead
        "the provider could not read the request; in a refresh, the refresh token is garbled"
        "sign in again: {login}"
    9_002_332 "" Tenant NotInvolved
        "the application {client_id} is for work and school accounts, and the request was for personal ones"
        "set tenant in the profile to organizations, or to the id or domain of the tenant"
    9_010_010 "" Scopes Alive
        "the resource asked for is not the one of the scopes"
        "leave resource out, and ask for its scopes, such as https://vault.azure.net/.default"
}

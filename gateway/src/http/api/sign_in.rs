//! `/auth` and `/me`: signing in, and what a user who did is given.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::State;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::extract::Body;
use super::guard::{SignedIn, User};
use super::problem::{Code, Problem};
use crate::auth::sentry::Refused;
use crate::auth::{self, Denied, Principal, Rights, Role, sip, token};
use crate::centre::view::Moment;
use crate::http::Ends;

/// User and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    /// The user's name.
    #[schema(max_length = 64, example = "anna")]
    user: String,
    /// Its password.
    #[schema(max_length = 256, format = "password", example = "cordboard")]
    password: String,
}

/// A refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refresh {
    /// Refresh token that was issued last.
    #[schema(max_length = 200)]
    refresh_token: String,
}

/// Tokens and user of a sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tokens {
    /// JSON Web Token for `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token expires.
    expires_in: u64,
    /// Token for the next access token. Good once; a second use ends the sign-in.
    refresh_token: String,
    /// The user who signed in.
    user: Me,
}

/// Identity of a user or an API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct Me {
    /// Id of the user or API key.
    pub(super) id: String,
    /// Name that the user signs in with.
    pub(super) name: String,
    /// Name shown to people.
    pub(super) display: String,
    /// Roles of the user; none for API keys.
    pub(super) roles: Vec<Role>,
    /// True if the gateway is a demonstration, in which `/demo/call` brings a caller.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) demo: bool,
}

/// A ticket for the event stream.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ticket {
    /// Ticket for the subprotocol `bearer.<ticket>`, good once.
    ticket: String,
    /// Seconds until it expires.
    expires_in: u64,
}

/// The tab that SIP credentials are for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tab {
    /// A random name that the tab gave itself.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9_-]+$",
        example = "k3v9x2"
    )]
    tab: String,
}

/// Everything that a browser needs to register.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SipSession {
    /// Address of record.
    uri: String,
    /// URL for SIP over WebSocket.
    websocket: String,
    /// Digest user name (`authorization_user`).
    username: String,
    /// Digest password.
    password: String,
    /// Name shown to people.
    display: String,
    /// Value for `+sip.instance`; the same for the same user and tab.
    instance_id: String,
    /// Time at which the credentials expire; they never outlive the sign-in.
    expires_at: Moment,
    /// STUN and TURN servers; none are needed to reach this gateway.
    ice_servers: Vec<String>,
}

/// Signs in with a password.
#[utoipa::path(
    post, path = "/auth/login", operation_id = "signIn", tag = "sign-in", request_body = Login, security(()),
    responses((status = 200, body = Tokens),
        (status = 401, description = "`bad-credentials`"),
        (status = 429, description = "`too-many-attempts`", headers(("Retry-After" = u64, description = "Seconds")))),
)]
pub(super) async fn login(
    State(api): State<Api>,
    request: Parts,
    Body(login): Body<Login>,
) -> Result<Json<Tokens>, Problem> {
    let client = client(&api, &request);
    let address = client.map(|client| client.ip());
    let granted = api
        .accounts
        .sign_in(api.now(), &login.user, &login.password, address)
        .await;
    let granted = match granted {
        Ok(granted) => granted,
        Err(denied) => {
            refused(&api, client, "LOGIN", &login.user, denied);
            return Err(denied.into());
        }
    };
    api.settle_sign_ins().await;
    Ok(Json(tokens(&api, granted)))
}

/// Exchanges a refresh token for new tokens.
#[utoipa::path(
    post, path = "/auth/refresh", operation_id = "refreshTokens", tag = "sign-in", request_body = Refresh, security(()),
    responses((status = 200, body = Tokens),
        (status = 401, description = "`invalid-token`, `token-reused`")),
)]
pub(super) async fn refresh(
    State(api): State<Api>,
    request: Parts,
    Body(refresh): Body<Refresh>,
) -> Result<Json<Tokens>, Problem> {
    let granted = api.accounts.refresh(api.now(), &refresh.refresh_token);
    api.settle_sign_ins().await;
    if let Err(denied) = &granted {
        refused(&api, client(&api, &request), "REFRESH", "", *denied);
    }
    Ok(Json(tokens(&api, granted?)))
}

/// Ends a sign-in and everything that came from it. An agent's caller goes back to the queue, to the same
/// place as before, unless a colleague is in the call or another sign-in has the agent's page. An invalid
/// token ends nothing, and that is not an error.
#[utoipa::path(
    post, path = "/auth/logout", operation_id = "signOut", tag = "sign-in", request_body = Refresh, security(()),
    responses((status = 204)),
)]
pub(super) async fn logout(
    State(api): State<Api>,
    Body(refresh): Body<Refresh>,
) -> Result<StatusCode, Problem> {
    if let Some((agent, session)) = api.accounts.holder(&refresh.refresh_token) {
        give_back(&api, &agent, &session).await;
    }
    api.accounts.sign_out(&refresh.refresh_token);
    api.settle_sign_ins().await;
    Ok(StatusCode::NO_CONTENT)
}

/// A caller who talks with an agent who signs out is not hung up. Signing out never fails for that.
async fn give_back(api: &Api, agent: &str, session: &str) {
    if !api.service.is_in_call(agent) || api.pages.is_elsewhere(agent, session) {
        return;
    }
    if let Err(refused) = api.service.give_back_call(agent).await {
        tracing::warn!(
            code = refused.code(),
            "the call of an agent who signed out stays where it is"
        );
    }
}

/// A ticket that opens the event stream once.
#[utoipa::path(post, path = "/auth/ticket", operation_id = "createEventTicket", tag = "sign-in", responses((status = 200, body = Ticket)))]
pub(super) async fn ticket(
    SignedIn(principal): SignedIn,
    State(api): State<Api>,
) -> Result<Json<Ticket>, Problem> {
    let (ticket, lifetime) = api.accounts.ticket(api.now(), principal)?;
    Ok(Json(Ticket {
        ticket,
        expires_in: lifetime.as_secs(),
    }))
}

/// The user or API key that the request comes from.
#[utoipa::path(get, path = "/me", operation_id = "getMe", tag = "sign-in", responses((status = 200, body = Me)))]
pub(super) async fn me(SignedIn(principal): SignedIn, State(api): State<Api>) -> Json<Me> {
    Json(who(&api, &principal))
}

/// SIP credentials for a tab: good for an hour, and not longer than the sign-in.
#[utoipa::path(
    post, path = "/me/sip-session", operation_id = "createSipSession", tag = "sign-in", request_body = Tab,
    responses((status = 200, body = SipSession)),
)]
pub(super) async fn sip_session(
    User(principal): User,
    State(api): State<Api>,
    request: Parts,
    Body(Tab { tab }): Body<Tab>,
) -> Result<Json<SipSession>, Problem> {
    if !sip::is_tab(&tab) {
        return Err(Problem::field("tab", "1 to 64 letters, digits, - and _"));
    }
    let host = host(&request.headers).ok_or(Problem::from(Code::BadRequest).detail("no Host"))?;
    let granted = api.accounts.sip_session(api.now(), &principal, &tab);
    let (credentials, expires_at) = granted.ok_or(Code::Forbidden)?;
    let scheme = if is_secure(&request) { "wss" } else { "ws" };
    let domain = api
        .settings
        .domain
        .as_deref()
        .unwrap_or_else(|| without_port(host));
    Ok(Json(SipSession {
        uri: format!("sip:{}@{domain}", principal.name),
        websocket: format!("{scheme}://{host}/ws"),
        username: credentials.username,
        password: credentials.password,
        display: who(&api, &principal).display,
        instance_id: instance_id(&principal.id, &tab),
        expires_at: Moment(expires_at),
        ice_servers: Vec::new(),
    }))
}

pub(super) fn who(api: &Api, principal: &Principal) -> Me {
    Me {
        id: principal.id.clone(),
        name: principal.name.clone(),
        display: api.service.display_of(principal),
        roles: match &principal.rights {
            Rights::User { roles, .. } => roles.clone(),
            Rights::Key(_) => Vec::new(),
        },
        demo: api.service.is_demo(),
    }
}

/// Both ends of the connection; unknown when no server is before the router.
pub(super) fn ends(request: &Parts) -> Option<Ends> {
    let info = request.extensions.get::<axum::extract::ConnectInfo<Ends>>()?;
    Some(info.0)
}

/// Source of a request; behind a trusted proxy, the client that it names.
pub(super) fn client(api: &Api, request: &Parts) -> Option<SocketAddr> {
    let ends = ends(request)?;
    Some(api.accounts.sentry().client(ends.remote, &request.headers))
}

fn refused(api: &Api, client: Option<SocketAddr>, method: &str, user: &str, denied: Denied) {
    let (code, reason) = match denied {
        Denied::BadCredentials => (401, "wrong-credentials"),
        Denied::BadToken => (401, "unknown-token"),
        Denied::Reused => (401, "token-reused"),
        Denied::TooMany(_) => (429, "too-fast"),
        Denied::Banned(_) => (429, "banned"),
        // The gateway's fault.
        Denied::Overloaded => return,
    };
    api.accounts.sentry().refused(Refused {
        peer: client.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))),
        method,
        user,
        code: Some(code),
        reason,
    });
}

fn tokens(api: &Api, granted: auth::SignedIn) -> Tokens {
    Tokens {
        access_token: granted.access_token,
        token_type: "Bearer",
        expires_in: token::LIFETIME_S,
        refresh_token: granted.refresh_token,
        user: Me {
            id: granted.user.id,
            name: granted.user.name,
            display: granted.user.display,
            roles: granted.user.roles,
            demo: api.service.is_demo(),
        },
    }
}

/// Host and port as the client wrote them; only who asked sees them again.
fn host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:-[]_".contains(&byte);
    (!host.is_empty() && host.len() <= 255 && host.bytes().all(plain)).then_some(host)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// TLS ends here, or at a proxy that says so.
fn is_secure(request: &Parts) -> bool {
    let forwarded = request
        .headers
        .get("x-forwarded-proto")
        .is_some_and(|proto| proto == "https");
    forwarded || ends(request).is_some_and(|ends| ends.secure)
}

/// A UUID made of a hash (RFC 9562 §5.8), as RFC 5626 wants it: the same after a reload of the tab.
fn instance_id(user: &str, tab: &str) -> String {
    let hash = digest(&SHA256, format!("{user} {tab}").as_bytes());
    let hex: String = hash
        .as_ref()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "urn:uuid:{}-{}-8{}-8{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

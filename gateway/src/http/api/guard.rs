//! Access to routes: each handler names one of these extractors as its first argument, and without it no
//! handler has a principal.
//!
//! | extractor | users | API keys |
//! |---|---|---|
//! | [`SignedIn`] | any | any |
//! | [`User`] | any | none |
//! | [`Agent`] | agents | none |
//! | [`CallReader`] | agents, supervisors, admins | `read` |
//! | [`Operator`] | agents, supervisors, admins | `control` |
//! | [`Watcher`] | supervisors, admins | `read` |
//! | [`Supervisor`] | supervisors, admins | `control` |
//! | [`Admin`] | admins | `configure` |

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Api;
use super::problem::{Code, Problem};
use crate::auth::{Principal, Role};
use crate::service::rights;

macro_rules! guard {
    ($(#[$doc:meta])* $name:ident, $may:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(super) struct $name(pub(super) Principal);

        impl FromRequestParts<Api> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<$name, Problem> {
                let principal = principal(&parts.headers, api)?;
                let may: fn(&Principal) -> bool = $may;
                if may(&principal) {
                    Ok($name(principal))
                } else {
                    Err(Code::Forbidden.into())
                }
            }
        }
    };
}

guard! {
    /// Anybody who is known.
    SignedIn, |_| true
}

guard! {
    /// Somebody who signed in.
    User, |principal| principal.session().is_some()
}

guard! {
    /// Takes calls.
    Agent, |principal| principal.is(Role::Agent)
}

guard! {
    /// Sees calls: an agent its own.
    CallReader, rights::reads_calls
}

guard! {
    /// Acts on calls: an agent on its own.
    Operator, rights::operates
}

guard! {
    /// Sees everything.
    Watcher, Principal::sees_all
}

guard! {
    /// Acts on agents and calls of others.
    Supervisor, rights::supervises
}

guard! {
    /// Configures.
    Admin, rights::configures
}

/// Principal of the access token or API key in `Authorization` (RFC 6750 §2.1).
pub(super) fn principal(headers: &HeaderMap, api: &Api) -> Result<Principal, Problem> {
    let value = headers.get(AUTHORIZATION).ok_or(Code::Unauthenticated)?;
    let value = value.to_str().map_err(|_| Code::InvalidToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(Code::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Code::Unauthenticated.into());
    }
    Ok(api.accounts.authenticate(api.now(), token.trim())?)
}

//! A trunk's registration, and the identity of calls to it.

use std::time::Duration;

use session_core::{CallerId, ContactUser, TrunkRegistration};
use sip_core::flow::Transport;
use sip_core::uri::Uri;
use toml::de::DeValue;

use super::reader::{Mixed, Reader, Section, boolean, filled, kind, text};
use super::values::{host_port, seconds, user_name};

/// Time that a registration is asked for, unless configured.
const EXPIRES: Duration = Duration::from_secs(600);

/// Reads `register`: `true`, or a table. `username`: the user unless the table names one.
pub(super) fn read_register<'t>(
    r: &mut Reader<'t>,
    trunk: &mut Section<'t>,
    username: Option<&str>,
) -> Option<TrunkRegistration> {
    let at = trunk.span("register")?;
    let mut values = r.mixed(trunk, "register")?;
    let read = match values.pop() {
        Some(Mixed::Table(table, _)) if values.is_empty() => Some(read_table(r, table, username)),
        Some(Mixed::Value(DeValue::Boolean(false), _)) if values.is_empty() => None,
        Some(Mixed::Value(DeValue::Boolean(true), _)) if values.is_empty() => {
            Some((username.map(str::to_owned), plain()))
        }
        Some(Mixed::Value(other, span)) => {
            let message = format!(
                "trunks.register: is {}, but must be true, false or a table",
                kind(other)
            );
            r.fail(span, message);
            None
        }
        Some(Mixed::Table(..)) | None => {
            r.fail(
                at.clone(),
                "trunks.register: must be one table; a second registration is a second trunk",
            );
            None
        }
    };
    let (user, registration) = read?;
    let Some(user) = user else {
        r.fail(
            at,
            "trunks.register also needs trunks.username and trunks.password, or register.user",
        );
        return None;
    };
    Some(TrunkRegistration { user, ..registration })
}

/// A registration with nothing but defaults; its user is to be set.
fn plain() -> TrunkRegistration {
    TrunkRegistration {
        registrar: None,
        user: String::new(),
        expires: EXPIRES,
        contact: ContactUser::Drawn,
        outbound: false,
    }
}

fn read_table<'t>(
    r: &mut Reader<'t>,
    mut table: Section<'t>,
    username: Option<&str>,
) -> (Option<String>, TrunkRegistration) {
    let user = r
        .get(&mut table, "user", filled)
        .or_else(|| username.map(str::to_owned));
    let registrar = r.get(&mut table, "registrar", host_port);
    let expires = r.get(&mut table, "expires", |v| seconds(v, 30..=86_400));
    let contact = r.get(&mut table, "contact", user_name);
    let outbound = r.get(&mut table, "outbound", boolean).unwrap_or_default();
    let bulk = r.get(&mut table, "bulk", boolean).unwrap_or_default();
    if let (true, Some(at)) = (bulk, table.span("contact")) {
        r.fail(at, "register.contact and register.bulk exclude each other: a bulk registration has no user in its Contact");
    }
    r.finish(table);
    let contact = match (bulk, contact) {
        (true, _) => ContactUser::Numbers,
        (false, Some(user)) => ContactUser::Named(user),
        (false, None) => ContactUser::Drawn,
    };
    let registration = TrunkRegistration {
        registrar,
        user: String::new(),
        expires: expires.unwrap_or(EXPIRES),
        contact,
        outbound,
    };
    (user, registration)
}

/// Reads `caller_id`: a number, or `"pass"`. A trunk that registers shows its own user unless something is configured.
pub(super) fn read_caller_id<'t>(
    r: &mut Reader<'t>,
    trunk: &mut Section<'t>,
    register: Option<&TrunkRegistration>,
) -> CallerId {
    let written = r.get(trunk, "caller_id", |v| match text(v)? {
        "pass" => Ok(CallerId::Pass),
        _ => user_name(v).map(CallerId::Fixed),
    });
    written.unwrap_or_else(|| match register {
        Some(registration) => CallerId::Fixed(registration.user.clone()),
        None => CallerId::Pass,
    })
}

/// Reads `from_user`: a user, or `"account"` for the one that registers.
pub(super) fn read_from_user<'t>(
    r: &mut Reader<'t>,
    trunk: &mut Section<'t>,
    register: Option<&TrunkRegistration>,
) -> Option<String> {
    r.get(trunk, "from_user", |v| match (text(v)?, register) {
        ("account", Some(registration)) => Ok(registration.user.clone()),
        ("account", None) => {
            Err("is the account that registers, but the trunk does not: set trunks.register".into())
        }
        _ => user_name(v),
    })
}

/// Reads `outbound_proxy`: a host and perhaps a port, reached by the trunk's transport.
pub(super) fn read_proxy<'t>(
    r: &mut Reader<'t>,
    trunk: &mut Section<'t>,
    transport: Transport,
) -> Option<Uri> {
    r.get(trunk, "outbound_proxy", |v| {
        let (host, port) = host_port(v)?;
        let uri = Uri::sip(None, &host, port).and_then(|uri| match transport {
            Transport::Udp => Ok(uri),
            transport => uri.with_param("transport", &transport.name().to_ascii_lowercase()),
        });
        // RFC 3261 §16.12: a proxy that routes loosely.
        uri.and_then(|uri| uri.with_param("lr", ""))
            .map_err(|error| error.to_string())
    })
}

use sans_io::Time;

use crate::message::{HeaderName, Message, Method, StatusCode};
use crate::uri::UriRef;

use super::Endpoint;
use super::receive::our_branch;

impl Endpoint {
    /// Checks, in the order of RFC 3261 §8.2, a request outside a dialog before it reaches anybody: method,
    /// Request-URI and `To`, merged requests, required extensions, content. True if it was refused.
    pub(super) fn refuse(&mut self, now: Time, server: u64, request: &Message, merged: bool) -> bool {
        if self.refuse_method(now, server, request) {
            return true;
        }
        let code = if !is_routable(request.request_uri().unwrap_or("")) {
            StatusCode::UNSUPPORTED_URI_SCHEME
        } else if merged || self.is_loop(request) {
            StatusCode::LOOP_DETECTED
        } else if self.refuse_replaces(now, server, request)
            || self.refuse_extensions(now, server, request)
            || self.refuse_content(now, server, request)
        {
            return true;
        } else if request.max_forwards() == Some(0) && is_forwarded(request.method()) {
            StatusCode::TOO_MANY_HOPS // what we would send on comes from the caller no more (a back-to-back user agent counts hops too)
        } else {
            return false;
        };
        self.refuse_with(now, server, code, &[]);
        true
    }

    /// 501 for a method that nobody knows, 405 for one that we do not take.
    pub(super) fn refuse_method(&mut self, now: Time, server: u64, request: &Message) -> bool {
        let Some(method) = request.method() else {
            return true;
        };
        // Where there are packages, `refer` among them, SUBSCRIBE is refused for its event, not as a method (RFC 6665 §4.2.1.1).
        let is_understood = *method == Method::Subscribe && !self.about.allow_events.is_empty();
        if self.config.allow.contains(method) || is_understood {
            return false;
        }
        let code = if matches!(method, Method::Other(_)) {
            StatusCode::NOT_IMPLEMENTED
        } else {
            StatusCode::METHOD_NOT_ALLOWED
        };
        let allow = self.about.allow.clone();
        self.refuse_with(now, server, code, &[&allow]);
        true
    }

    /// 400 for a `Replaces` or `Join` in anything but an INVITE (RFC 3891 §3, RFC 3911 §4).
    pub(super) fn refuse_replaces(&mut self, now: Time, server: u64, request: &Message) -> bool {
        let names = [HeaderName::Replaces, HeaderName::Join];
        let asks = names.into_iter().any(|name| request.header(name).is_some());
        let is_wrong = asks && !request.is(&Method::Invite);
        if is_wrong {
            self.refuse_with(now, server, StatusCode::BAD_REQUEST, &[]);
        }
        is_wrong
    }

    /// 420 for an extension that is required and that we lack.
    pub(super) fn refuse_extensions(&mut self, now: Time, server: u64, request: &Message) -> bool {
        let lacking = |name, known: [&[String]; 2]| {
            let is_known = |tag: &str| {
                let mut known = known.into_iter().flatten();
                known.any(|ours| ours.eq_ignore_ascii_case(tag))
            };
            request
                .headers(name)
                .map(str::trim)
                .filter(|tag| !tag.is_empty() && !is_known(tag))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let config = &self.config;
        let mut unsupported = lacking(HeaderName::Require, [&config.supported, &config.granted]);
        if unsupported.is_empty() {
            unsupported = lacking(
                HeaderName::ProxyRequire,
                [&config.supported, &config.proxy_supported],
            );
        }
        if unsupported.is_empty() {
            return false;
        }
        let line = super::one_line("Unsupported", &unsupported);
        self.refuse_with(now, server, StatusCode::BAD_EXTENSION, &[&line]);
        true
    }

    /// 415 for a body that we cannot read and may not ignore, 406 where the answer may have no form that we speak.
    pub(super) fn refuse_content(&mut self, now: Time, server: u64, request: &Message) -> bool {
        if !matches!(
            request.method(),
            Some(Method::Invite | Method::Update | Method::Prack)
        ) {
            return false;
        }
        let accept = self.about.accept.clone();
        let content = request.content();
        if content.unknown {
            let encoding = if content.coded {
                "Accept-Encoding: identity\r\n"
            } else {
                ""
            };
            self.refuse_with(
                now,
                server,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                &[&accept, encoding],
            );
            return true;
        }
        let mut acceptable = request.headers(HeaderName::Accept).peekable();
        if request.method() == Some(&Method::Invite)
            && acceptable.peek().is_some()
            && !acceptable.any(|range| self.config.accept.iter().any(|ours| matches_range(range, ours)))
        {
            self.refuse_with(now, server, StatusCode::NOT_ACCEPTABLE, &[&accept]);
            return true;
        }
        false
    }

    /// Responds with `lines` and our `Server` line; to a stranger once, and nothing is kept of that.
    pub(super) fn refuse_with(&mut self, now: Time, server: u64, code: StatusCode, lines: &[&str]) {
        let less: String = lines.concat();
        let more = format!("{less}{}", self.about.server);
        if self.servers.get(&server).is_some_and(|entry| entry.stranger) {
            self.answer_once(server, code, &[&more, &less]);
        } else {
            self.respond(now, server, code, &more, None);
        }
    }

    /// Responds 503: all transactions are in use.
    pub(super) fn refuse_full(&mut self, now: Time, server: u64) {
        self.totals.too_many += 1;
        self.refuse_with(
            now,
            server,
            StatusCode::SERVICE_UNAVAILABLE,
            &["Retry-After: 10\r\n"],
        );
    }

    /// A request that left here and came back as it was: one of its `Via` is of a transaction of ours that still waits,
    /// and its Request-URI is the one we wrote. (Through a peer that changed it, it is a call to somebody else.)
    fn is_loop(&self, request: &Message) -> bool {
        request.vias().skip(1).any(|via| {
            our_branch(&via)
                .and_then(|id| self.clients.get(&id))
                .is_some_and(|tx| {
                    tx.is_open()
                        && request.request_uri() == Some(tx.draft.uri.as_str())
                        && self.is_sent_by_us(&via, &tx.to)
                })
        })
    }
}

/// `sip:`, `sips:` and `tel:` are what a gateway has a use for.
fn is_routable(uri: &str) -> bool {
    use crate::uri::Scheme;
    // RFC 5031 §4.1: emergency services have a name of their own.
    let is_emergency = || {
        uri.get(..15)
            .is_some_and(|name| name.eq_ignore_ascii_case("urn:service:sos"))
    };
    let is_known = |uri: UriRef<'_>| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel);
    UriRef::parse(uri).is_ok_and(|uri| is_known(uri) || is_emergency())
}

/// Requests that a gateway sends on.
fn is_forwarded(method: Option<&Method>) -> bool {
    matches!(
        method,
        Some(Method::Invite | Method::Message | Method::Subscribe | Method::Refer | Method::Notify)
    )
}

/// A media range of `Accept` covers a media type.
fn matches_range(range: &str, kind: &str) -> bool {
    let range = range.split(';').next().unwrap_or("").trim();
    let (Some((top, sub)), Some((kind_top, kind_sub))) = (range.split_once('/'), kind.split_once('/')) else {
        return false;
    };
    let (top, sub) = (top.trim(), sub.trim());
    top == "*" || (top.eq_ignore_ascii_case(kind_top) && (sub == "*" || sub.eq_ignore_ascii_case(kind_sub)))
}
